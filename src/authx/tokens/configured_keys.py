"""From settings to keys: what signs, and what is still accepted."""

from collections.abc import Iterator
from typing import Final

from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError
from authx.jose.key import SECRET_ALGORITHMS, Key, KeyRing, UnfittingKeyError, key_from_pem, key_from_secret

__all__ = ["build_ring", "missing_key_message", "short_secret_warning"]

_MIN_SECRET_BYTES: Final = 32
_HOW_TO_MAKE_ONE: Final = "Make one with: authx secret, or: openssl rand -base64 48"


def build_ring(config: AuthXConfig) -> KeyRing:
    """Parse every configured key, once.

    Args:
        config: The settings.

    Returns:
        The ring; without a signer where no signing key is configured.

    Raises:
        BadConfigurationError: A key cannot be read or does not fit its algorithm; the message names the setting.
    """
    algorithm = config.JWT_ALGORITHM
    if not config.is_algo_symmetric and not config.is_algo_asymmetric:
        raise BadConfigurationError(f"JWT_ALGORITHM={algorithm!r} is not supported")
    signer = None
    if config.is_algo_symmetric:
        if config.JWT_SECRET_KEY:
            signer = _secret(config.JWT_SECRET_KEY, "JWT_SECRET_KEY", algorithm)
    elif config.JWT_PRIVATE_KEY is not None:
        signer = _pem(config.JWT_PRIVATE_KEY, "JWT_PRIVATE_KEY", algorithm)
        if not signer.can_sign:
            raise BadConfigurationError(
                "JWT_PRIVATE_KEY is a public key or a certificate: it cannot sign. "
                "Put it into JWT_PUBLIC_KEY, or pass the private key"
            )
    verifiers = list(_verifiers(config, signer))
    _refuse_idle_previous_keys(config)
    _refuse_halves_of_two_pairs(config, signer, verifiers)
    return KeyRing(signer, verifiers)


def _refuse_idle_previous_keys(config: AuthXConfig) -> None:
    """A former key that no accepted algorithm can use would log out everybody without a word."""
    accepted = _accepted_algorithms(config)
    symmetric = [algorithm for algorithm in accepted if algorithm in SECRET_ALGORITHMS]
    idle = []
    if config.JWT_PREVIOUS_SECRET_KEY and not symmetric:
        idle.append("JWT_PREVIOUS_SECRET_KEY")
    if config.JWT_PREVIOUS_PUBLIC_KEY is not None and not any(
        list(_previous(config, algorithm)) for algorithm in accepted if algorithm not in symmetric
    ):
        idle.append("JWT_PREVIOUS_PUBLIC_KEY")
    if idle:
        raise BadConfigurationError(
            f"{idle[0]} fits none of the accepted algorithms ({', '.join(accepted)}); "
            "add its own to JWT_DECODE_ALGORITHMS"
        )


def _refuse_halves_of_two_pairs(config: AuthXConfig, signer: Key | None, verifiers: list[Key]) -> None:
    """An instance that cannot verify what it signs would log out everybody whom it logs in."""
    if signer is None or config.is_algo_symmetric:
        return
    if all(key.kid != signer.kid for key in verifiers):
        raise BadConfigurationError("JWT_PUBLIC_KEY is not the public half of JWT_PRIVATE_KEY")


def _accepted_algorithms(config: AuthXConfig) -> list[str]:
    """List the algorithms whose tokens are accepted; the default of the further ones says nothing."""
    further = config.JWT_DECODE_ALGORITHMS if "JWT_DECODE_ALGORITHMS" in config.model_fields_set else ()
    return list(dict.fromkeys([config.JWT_ALGORITHM, *further]))


def _verifiers(config: AuthXConfig, signer: Key | None) -> Iterator[Key]:
    own = config.JWT_ALGORITHM
    for algorithm in _accepted_algorithms(config):
        if algorithm in SECRET_ALGORITHMS:
            for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"):
                secret: str | None = getattr(config, field)
                if secret:
                    yield _secret(secret, field, algorithm)
            continue
        if config.JWT_PUBLIC_KEY is not None:
            yield from _pem_if_fitting(config.JWT_PUBLIC_KEY, "JWT_PUBLIC_KEY", algorithm, required=algorithm == own)
        elif signer is not None and algorithm == own:
            # The private key has its public half in it.
            yield signer
        elif config.JWT_PRIVATE_KEY is not None and algorithm != own:
            yield from _pem_if_fitting(config.JWT_PRIVATE_KEY, "JWT_PRIVATE_KEY", algorithm, required=False)
        yield from _previous(config, algorithm)


def _previous(config: AuthXConfig, algorithm: str) -> Iterator[Key]:
    pem = config.JWT_PREVIOUS_PUBLIC_KEY
    if pem is not None:
        yield from _pem_if_fitting(pem, "JWT_PREVIOUS_PUBLIC_KEY", algorithm, required=False)


def _pem_if_fitting(pem: str, field: str, algorithm: str, *, required: bool) -> Iterator[Key]:
    """Read a key for an algorithm that may not be its own: an RSA key is none for ES256."""
    try:
        key = _pem(pem, field, algorithm)
    except UnfittingKeyError:
        if required:
            raise
        return
    if key.can_sign and field != "JWT_PRIVATE_KEY":
        raise BadConfigurationError(f"{field} holds a private key; put that into JWT_PRIVATE_KEY and nowhere else")
    yield key


def _secret(secret: str, field: str, algorithm: str) -> Key:
    try:
        return key_from_secret(secret, algorithm)
    except BadConfigurationError as error:
        raise type(error)(f"{field}: {error}") from None


def _pem(pem: str, field: str, algorithm: str) -> Key:
    try:
        return key_from_pem(pem, algorithm)
    except BadConfigurationError as error:
        raise type(error)(f"{field}: {error}") from None


def missing_key_message(config: AuthXConfig) -> str:
    """Say which key is missing, and how to get one.

    Args:
        config: The settings, without the key that signs.

    Returns:
        The message of the error.
    """
    algorithm = config.JWT_ALGORITHM
    if config.is_algo_symmetric:
        field, others, how = "JWT_SECRET_KEY", ["JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"], _HOW_TO_MAKE_ONE
    else:
        field, others = "JWT_PRIVATE_KEY", ["JWT_SECRET_KEY"]
        how = "For EdDSA, make one with: openssl genpkey -algorithm ed25519"
    unused = next((name for name in others if getattr(config, name)), None)
    if unused is not None:
        how = f"To use {unused} instead, set JWT_ALGORITHM to the algorithm of that key"
    return (
        f"{field} is not set, so no token can be signed: JWT_ALGORITHM={algorithm} needs it. "
        f"Pass AuthXConfig({field}=...) or set the environment variable {field}. {how}"
    )


def short_secret_warning(config: AuthXConfig) -> str | None:
    """Say what is wrong with a secret that can be guessed.

    Args:
        config: The settings.

    Returns:
        A text for the log, without the secret; `None` if there is nothing to say.
    """
    secret = config.JWT_SECRET_KEY
    if not secret or not config.is_algo_symmetric:
        return None
    size = len(secret.encode("utf-8", "surrogatepass"))
    if size >= _MIN_SECRET_BYTES:
        return None
    return (
        f"JWT_SECRET_KEY has {size} bytes; {config.JWT_ALGORITHM} needs at least {_MIN_SECRET_BYTES} random ones "
        "(RFC 7518 section 3.2), or tokens can be forged by guessing it. "
        f"{_HOW_TO_MAKE_ONE}"
    )
