"""How long tokens live."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pydantic import Field

from authx.settings.feature import FeatureSettings, OptionalDuration, duration
from authx.settings.finding import Finding

__all__ = ["CLOCK_SKEW", "LifetimeSettings", "contradictions", "findings"]

# Seconds by which the clocks of hosts may differ: a token may be issued that much ahead of this host's time.
CLOCK_SKEW: Final = 10.0
# Beyond it an expiry could pass the year 9999, the last that a datetime holds.
_MAX_LIFETIME: Final = timedelta(days=365_000)
_LONG_ACCESS: Final = timedelta(hours=1)
_LONG_LEEWAY: Final = 60


class LifetimeSettings(FeatureSettings):
    """Lifetimes."""

    JWT_ACCESS_TOKEN_EXPIRES: OptionalDuration = Field(
        default=timedelta(minutes=15), description="Lifetime of access tokens; None: no exp."
    )
    JWT_REFRESH_TOKEN_EXPIRES: OptionalDuration = Field(
        default=timedelta(days=20), description="Lifetime of refresh tokens; None: no exp."
    )
    JWT_DECODE_LEEWAY: int | None = Field(
        default=0, description="Seconds by which exp may be past; nbf and iat may be ahead by this or 10 s."
    )


def contradictions(settings: LifetimeSettings) -> Iterator[str]:
    """Yield what cannot work."""
    if settings.JWT_DECODE_LEEWAY is not None and settings.JWT_DECODE_LEEWAY < 0:
        yield "JWT_DECODE_LEEWAY is negative; it is the number of seconds that clocks may differ"
    for field in ("JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES"):
        lifetime = getattr(settings, field)
        if lifetime is not None and not timedelta(0) < lifetime <= _MAX_LIFETIME:
            yield f"{field} must be longer than 0 and at most 1000 years; None makes tokens without exp"


def findings(settings: LifetimeSettings) -> Iterator[Finding]:
    """Yield what `authx check` says of lifetimes that are too long, or in the wrong order."""
    access, refresh = settings.JWT_ACCESS_TOKEN_EXPIRES, settings.JWT_REFRESH_TOKEN_EXPIRES
    if access is None:
        yield Finding(
            "error",
            "access-endless",
            "JWT_ACCESS_TOKEN_EXPIRES is None: access tokens never expire.",
            "A stolen one works forever, unless you notice and revoke it.",
            "JWT_ACCESS_TOKEN_EXPIRES=900",
        )
    elif access > _LONG_ACCESS:
        yield Finding(
            "warning",
            "access-long",
            f"Access tokens live for {duration(access)}.",
            "A stolen one works as long; short lifetimes cost users nothing, since clients refresh the tokens.",
            "JWT_ACCESS_TOKEN_EXPIRES=900",
        )
    if refresh is None:
        yield Finding(
            "warning",
            "refresh-endless",
            "JWT_REFRESH_TOKEN_EXPIRES is None: refresh tokens never expire.",
            "A stolen one can be used forever, and the store keeps the row of every session forever.",
            f"JWT_REFRESH_TOKEN_EXPIRES={20 * 86_400}",
        )
    elif access is None or access > refresh:
        yield Finding(
            "warning",
            "access-outlives-refresh",
            f"Access tokens live for {duration(access)}, and refresh tokens for {duration(refresh)}.",
            "The token that is sent with every request should be the one with the short life.",
            "JWT_ACCESS_TOKEN_EXPIRES=900",
        )
    leeway = settings.JWT_DECODE_LEEWAY or 0
    if leeway > _LONG_LEEWAY:
        yield Finding(
            "warning",
            "leeway-long",
            f"JWT_DECODE_LEEWAY is {duration(leeway)}: every token is valid for that much longer.",
            "The leeway is for clocks that differ by a few seconds.",
            "JWT_DECODE_LEEWAY=10",
        )
