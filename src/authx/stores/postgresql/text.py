"""Text in PostgreSQL, which holds every character but one; a subject, and the id of a token, may be any text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from authx.core.session import Revocation, Session
from authx.stores.rows import revocation_from, session_from

__all__ = ["key", "note", "read_revocation", "read_session"]

_ESCAPE: Final = "\x1a"


def key(text: str) -> str:
    """Write a text that has to be read back as it was.

    Args:
        text: Any text.

    Returns:
        A text without NUL, another one for each.
    """
    if "\x00" in text or _ESCAPE in text:
        return text.replace(_ESCAPE, _ESCAPE + "1").replace("\x00", _ESCAPE + "0")
    return text


def note(text: str | None) -> str | None:
    """Write a text that is only there to be looked at.

    Args:
        text: Any text.

    Returns:
        It, with a replacement for NUL.
    """
    return None if text is None else text.replace("\x00", "\ufffd")


def read_session(row: Sequence[Any]) -> Session | None:
    """Make a session of a row.

    Args:
        row: As `session_from` takes it.

    Returns:
        The session; `None` if the row holds what no session can.
    """
    session = session_from(row)
    if session is not None and _ESCAPE in session.sub:
        return replace(session, sub=_read(session.sub))
    return session


def read_revocation(row: Sequence[Any]) -> Revocation | None:
    """Make a revocation of a row.

    Args:
        row: As `revocation_from` takes it.

    Returns:
        The revocation; `None` if the row holds what no revocation can.
    """
    _, revocation = revocation_from(row)
    if revocation is not None and _ESCAPE in revocation.key + (revocation.sub or ""):
        sub = None if revocation.sub is None else _read(revocation.sub)
        return replace(revocation, key=_read(revocation.key), sub=sub)
    return revocation


def _read(text: str) -> str:
    return text.replace(_ESCAPE + "0", "\x00").replace(_ESCAPE + "1", _ESCAPE)
