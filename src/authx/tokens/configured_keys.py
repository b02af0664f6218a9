"""From settings to keys: what signs, and what is still accepted."""

from collections.abc import Callable, Iterator

from authx.exceptions import BadConfigurationError
from authx.jose.key import Key, KeyRing, UnfittingKeyError, key_from_pem, key_from_secret
from authx.settings import keys
from authx.settings.finding import Finding
from authx.settings.keys import KeySettings
from authx.types import SYMMETRIC_ALGORITHMS

__all__ = ["build_ring", "key_findings"]


def build_ring(settings: KeySettings) -> KeyRing:
    """Parse every configured key, once; the ring has no signer where no signing key is configured."""
    keys.require_algorithm(settings)
    signer = None
    if settings.is_algo_symmetric:
        if settings.JWT_SECRET_KEY:
            signer = _parse(key_from_secret, settings.JWT_SECRET_KEY, "JWT_SECRET_KEY", settings.JWT_ALGORITHM)
    elif settings.JWT_PRIVATE_KEY is not None:
        signer = _parse(key_from_pem, settings.JWT_PRIVATE_KEY, "JWT_PRIVATE_KEY", settings.JWT_ALGORITHM)
        if not signer.can_sign:
            raise BadConfigurationError(
                "JWT_PRIVATE_KEY is a public key or a certificate: it cannot sign. "
                "Put it into JWT_PUBLIC_KEY, or pass the private key"
            )
    verifiers = list(_verifiers(settings, signer))
    _refuse_unused_previous_keys(settings)
    # An instance that cannot verify what it signs would sign out everybody who signs in.
    if signer is not None and settings.is_algo_asymmetric and all(key.kid != signer.kid for key in verifiers):
        raise BadConfigurationError("JWT_PUBLIC_KEY is not the public half of JWT_PRIVATE_KEY")
    return KeyRing(signer, verifiers)


def _refuse_unused_previous_keys(settings: KeySettings) -> None:
    """Refuse a former key that no accepted algorithm can use: without it, everybody would be signed out."""
    accepted = keys.accepted_algorithms(settings)
    unused = None
    if settings.JWT_PREVIOUS_SECRET_KEY and not SYMMETRIC_ALGORITHMS & set(accepted):
        unused = "JWT_PREVIOUS_SECRET_KEY"
    elif settings.JWT_PREVIOUS_PUBLIC_KEY is not None and not any(
        list(_previous(settings, algorithm)) for algorithm in accepted if algorithm not in SYMMETRIC_ALGORITHMS
    ):
        unused = "JWT_PREVIOUS_PUBLIC_KEY"
    if unused:
        raise BadConfigurationError(
            f"{unused} fits none of the accepted algorithms ({', '.join(accepted)}); "
            "add its own to JWT_DECODE_ALGORITHMS"
        )


def _verifiers(settings: KeySettings, signer: Key | None) -> Iterator[Key]:
    own = settings.JWT_ALGORITHM
    for algorithm in keys.accepted_algorithms(settings):
        if algorithm in SYMMETRIC_ALGORITHMS:
            for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"):
                secret: str | None = getattr(settings, field)
                if secret:
                    yield _parse(key_from_secret, secret, field, algorithm)
            continue
        if settings.JWT_PUBLIC_KEY is not None:
            yield from _if_fitting(settings.JWT_PUBLIC_KEY, "JWT_PUBLIC_KEY", algorithm, required=algorithm == own)
        elif signer is not None and algorithm == own:
            # The private key has its public half in it.
            yield signer
        elif settings.JWT_PRIVATE_KEY is not None and algorithm != own:
            yield from _if_fitting(settings.JWT_PRIVATE_KEY, "JWT_PRIVATE_KEY", algorithm, required=False)
        yield from _previous(settings, algorithm)


def _previous(settings: KeySettings, algorithm: str) -> Iterator[Key]:
    pem = settings.JWT_PREVIOUS_PUBLIC_KEY
    if pem is not None:
        yield from _if_fitting(pem, "JWT_PREVIOUS_PUBLIC_KEY", algorithm, required=False)


def _if_fitting(pem: str, field: str, algorithm: str, *, required: bool) -> Iterator[Key]:
    """Parse a key for an algorithm that may not be its own: an RSA key is none for ES256."""
    try:
        key = _parse(key_from_pem, pem, field, algorithm)
    except UnfittingKeyError:
        if required:
            raise
        return
    if key.can_sign and field != "JWT_PRIVATE_KEY":
        raise BadConfigurationError(keys.misplaced_key_message(field))
    yield key


def _parse(parse: Callable[[str, str], Key], text: str, field: str, algorithm: str) -> Key:
    try:
        return parse(text, algorithm)
    except BadConfigurationError as error:
        raise type(error)(f"{field}: {error}") from None


def key_findings(settings: KeySettings) -> Iterator[Finding]:
    """Yield what `authx check` says of the keys."""
    ring = refusal = None
    try:
        ring = build_ring(settings)
    except BadConfigurationError as error:
        refusal = str(error)
    return keys.findings(
        settings,
        refusal=refusal,
        can_verify=ring is not None and bool(ring.verifiers),
        can_sign=ring is not None and ring.signer is not None,
    )
