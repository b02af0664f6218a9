"""Lives of tokens and sessions that are too long, too short, or contradict each other."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from authx.cli.findings.finding import Finding, Surroundings, setting
from authx.cli.words import duration
from authx.config import AuthXConfig

__all__ = ["lifetime_findings"]

_LONG_ACCESS: Final = timedelta(hours=1)
_LONG_GRACE: Final = timedelta(minutes=1)
_LONG_LEEWAY: Final = 60


def lifetime_findings(config: AuthXConfig, surroundings: Surroundings) -> Iterator[Finding]:
    """Look at lifetimes.

    Args:
        config: The settings.
        surroundings: Whether there is a store.

    Yields:
        What is wrong with them.
    """
    yield from _access(config)
    yield from _refresh(config)
    leeway = config.JWT_DECODE_LEEWAY or 0
    if leeway > _LONG_LEEWAY:
        yield Finding(
            "warning",
            "leeway-long",
            f"JWT_DECODE_LEEWAY is {duration(leeway)}: every token lives that much longer.",
            "It is there for clocks that differ by some seconds.",
            setting("JWT_DECODE_LEEWAY", 10),
        )
    if surroundings.store != "none":
        yield from _sessions(config)


def _access(config: AuthXConfig) -> Iterator[Finding]:
    life = config.JWT_ACCESS_TOKEN_EXPIRES
    change = setting("JWT_ACCESS_TOKEN_EXPIRES", 900)
    if life is None:
        yield Finding(
            "error",
            "access-endless",
            "JWT_ACCESS_TOKEN_EXPIRES is None: access tokens never expire.",
            "A stolen one opens everything for good, unless somebody notices and revokes it.",
            change,
        )
    elif life > _LONG_ACCESS:
        yield Finding(
            "warning",
            "access-long",
            f"Access tokens live for {_words(life)}.",
            "A stolen one works as long as that; short lives cost honest users nothing, since they are refreshed.",
            change,
        )


def _refresh(config: AuthXConfig) -> Iterator[Finding]:
    access, refresh = config.JWT_ACCESS_TOKEN_EXPIRES, config.JWT_REFRESH_TOKEN_EXPIRES
    change = setting("JWT_REFRESH_TOKEN_EXPIRES", 20 * 86_400)
    if refresh is None:
        yield Finding(
            "warning",
            "refresh-endless",
            "JWT_REFRESH_TOKEN_EXPIRES is None: refresh tokens never expire.",
            "A stolen one can be exchanged for good, and a store keeps the row of each session for good.",
            change,
        )
    elif access is None or access > refresh:
        yield Finding(
            "warning",
            "access-outlives-refresh",
            f"Access tokens live for {_words(access)}, and refresh tokens for {_words(refresh)}.",
            "The token that is sent with every request should be the one with the short life.",
            setting("JWT_ACCESS_TOKEN_EXPIRES", 900),
        )


def _sessions(config: AuthXConfig) -> Iterator[Finding]:
    refresh, age = config.JWT_REFRESH_TOKEN_EXPIRES, config.JWT_SESSION_MAX_AGE
    if age is None:
        yield Finding(
            "info",
            "session-endless",
            "JWT_SESSION_MAX_AGE is None: a session lasts as long as somebody refreshes it.",
            "Users are never asked for their password again, and neither is a thief.",
            setting("JWT_SESSION_MAX_AGE", 90 * 86_400),
        )
    elif refresh is not None and refresh > age:
        yield Finding(
            "warning",
            "refresh-outlives-session",
            f"Refresh tokens live for {_words(refresh)}, and a session lasts for {_words(age)} at most.",
            "The longer of the two has no effect: every token is cut to its session's end.",
            setting("JWT_REFRESH_TOKEN_EXPIRES", int(age.total_seconds())),
        )
    grace = config.JWT_REFRESH_GRACE_PERIOD
    if not grace:
        yield Finding(
            "warning",
            "grace-off",
            "JWT_REFRESH_GRACE_PERIOD is 0: a refresh token counts once, except for attempts with the same retry key.",
            "Without a key, two tabs that refresh at the same time, or one lost response, log an honest user out.",
            setting("JWT_REFRESH_GRACE_PERIOD", 30),
        )
    elif grace > _LONG_GRACE:
        yield Finding(
            "warning",
            "grace-long",
            f"JWT_REFRESH_GRACE_PERIOD is {_words(grace)}.",
            "Within it a stolen refresh token can be used beside the honest one, and nobody is alarmed.",
            setting("JWT_REFRESH_GRACE_PERIOD", 30),
        )


def _words(life: timedelta | None) -> str:
    return "ever" if life is None else duration(life.total_seconds())
