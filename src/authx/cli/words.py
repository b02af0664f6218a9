"""Times and durations in words."""

from datetime import UTC, datetime
from typing import Final

__all__ = ["duration", "moment", "relative"]

_UNITS: Final = (("year", 365 * 86_400), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_FIRST_YEAR, _LAST_YEAR = 0, 253_402_300_799


def duration(seconds: float, parts: int = 2) -> str:
    """Write how long something takes.

    Args:
        seconds: How long, in seconds; its sign does not matter.
        parts: How many units to name at most.

    Returns:
        Words such as `1 hour 30 minutes`, rounded down.
    """
    rest = abs(seconds)
    if rest < 1:
        return "no time" if rest == 0 else "less than a second"
    rest = int(rest)
    named = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            named.append(f"{count} {unit}{'' if count == 1 else 's'}")
        elif named:
            # Hours of something that takes years say nothing.
            break
        if len(named) == parts:
            break
    return " ".join(named)


def moment(seconds: float) -> str:
    """Write a moment as RFC 3339 has it, in UTC.

    Args:
        seconds: Seconds since 1970.

    Returns:
        A text such as `2026-11-27T17:30:00Z`; for what no calendar has, the number.
    """
    if not _FIRST_YEAR <= seconds <= _LAST_YEAR:
        return f"{seconds:g}"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative(seconds: float, now: float) -> str:
    """Write when something is, seen from now.

    Args:
        seconds: The moment, in seconds since 1970.
        now: The present moment, likewise.

    Returns:
        Words such as `in 14 minutes`, `3 days ago` or `now`.
    """
    away = seconds - now
    if abs(away) < 1:
        return "now"
    words = duration(away, parts=1)
    return f"in {words}" if away > 0 else f"{words} ago"
