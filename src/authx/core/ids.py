"""Identifiers, from time and randomness that the caller gives: UUID text, session ids, refresh token ids.

A session id is a UUIDv7 (RFC 9562 section 5.7): its first 48 bits are the moment of creation in
milliseconds, so ids sort by age; its last 16 bits are a hash of the subject, so that a store can place
a session by either of the two.
"""

import re
from functools import lru_cache
from hashlib import sha256

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

_MAX_MS = (1 << 48) - 1
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid4(randomness: bytes) -> str:
    """Write 16 random bytes as a version 4 UUID.

    Args:
        randomness: 16 bytes from a cryptographic source.

    Returns:
        The UUID as lower-case text.
    """
    h = randomness.hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:]}"


@lru_cache(maxsize=4096)
def subject_hash(sub: str) -> str:
    """Hash a subject to the four hex digits that end its session ids.

    Args:
        sub: The subject.

    Returns:
        The first 16 bits of SHA-256 of its UTF-8 text, as hex.
    """
    return sha256(sub.encode()).hexdigest()[:4]


def session_id(sub: str, created_ms: int, randomness: bytes) -> str:
    """Make a session id.

    Args:
        sub: The subject whose session it is.
        created_ms: Moment of creation, milliseconds since 1970.
        randomness: At least 8 bytes from a cryptographic source.

    Returns:
        A UUIDv7 as lower-case text.
    """
    t = f"{created_ms & _MAX_MS:012x}"
    h = randomness.hex()
    return f"{t[:8]}-{t[8:]}-7{h[:3]}-{_VARIANT[h[3]]}{h[4:7]}-{h[7:15]}{subject_hash(sub)}"


def session_created_at(sid: str) -> int:
    """Read the moment of creation out of a session id.

    Args:
        sid: A session id of this library's form.

    Returns:
        Milliseconds since 1970.
    """
    return int(sid[:8] + sid[9:13], 16)


def is_session_id(sid: object) -> bool:
    """Tell whether a value has the form of a session id, whoever's it is.

    Args:
        sid: Any value.

    Returns:
        Whether it is lower-case UUIDv7 text.
    """
    return isinstance(sid, str) and _FORM.fullmatch(sid) is not None


def is_session_id_of(sid: object, sub: str) -> bool:
    """Tell whether a value is a session id of this form and of this subject.

    Args:
        sid: Any value, usually a claim.
        sub: The subject it should belong to.

    Returns:
        Whether it is lower-case UUIDv7 text that ends in the subject's hash.
    """
    return isinstance(sid, str) and _FORM.fullmatch(sid) is not None and sid[32:] == subject_hash(sub)


def require_session_id(value: object, name: str, sub: str | None = None) -> str:
    """Check a session id that an application passes.

    Args:
        value: The value.
        name: The argument it is, for the message.
        sub: The subject the session must belong to; `None` accepts any.

    Returns:
        The session id.

    Raises:
        TypeError: The value is not a `str`.
        ValueError: The text is not a session id, or is another subject's.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be a session id, which is a str, not {type(value).__name__}; "
            "take it from a payload's sid or a session's session_id"
        )
    if not is_session_id(value):
        raise ValueError(
            f"{name} is not a session id: those are UUIDs of version 7 in lower case; "
            "take it from a payload's sid (not its jti) or a session's session_id"
        )
    text = str.__str__(value)
    if sub is not None and not is_session_id_of(text, sub):
        raise ValueError(f"{name} is not a session id of this uid: it belongs to a session of another user")
    return text


def refresh_jti(sid: str, generation: int) -> str:
    """Derive a refresh token's `jti` from its session and generation alone.

    Args:
        sid: The session id.
        generation: How many rotations preceded the token.

    Returns:
        A version 8 UUID (RFC 9562 section 5.8) as lower-case text.
    """
    h = sha256(f"{sid}:{generation}".encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-8{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"
