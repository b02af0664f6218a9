"""From settings to keys: what signs, and what is still accepted."""

from collections.abc import Iterator
from typing import Final

from authx.config import AuthXConfig
from authx.core.keys import Key, KeyRing, UnfittingKeyError, key_from_pem, key_from_secret
from authx.exceptions import BadConfigurationError

__all__ = ["build_ring", "short_secret_warning"]

_SYMMETRIC: Final = ("HS256", "HS384", "HS512")
_MIN_SECRET_BYTES: Final = 32


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
    verifiers = list(_verifiers(config, signer))
    _refuse_idle_previous_key(config)
    return KeyRing(signer, verifiers)


def _refuse_idle_previous_key(config: AuthXConfig) -> None:
    """A former key that no accepted algorithm can use would log out everybody without a word."""
    if not config.is_algo_asymmetric or config.JWT_PREVIOUS_PUBLIC_KEY is None:
        return
    for algorithm in _accepted_algorithms(config):
        if algorithm not in _SYMMETRIC and list(_previous(config, algorithm)):
            return
    raise BadConfigurationError(
        f"JWT_PREVIOUS_PUBLIC_KEY fits none of the accepted algorithms ({', '.join(_accepted_algorithms(config))}); "
        "add its own to JWT_DECODE_ALGORITHMS"
    )


def _accepted_algorithms(config: AuthXConfig) -> list[str]:
    """List the algorithms whose tokens are accepted; the default of the further ones says nothing."""
    further = config.JWT_DECODE_ALGORITHMS if "JWT_DECODE_ALGORITHMS" in config.model_fields_set else ()
    return list(dict.fromkeys([config.JWT_ALGORITHM, *further]))


def _verifiers(config: AuthXConfig, signer: Key | None) -> Iterator[Key]:
    own = config.JWT_ALGORITHM
    for algorithm in _accepted_algorithms(config):
        if algorithm in _SYMMETRIC:
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
        yield _pem(pem, field, algorithm)
    except UnfittingKeyError:
        if required:
            raise


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
        "(RFC 7518 section 3.2), or tokens can be forged by guessing it. Make one with: openssl rand -base64 48"
    )
