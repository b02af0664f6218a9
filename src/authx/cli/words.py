"""Times in words."""

from datetime import UTC, datetime

from authx.core.claims import MAX_DATE
from authx.settings.feature import duration

__all__ = ["relative", "timestamp"]


def timestamp(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339 has it, in UTC; for what no calendar has, the number."""
    if not 0 <= seconds <= MAX_DATE:
        return f"{seconds:g}"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative(seconds: float, now: float) -> str:
    """Write when something is, seen from now: `in 14 minutes`, `3 days ago` or `now`."""
    away = seconds - now
    if abs(away) < 1:
        return "now"
    words = duration(away, parts=1)
    return f"in {words}" if away > 0 else f"{words} ago"
