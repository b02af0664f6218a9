"""The keys that sign and verify, and their algorithms."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, get_args

from pydantic import Field

from authx.exceptions import BadConfigurationError
from authx.settings.feature import MASKED, FeatureSettings, Secret
from authx.settings.finding import Finding
from authx.settings.secrets import MIN_SECRET_BYTES, secret_findings
from authx.types import SYMMETRIC_ALGORITHMS, AlgorithmType, AsymmetricAlgorithmType

__all__ = [
    "KeySettings",
    "accepted_algorithms",
    "contradictions",
    "findings",
    "misplaced_key_message",
    "missing_key_message",
    "require_algorithm",
    "short_secret_warning",
]

_ASYMMETRIC: Final = frozenset(get_args(AsymmetricAlgorithmType))
_HOW_TO_MAKE_ONE: Final = "Make one with: authx secret, or: openssl rand -base64 48"


class KeySettings(FeatureSettings):
    """Keys."""

    JWT_ALGORITHM: AlgorithmType = Field(
        default="HS256", description="Algorithm that signs; tokens of it are always accepted."
    )
    JWT_SECRET_KEY: Secret = Field(default=None, description="Secret of HS256, HS384 and HS512.")
    JWT_PRIVATE_KEY: Annotated[str | None, MASKED] = Field(
        default=None, description="PEM private key that signs with an asymmetric algorithm."
    )
    JWT_PUBLIC_KEY: str | None = Field(
        default=None, description="PEM public key or certificate that verifies; derived from the private key if absent."
    )
    JWT_PREVIOUS_SECRET_KEY: Secret = Field(default=None, description="Former secret: its tokens are still accepted.")
    JWT_PREVIOUS_PUBLIC_KEY: str | None = Field(
        default=None, description="Former public key or certificate: its tokens are still accepted."
    )
    JWT_DECODE_ALGORITHMS: Sequence[AlgorithmType] = Field(
        default=["HS256"],
        description="Algorithms accepted besides JWT_ALGORITHM, where set and where a key of theirs is configured.",
    )

    @property
    def is_algo_symmetric(self) -> bool:
        """Whether `JWT_ALGORITHM` signs with a shared secret."""
        return self.JWT_ALGORITHM in SYMMETRIC_ALGORITHMS

    @property
    def is_algo_asymmetric(self) -> bool:
        """Whether `JWT_ALGORITHM` signs with a private key."""
        return self.JWT_ALGORITHM in _ASYMMETRIC

    @property
    def private_key(self) -> str:
        """The key that signs.

        Raises:
            BadConfigurationError: It is not configured, or the algorithm is unknown.
        """
        return self._key("JWT_SECRET_KEY", "JWT_PRIVATE_KEY")

    @property
    def public_key(self) -> str:
        """The key that verifies.

        Raises:
            BadConfigurationError: It is not configured, or the algorithm is unknown.
        """
        return self._key("JWT_SECRET_KEY", "JWT_PUBLIC_KEY")

    @property
    def previous_public_key(self) -> str | None:
        """The former key that still verifies, if any."""
        if self.is_algo_symmetric:
            return self.JWT_PREVIOUS_SECRET_KEY
        return self.JWT_PREVIOUS_PUBLIC_KEY if self.is_algo_asymmetric else None

    def _key(self, symmetric: str, asymmetric: str) -> str:
        require_algorithm(self)
        field = symmetric if self.is_algo_symmetric else asymmetric
        value: str | None = getattr(self, field)
        if not value:
            raise BadConfigurationError(
                f"{field} is not set; JWT_ALGORITHM={self.JWT_ALGORITHM} needs it "
                f"(AuthXConfig({field}=...) or the environment variable {field})"
            )
        return value


def require_algorithm(settings: KeySettings) -> None:
    """Refuse an algorithm that does not exist, as one that was assigned may."""
    if not settings.is_algo_symmetric and not settings.is_algo_asymmetric:
        raise BadConfigurationError(f"JWT_ALGORITHM={settings.JWT_ALGORITHM!r} is not supported")


def accepted_algorithms(settings: KeySettings) -> list[str]:
    """List the algorithms whose tokens are accepted. The default of the further ones counts for nothing."""
    further = settings.JWT_DECODE_ALGORITHMS if "JWT_DECODE_ALGORITHMS" in settings.model_fields_set else ()
    return list(dict.fromkeys([settings.JWT_ALGORITHM, *further]))


def contradictions(settings: KeySettings) -> Iterator[str]:
    """Yield what cannot work and shows in the text of a key; `build_ring` parses the keys and refuses the rest."""
    for field in ("JWT_PUBLIC_KEY", "JWT_PREVIOUS_PUBLIC_KEY"):
        key = getattr(settings, field)
        if isinstance(key, str) and "PRIVATE KEY-----" in key:
            yield misplaced_key_message(field)
    for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"):
        secret = getattr(settings, field)
        if settings.is_algo_symmetric and isinstance(secret, str) and "-----BEGIN " in secret:
            yield (
                f"{field} is a PEM key while JWT_ALGORITHM={settings.JWT_ALGORITHM}: anyone who has the public key "
                "could forge tokens. Use RS256, ES256 or EdDSA with JWT_PRIVATE_KEY, or a random secret"
            )


def misplaced_key_message(field: str) -> str:
    """Write what is wrong with a private key in the place of a public one."""
    return f"{field} holds a private key; put that into JWT_PRIVATE_KEY and nowhere else"


def missing_key_message(settings: KeySettings) -> str:
    """Write which key is missing for signing, and how to get one."""
    algorithm = settings.JWT_ALGORITHM
    if settings.is_algo_symmetric:
        field, others, how = "JWT_SECRET_KEY", ["JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"], _HOW_TO_MAKE_ONE
    else:
        field, others = "JWT_PRIVATE_KEY", ["JWT_SECRET_KEY"]
        how = "For EdDSA, make one with: openssl genpkey -algorithm ed25519"
    unused = next((name for name in others if getattr(settings, name)), None)
    if unused is not None:
        how = f"To use {unused} instead, set JWT_ALGORITHM to the algorithm of that key"
    return (
        f"{field} is not set, so no token can be signed: JWT_ALGORITHM={algorithm} needs it. "
        f"Pass AuthXConfig({field}=...) or set the environment variable {field}. {how}"
    )


def short_secret_warning(settings: KeySettings) -> str | None:
    """Write what the log says of a secret that can be guessed, without the secret; None if it is long enough."""
    secret = settings.JWT_SECRET_KEY
    if not secret or not settings.is_algo_symmetric:
        return None
    size = len(secret.encode("utf-8", "surrogatepass"))
    if size >= MIN_SECRET_BYTES:
        return None
    return (
        f"JWT_SECRET_KEY has {size} bytes; {settings.JWT_ALGORITHM} needs at least {MIN_SECRET_BYTES} random ones "
        f"(RFC 7518 section 3.2), or tokens can be forged by guessing it. {_HOW_TO_MAKE_ONE}"
    )


def findings(settings: KeySettings, *, refusal: str | None, can_verify: bool, can_sign: bool) -> Iterator[Finding]:
    """Yield what `authx check` says of the keys, given what came of parsing them; never a key."""
    hash_sizes = [
        int(algorithm[2:]) // 8 for algorithm in accepted_algorithms(settings) if algorithm in SYMMETRIC_ALGORITHMS
    ]
    for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"):
        if hash_sizes and (secret := getattr(settings, field)):
            yield from secret_findings(field, secret, max(hash_sizes))
    if refusal is not None:
        yield Finding(
            "error",
            "key-unusable",
            refusal,
            "No AuthX can be made of these settings: the application does not start.",
            "as the message says",
        )
        return
    own = "JWT_SECRET_KEY" if settings.is_algo_symmetric else "JWT_PRIVATE_KEY"
    if not can_verify:
        yield Finding(
            "error",
            "key-missing",
            f"{own} is not set, and JWT_ALGORITHM={settings.JWT_ALGORITHM} needs it.",
            "Nothing can be signed or verified: the application does not start.",
            _key_to_set(settings),
        )
    elif not can_sign:
        yield Finding(
            "info",
            "key-verifies-only",
            f"There is no {own}: this application verifies tokens and cannot sign any.",
            "Login and refresh do not work here.",
            f"nothing if that is intended, else {own}=…",
        )
    for field in ("JWT_PREVIOUS_SECRET_KEY", "JWT_PREVIOUS_PUBLIC_KEY"):
        if getattr(settings, field):
            yield Finding(
                "info",
                "key-previous",
                f"{field} is set: tokens of the former key are accepted.",
                "Anyone who has the former key can still sign tokens.",
                f"remove {field} once the last refresh token that it signed has expired",
            )
    if settings.is_algo_asymmetric and settings.JWT_SECRET_KEY and hash_sizes:
        yield Finding(
            "info",
            "secret-accepted",
            "Tokens signed with JWT_SECRET_KEY are accepted beside those of the key pair.",
            "Anyone who has the secret can sign tokens, although a key pair is configured.",
            "remove JWT_SECRET_KEY once the last refresh token that it signed has expired",
        )


def _key_to_set(settings: KeySettings) -> str:
    if settings.is_algo_asymmetric:
        return 'JWT_PRIVATE_KEY="$(cat private.pem)", or JWT_PUBLIC_KEY where tokens are only checked'
    pair = next((field for field in ("JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY") if getattr(settings, field)), None)
    return 'JWT_SECRET_KEY="$(authx secret)"' + (f", or JWT_ALGORITHM=… as {pair} needs it" if pair else "")
