"""Times in words."""

from datetime import UTC, datetime

from authx.settings.feature import duration

__all__ = ["relative", "timestamp"]

_FIRST_YEAR, _LAST_YEAR = 0, 253_402_300_799


def timestamp(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339 has it, in UTC; for what no calendar has, the number."""
    if not _FIRST_YEAR <= seconds <= _LAST_YEAR:
        return f"{seconds:g}"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative(seconds: float, now: float) -> str:
    """Write when something is, seen from now: `in 14 minutes`, `3 days ago` or `now`."""
    away = seconds - now
    if abs(away) < 1:
        return "now"
    words = duration(away, parts=1)
    return f"in {words}" if away > 0 else f"{words} ago"
