"""Keys that are missing, cannot be used, or are still accepted."""

from collections.abc import Iterator

from authx.cli.findings.finding import Finding
from authx.cli.findings.secrets import chosen_algorithms, secret_findings
from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError
from authx.jose.key import SECRET_ALGORITHMS
from authx.tokens.configured_keys import build_ring

__all__ = ["key_findings"]


def key_findings(config: AuthXConfig) -> Iterator[Finding]:
    """Look at the keys.

    Args:
        config: The settings.

    Yields:
        What is wrong with them; never a key.
    """
    yield from secret_findings(config)
    try:
        ring = build_ring(config)
    except BadConfigurationError as error:
        yield Finding(
            "error",
            "key-unusable",
            str(error),
            "No AuthX can be made of these settings: the application does not start.",
            "as the message says",
        )
        return
    field = "JWT_SECRET_KEY" if config.is_algo_symmetric else "JWT_PRIVATE_KEY"
    pair = next((name for name in ("JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY") if getattr(config, name)), None)
    if not ring.verifiers:
        yield Finding(
            "error",
            "key-missing",
            f"{field} is not set, and JWT_ALGORITHM={config.JWT_ALGORITHM} needs it.",
            "Nothing can be signed or verified: the application does not start.",
            'JWT_SECRET_KEY="$(authx secret)"' + (f", or JWT_ALGORITHM=… as {pair} needs it" if pair else "")
            if config.is_algo_symmetric
            else f'{field}="$(cat private.pem)", or JWT_PUBLIC_KEY where tokens are only checked',
        )
    elif ring.signer is None:
        yield Finding(
            "info",
            "key-verifies-only",
            f"There is no {field}: tokens are checked here, and made somewhere else.",
            "Login and refresh do not work in this application.",
            f"nothing, if that is meant; else {field}=…",
        )
    yield from _former_keys(config)


def _former_keys(config: AuthXConfig) -> Iterator[Finding]:
    for field in ("JWT_PREVIOUS_SECRET_KEY", "JWT_PREVIOUS_PUBLIC_KEY"):
        if getattr(config, field):
            yield Finding(
                "info",
                "key-previous",
                f"{field} is set: tokens of the former key are accepted.",
                "Whoever has the former key can use it as long as that is so.",
                f"take {field} away once the longest refresh token of that time has ended",
            )
    if config.is_algo_asymmetric and config.JWT_SECRET_KEY and SECRET_ALGORITHMS & set(chosen_algorithms(config)):
        yield Finding(
            "info",
            "secret-accepted",
            "Tokens signed with JWT_SECRET_KEY are accepted beside those of the key pair.",
            "Whoever has the secret can make tokens, also where only the public key was meant to be known.",
            "take JWT_SECRET_KEY away once the longest refresh token of that time has ended",
        )
