"""What the store writes into Redis, and how it reads what the scripts answer."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError
from authx.stores.protocol import InvalidRowError
from authx.stores.redis.connections import Argument, Reply
from authx.stores.rows import COLUMNS, revocation_from, rotated_from, session_from, session_values, subject_cutoff

__all__ = [
    "cutoff_in",
    "fields_of",
    "items",
    "number",
    "optional",
    "position",
    "revocation_in",
    "rotated_in",
    "sane",
    "session_in",
    "text",
]

_Found = TypeVar("_Found")

_CURSOR: Final = re.compile(r"(\w*):(\d{1,20}-\d{1,20})")
_CUTOFF: Final = re.compile(r"\d{1,20} (\d{1,16}) (\S*)")


def number(value: int | None) -> str:
    """Write a number that may be missing."""
    return "" if value is None else str(value)


def sane(words: str) -> bytes:
    """Write a text that only describes a session: it must not make storing that fail."""
    return words.encode("utf-8", "replace")


def optional(words: str | None) -> bytes:
    """Write such a text that may be missing, or empty."""
    return b"" if words is None else b"=" + sane(words)


def fields_of(session: Session) -> list[Argument]:
    """Write a session: the fields of its row, and their values."""
    fields: list[Argument] = []
    for name, value in zip(COLUMNS[1:], session_values(session)[1:], strict=True):
        if value is not None:
            fields += (name, value if isinstance(value, int) or name == "sub" else sane(value))
    return fields


def text(reply: Reply) -> str:
    """Read a text; an empty one for none."""
    if reply is None:
        return ""
    if not isinstance(reply, bytes):
        raise BadConfigurationError("The Redis server answers in a form that is not understood")
    return reply.decode()


def items(reply: Reply) -> list[Reply]:
    """Read a list."""
    if not isinstance(reply, list):
        raise BadConfigurationError("The Redis server answers in a form that is not understood")
    return reply


def session_in(sid: str, reply: Reply) -> Session | None:
    """Read a row; `None` for none, and `InvalidRowError` for one that is not ours."""
    return _read(sid, lambda: _session(sid, _pairs(reply)))


def rotated_in(rotation: Rotation, reply: Reply) -> Session:
    """Read what a rotation found in a row, or raise `InvalidRowError`."""

    def read() -> tuple[int, int | None, None, str | None]:
        created, expires, device = items(reply)
        return _count(text(created)), _optional_count(expires), None, None if device is None else text(device)

    return rotated_from(_read(rotation.sid, read), rotation)


def cutoff_in(sid: str, own: Reply, everyone: Reply) -> Cutoff | None:
    """Read a subject's cutoff and that of everyone as one, or raise `InvalidRowError`."""

    def read() -> tuple[int | None, str | None, int | None]:
        match = None if own is None else _CUTOFF.fullmatch(text(own))
        if own is not None and match is None:
            raise ValueError("no cutoff")
        at, spared = (int(match[1]), match[2] or None) if match else (None, None)
        return at, spared, _count(text(everyone)) or None

    return subject_cutoff(sid, *_read(sid, read))


def revocation_in(reply: Reply) -> Revocation | None:
    """Read an entry of the feed; `None` for one that is not ours."""
    try:
        fields = _pairs(reply)
        numbers = _count(fields["at"]), _time(fields, "until")
        texts = fields.get("reason", "revoked"), fields.get("sub"), fields.get("spared")
        return revocation_from((0, fields["kind"], fields["key"], *numbers, *texts))
    except (ValueError, KeyError):
        return None


def position(cursor: str) -> tuple[str, str]:
    """Read a cursor: the server's run, and the id of an entry; both empty for a cursor that is none."""
    match = _CURSOR.fullmatch(cursor)
    return (match[1], match[2]) if match else ("", "")


def _read(sid: str, read: Callable[[], _Found]) -> _Found:
    try:
        return read()
    except (ValueError, KeyError):
        pass
    # Not in the handler: what was wrong with a row may quote it.
    raise InvalidRowError(sid)


def _session(sid: str, fields: dict[str, str]) -> Session | None:
    if not fields:
        return None
    return session_from(
        (
            sid,
            fields["sub"],
            *(_count(fields[name]) for name in ("generation", "created_at", "rotated_at")),
            *(_time(fields, name) for name in ("expires_at", "revoked_at")),
            *(fields.get(name) for name in ("revoked_reason", "ip", "user_agent", "device", "retry_hash")),
        )
    )


def _pairs(reply: Reply) -> dict[str, str]:
    parts = [text(part) for part in items(reply)]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _count(digits: str) -> int:
    if not digits.isascii() or not digits.isdigit() or len(digits) > 16:
        raise ValueError("no count")
    return int(digits)


def _optional_count(reply: Reply) -> int | None:
    return None if reply is None else _count(text(reply))


def _time(fields: dict[str, str], name: str) -> int | None:
    return _count(fields[name]) if name in fields else None
