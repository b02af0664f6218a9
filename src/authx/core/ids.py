"""Identifiers, from time and randomness that the caller gives: UUID text, session ids, refresh token ids.

A session id is a UUIDv7 (RFC 9562 section 5.7): its first 48 bits are the time of creation in
milliseconds, so ids sort by age; its last 16 bits are a hash of the subject, so that a store can place
a session by either of the two.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final

__all__ = [
    "is_session_id",
    "is_session_id_of",
    "refresh_jti",
    "require_session_id",
    "session_created_at",
    "session_id",
    "subject_hash",
    "uuid4",
]

_MAX_MS: Final = (1 << 48) - 1
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_FORM: Final = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
# Makes each lower-case hex digit `x` and everything else but the dash `!`: a third of the time that a pattern takes.
_TO_FORM: Final = bytes(
    ord("x") if byte in b"0123456789abcdef" else byte if byte == ord("-") else ord("!") for byte in range(256)
)


def uuid4(randomness: bytes) -> str:
    """Write 16 random bytes as a version 4 UUID."""
    h = randomness.hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:]}"


@lru_cache(maxsize=4096)
def subject_hash(sub: str) -> str:
    """Hash a subject to the four hex digits that end its session ids."""
    return sha256(sub.encode()).hexdigest()[:4]


def session_id(sub: str, created_ms: int, randomness: bytes) -> str:
    """Make a session id from its time of creation in milliseconds and at least 8 random bytes."""
    t = f"{created_ms & _MAX_MS:012x}"
    h = randomness.hex()
    return f"{t[:8]}-{t[8:]}-7{h[:3]}-{_VARIANT[h[3]]}{h[4:7]}-{h[7:15]}{subject_hash(sub)}"


def session_created_at(sid: str) -> int:
    """Read the time of creation out of a session id, in milliseconds since 1970."""
    return int(sid[:8] + sid[9:13], 16)


def is_session_id(sid: object) -> bool:
    """Return whether a value is lower-case UUIDv7 text, of whatever subject."""
    return is_session_id_of(sid, None)


def is_session_id_of(sid: object, sub: str | None) -> bool:
    """Return whether a value is a session id of this subject; `None` is any subject."""
    return (
        isinstance(sid, str)
        and sid.isascii()
        and sid.encode().translate(_TO_FORM) == _FORM
        and sid[14] == "7"
        and sid[19] in "89ab"
        and (sub is None or sid[32:] == subject_hash(sub))
    )


def require_session_id(value: object, name: str, sub: str | None = None) -> str:
    """Check a session id that an application passes as the argument `name`; `sub=None` accepts any subject's."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be a session id, which is a str, not {type(value).__name__}; "
            "take it from a payload's sid or a session's session_id"
        )
    text = str.__str__(value)
    if sub is not None and is_session_id_of(text, sub):
        return text
    if not is_session_id(text):
        raise ValueError(
            f"{name} is not a session id: those are UUIDs of version 7 in lower case; "
            "take it from a payload's sid (not its jti) or a session's session_id"
        )
    if sub is not None:
        raise ValueError(f"{name} is not a session id of this uid: it belongs to a session of another user")
    return text


def refresh_jti(sid: str, generation: int) -> str:
    """Derive a refresh token's `jti`, a version 8 UUID (RFC 9562 section 5.8), from session and generation alone."""
    h = sha256(f"{sid}:{generation}".encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-8{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"
