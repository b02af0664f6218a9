"""Text in PostgreSQL, which holds every character but NUL; a subject, and the id of a token, may be any text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from authx.core.session import Revocation, Session
from authx.stores.rows import revocation_from, session_from

__all__ = ["key", "note", "read_revocation", "read_session"]

_ESCAPE: Final = "\x1a"


def key(text: str) -> str:
    """Write a text so that it can be read back as it was."""
    if "\x00" in text or _ESCAPE in text:
        return text.replace(_ESCAPE, _ESCAPE + "1").replace("\x00", _ESCAPE + "0")
    return text


def note(text: str | None) -> str | None:
    """Write a text that is only shown, with a replacement for NUL."""
    return None if text is None else text.replace("\x00", "\ufffd")


def read_session(row: Sequence[Any]) -> Session:
    """Make a session of a row, as `session_from` does."""
    session = session_from(row)
    return replace(session, sub=_read(session.sub)) if _ESCAPE in session.sub else session


def read_revocation(row: Sequence[Any]) -> Revocation | None:
    """Make a revocation of a row, as `revocation_from` does."""
    revocation = revocation_from(row)
    if revocation is not None and _ESCAPE in revocation.key + (revocation.sub or ""):
        sub = None if revocation.sub is None else _read(revocation.sub)
        return replace(revocation, key=_read(revocation.key), sub=sub)
    return revocation


def _read(text: str) -> str:
    return text.replace(_ESCAPE + "0", "\x00").replace(_ESCAPE + "1", _ESCAPE)
