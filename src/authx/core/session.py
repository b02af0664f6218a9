"""What a store keeps of a session, and how one is ended: frozen records, times in milliseconds."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from authx.core.claims import MAX_DATE, MAX_GENERATION

__all__ = ["Cutoff", "Revocation", "RevocationKind", "Rotation", "Session", "is_sound", "kills"]

# The last millisecond that a datetime can hold, and the generation that follows the largest a token can name.
_LAST_MILLISECOND: Final = MAX_DATE * 1000 + 999
_MAX_GENERATION: Final = MAX_GENERATION + 1
RevocationKind: TypeAlias = Literal["session", "subject", "everyone", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login on one device: the row that every rotation moves forward. It holds no token, nor a hash of one.

    Attributes:
        sid: The session's id: a UUIDv7 that carries its time of creation.
        sub: Whose it is; empty where the session was ended before anything was known of it.
        generation: The generation of the newest refresh token.
        created_at: Time of creation.
        rotated_at: Time of the last rotation, or of creation.
        expires_at: Time after which no token of the session is good; it never moves back. `None`: never.
        revoked_at: Time at which it was ended; `None` while it lives.
        revoked_reason: Why it was ended.
        ip: Address of the last refresh, if known.
        user_agent: Browser or program of the last refresh, if known.
        device: What the application noted about the device: a JSON object as text.
        retry_hash: Identifies the attempt that made the last rotation; `None` if there was none. See
            `authx.core.retry_keys.retry_hash`. It is kept out of the `repr`.
    """

    sid: str
    sub: str
    generation: int
    created_at: int
    rotated_at: int
    expires_at: int | None
    revoked_at: int | None = None
    revoked_reason: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    device: str | None = None
    retry_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One step of a session from one generation to another, as it is handed to a store.

    Attributes:
        sid: The session's id.
        sub: The subject that the session must belong to.
        from_generation: The generation that the session must have.
        to_generation: The generation that it gets.
        at: The time of the rotation, which becomes `rotated_at`.
        expires_at: The end of the new refresh token; `None`: never.
        retry_hash: Identifies the attempt; it replaces the row's. It is kept out of the `repr`.
        ip: Address of the request, if known.
        user_agent: Browser or program of the request, if known.
    """

    sid: str
    sub: str
    from_generation: int
    to_generation: int
    at: int
    expires_at: int | None
    retry_hash: str | None = field(default=None, repr=False)
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """A time: sessions created before it are dead.

    Attributes:
        at: The time.
        spared: The one session that is not.
    """

    at: int
    spared: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Something that ends tokens: as it is handed to a store, and as the store hands it to every process.

    Attributes:
        kind: `session` ends one session; `subject` all sessions of a subject created before `at`;
            `everyone` all sessions created before `at`; `token` one access token.
        key: The session's id, the subject, an empty text, or the token's `jti`.
        at: The time. For `subject` and `everyone` the store makes it later where it must.
        until: Time after which no access token can be concerned any more; `None`: never.
        reason: Why, for the row.
        sub: Whose session it is, if known.
        spared: `subject` only: the one session that lives on.
        expires_at: `session` only: the latest time at which a token of the session can expire, which the row
            has to outlive; `None`: never.
    """

    kind: RevocationKind
    key: str
    at: int
    until: int | None
    reason: str = "revoked"
    sub: str | None = None
    spared: str | None = None
    expires_at: int | None = None


def is_sound(row: Session) -> bool:
    """Return whether the times of a row are times, and its generation is a generation."""
    return (
        0 <= row.generation <= _MAX_GENERATION
        and 0 <= row.created_at <= _LAST_MILLISECOND
        and 0 <= row.rotated_at <= _LAST_MILLISECOND
        and 0 <= (row.expires_at or 0) <= _LAST_MILLISECOND
        and 0 <= (row.revoked_at or 0) <= _LAST_MILLISECOND
    )


def kills(cutoff: Cutoff | None, sid: str, created_at: int) -> bool:
    """Tell whether a cutoff ends a session."""
    return cutoff is not None and created_at < cutoff.at and sid != cutoff.spared
