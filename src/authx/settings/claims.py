"""Which claims new tokens carry, and which are expected."""

from collections.abc import Iterable, Iterator

from pydantic import Field

from authx.settings.feature import FeatureSettings, Names
from authx.settings.finding import Finding
from authx.types import CLAIMS

__all__ = ["ClaimSettings", "contradictions", "findings", "names_in"]


class ClaimSettings(FeatureSettings):
    """Claims."""

    JWT_DECODE_AUDIENCE: Names = Field(default=None, description="Expected aud: one name or several.")
    JWT_DECODE_ISSUER: str | None = Field(default=None, description="Expected iss.")
    JWT_ENCODE_AUDIENCE: Names = Field(default=None, description="aud of new tokens.")
    JWT_ENCODE_ISSUER: str | None = Field(default=None, description="iss of new tokens.")
    JWT_ENCODE_NBF: bool = Field(default=True, description="Whether new tokens carry nbf, equal to iat.")
    JWT_IDENTITY_CLAIM: str = Field(
        default="sub", description="Claim that holds the subject; another than sub is written beside it."
    )


def contradictions(settings: ClaimSettings) -> Iterator[str]:
    """Yield what cannot work."""
    claim = settings.JWT_IDENTITY_CLAIM
    if claim in CLAIMS - {"sub"} or not claim:
        yield f"JWT_IDENTITY_CLAIM={claim!r} is no claim of your own; use sub or another name"


def findings(settings: ClaimSettings) -> Iterator[Finding]:
    """Yield what `authx check` says of an audience or issuer that the application's own tokens do not have."""
    made, expected = names_in(settings.JWT_ENCODE_AUDIENCE), names_in(settings.JWT_DECODE_AUDIENCE)
    if made and not made & expected:
        yield Finding(
            "warning",
            "audience-refused",
            "None of the names in JWT_ENCODE_AUDIENCE is in JWT_DECODE_AUDIENCE.",
            "This application refuses the tokens that it issues, including refresh tokens.",
            f"add one of them to JWT_DECODE_AUDIENCE: {', '.join(sorted(made))}",
        )
    elif expected and not made:
        yield Finding(
            "info",
            "audience-missing",
            "JWT_DECODE_AUDIENCE is set, and JWT_ENCODE_AUDIENCE is not.",
            "This application issues tokens without an audience, and refuses them.",
            f"JWT_ENCODE_AUDIENCE={min(expected)}, if it issues tokens for itself",
        )
    issuer, expected_issuer = settings.JWT_ENCODE_ISSUER, settings.JWT_DECODE_ISSUER
    if expected_issuer and issuer and expected_issuer != issuer:
        yield Finding(
            "warning",
            "issuer-refused",
            "JWT_ENCODE_ISSUER and JWT_DECODE_ISSUER differ.",
            "This application refuses the tokens that it issues, including refresh tokens.",
            f"JWT_DECODE_ISSUER={issuer}",
        )
    elif expected_issuer and not issuer:
        yield Finding(
            "info",
            "issuer-missing",
            "JWT_DECODE_ISSUER is set, and JWT_ENCODE_ISSUER is not.",
            "This application issues tokens without an issuer, and refuses them.",
            f"JWT_ENCODE_ISSUER={expected_issuer}, if it issues tokens for itself",
        )


def names_in(names: str | Iterable[str] | None) -> set[str]:
    """Return the names of a setting that takes one or several."""
    return {names} if isinstance(names, str) and names else set(names or ())
