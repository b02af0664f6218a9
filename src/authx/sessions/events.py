"""Security events: what happened to whose session, for a log, an alarm or a message to the user."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from inspect import isawaitable
from typing import Any, Final, Literal

__all__ = ["EVENTS", "Events", "SecurityEvent", "require_event"]

_logger = logging.getLogger("authx.security")

# Name -> the level it is logged at.
EVENTS: Final[dict[str, int]] = {
    "csrf_failed": logging.INFO,
    "login": logging.INFO,
    "login_failed": logging.INFO,
    "logout": logging.INFO,
    "refresh": logging.DEBUG,
    "refresh_reused": logging.WARNING,
    "replay": logging.INFO,
    "row_invalid": logging.ERROR,
    "session_mismatch": logging.WARNING,
    "session_revoked": logging.INFO,
    "store_rollback": logging.WARNING,
    "subject_revoked": logging.INFO,
    "token_revoked": logging.INFO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """Something that happened. It never holds a token.

    Attributes:
        event: What: a name of `EVENTS`.
        at: When, in UTC.
        uid: To whom; `None` for everyone, or where it is not known.
        session_id: To which session, where it concerns one.
        ip_address: The address the request came from, if known.
        user_agent: The browser or program it came from, if known.
        distance: How many generations the presented refresh token was behind (or, negative, ahead of) the session.
        cause: Why a `replay` was answered: `retry`, the client repeated an attempt with its retry key; `grace`, it came
            within the grace period; `outage`, it did so because an outage of the store does not count.
    """

    event: str
    at: datetime
    uid: str | None = None
    session_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    distance: int | None = None
    cause: Literal["retry", "grace", "outage"] | None = None


Listener = Callable[[SecurityEvent], Any]


class Events:
    """Tells listeners, in the order they registered, and the logger `authx.security`."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def add(self, event: str, listener: Listener) -> None:
        """Register a listener."""
        require_event(event)
        if not callable(listener):
            raise TypeError(f"a listener must be a function, not {type(listener).__name__}")
        self._listeners.setdefault(event, []).append(listener)

    def wants(self, event: str, level: int | None = None) -> bool:
        """Return whether anybody would hear of an event: a listener, or the log."""
        return event in self._listeners or _logger.isEnabledFor(EVENTS[event] if level is None else level)

    async def emit(self, happened: SecurityEvent, level: int | None = None) -> None:
        """Log an event, then tell its listeners one after the other. A listener that raises breaks nothing."""
        level = EVENTS[happened.event] if level is None else level
        if _logger.isEnabledFor(level):
            # Clients choose all of these, an address too behind some proxies: %r writes no line break of theirs.
            _logger.log(
                level,
                "%s uid=%r session=%r ip=%r agent=%r distance=%s cause=%s",
                happened.event,
                happened.uid,
                happened.session_id,
                happened.ip_address,
                happened.user_agent,
                happened.distance,
                happened.cause,
            )
        for listener in self._listeners.get(happened.event, ()):
            try:
                answer = listener(happened)
                if isawaitable(answer):
                    await answer
            except Exception:
                _logger.exception("a listener of %s failed", happened.event)


def require_event(event: object) -> None:
    """Refuse what is not the name of an event."""
    if not isinstance(event, str):
        raise TypeError(f'on() takes the name of an event, not {type(event).__name__}: write @auth.on("login")')
    if event not in EVENTS:
        raise ValueError(f"{event!r} is not an event; the events are {', '.join(sorted(EVENTS))}")
