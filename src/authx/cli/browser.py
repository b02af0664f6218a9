"""A browser's name out of what it says of itself."""

from typing import Final

__all__ = ["browser"]

# The first that is found counts: most browsers also call themselves by the names of others.
_PROGRAMS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_LONGEST: Final = 40


def browser(user_agent: str | None) -> str:
    """Name the browser or program behind a `User-Agent` header. It is what the client says, and proves nothing."""
    if not user_agent:
        return "unknown"
    program = next((name for mark, name in _PROGRAMS if mark in user_agent), None)
    if program is None or not user_agent.startswith("Mozilla/"):
        return user_agent if len(user_agent) <= _LONGEST else f"{user_agent[: _LONGEST - 1]}…"
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return program if system is None else f"{program} on {system}"
