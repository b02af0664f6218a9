"""How a row becomes a record, in every store: the one place where what was read is checked."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, TypeVar

from authx.core.ids import is_session_id, session_created_at
from authx.core.session import Cutoff, Revocation, Rotation, Session, is_sound, kills
from authx.exceptions import BadConfigurationError
from authx.stores.protocol import InvalidRowError

__all__ = [
    "COLUMNS",
    "KEEP_REVOCATIONS",
    "KEEP_SESSIONS",
    "in_batches",
    "is_live",
    "known_version",
    "later",
    "readable",
    "revocation_from",
    "rotated_from",
    "rotation_values",
    "session_from",
    "session_values",
    "subject_cutoff",
]

# The order in which statements take and return a session.
COLUMNS: Final = tuple(field.name for field in fields(Session))
session_values: Final[Callable[[Session], tuple[str | int | None, ...]]] = attrgetter(*COLUMNS)
# The order in which statements take a rotation is that of its fields.
rotation_values: Final[Callable[[Rotation], tuple[str | int | None, ...]]] = attrgetter(
    *(field.name for field in fields(Rotation))
)
# Milliseconds for which rows are kept after nothing can need them: clocks differ.
KEEP_SESSIONS: Final = 86_400_000
KEEP_REVOCATIONS: Final = 60_000

_Raw = TypeVar("_Raw")
_What = TypeVar("_What")


def session_from(row: Sequence[Any]) -> Session:
    """Make a session of the values of `COLUMNS`, which may be of any type, or raise `InvalidRowError`."""
    sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, reason, ip, user_agent, device, retry_hash = (
        row
    )
    # `type` and not `isinstance`: a bool is no number here, and no driver makes subclasses.
    if (
        type(sid) is str
        and type(sub) is str
        and type(generation) is int
        and type(created_at) is int
        and type(rotated_at) is int
        and (expires_at is None or type(expires_at) is int)
        and (revoked_at is None or type(revoked_at) is int)
        and (reason is None or type(reason) is str)
        and (ip is None or type(ip) is str)
        and (user_agent is None or type(user_agent) is str)
        and (device is None or type(device) is str)
        and (retry_hash is None or type(retry_hash) is str)
    ):
        session = Session(
            sid=sid,
            sub=sub,
            generation=generation,
            created_at=created_at,
            rotated_at=rotated_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
            revoked_reason=reason,
            ip=ip,
            user_agent=user_agent,
            device=device,
            retry_hash=retry_hash,
        )
        if is_sound(session):
            return session
    raise InvalidRowError(str(sid))


def rotated_from(found: Sequence[Any], rotation: Rotation) -> Session:
    """Make a session of what a rotation wrote and what it found in the row, or raise `InvalidRowError`.

    What it found is created_at, expires_at, revoked_reason and device.
    """
    one, (created_at, expires_at, reason, device) = rotation, found
    numbers = one.to_generation, created_at, one.at, expires_at, None
    return session_from((one.sid, one.sub, *numbers, reason, one.ip, one.user_agent, device, one.retry_hash))


def readable(rows: Iterable[_Raw], read: Callable[[_Raw], Session]) -> list[Session]:
    """Make sessions of rows, leaving out those that are not ours."""
    sessions = []
    for row in rows:
        try:
            sessions.append(read(row))
        except InvalidRowError:
            continue
    return sessions


def revocation_from(row: Sequence[Any]) -> Revocation | None:
    """Make a revocation of its number, kind, key, at, until, reason, sub and spared; `None` if it cannot be read."""
    _, kind, key, at, until, reason, sub, spared = row
    if (
        (kind == "session" or kind == "subject" or kind == "everyone" or kind == "token")
        and type(key) is str
        and type(at) is int
        and (until is None or type(until) is int)
        and type(reason) is str
        and (sub is None or type(sub) is str)
        and (spared is None or type(spared) is str)
    ):
        return Revocation(kind=kind, key=key, at=at, until=until, reason=reason, sub=sub, spared=spared)
    return None


def subject_cutoff(sid: str, at: Any, spared: Any, everyone: Any) -> Cutoff | None:
    """Combine a subject's cutoff and that of everyone, both of which a session has to survive, or raise."""
    if at is None and everyone is None:
        return None
    own, all_subjects = at or 0, everyone or 0
    if type(own) is not int or type(all_subjects) is not int or not (spared is None or is_session_id(spared)):
        raise InvalidRowError(sid)
    if spared is not None and kills(Cutoff(at=all_subjects), spared, session_created_at(spared)):
        spared = None
    return Cutoff(at=max(own, all_subjects), spared=spared)


def is_live(session: Session, cutoff: Cutoff | None, now: int) -> bool:
    """Return whether a session is neither revoked, nor expired, nor ended by its subject's cutoff."""
    return (
        session.revoked_at is None
        and (session.expires_at is None or session.expires_at > now)
        and not kills(cutoff, session.sid, session.created_at)
    )


def later(one: int | None, other: int | None) -> int | None:
    """Return the later of two ends, where `None` never comes."""
    return None if one is None or other is None else max(one, other)


def known_version(found: object, newest: int, where: str) -> int:
    """Return the version of a store's schema, or refuse one that this library does not know."""
    if type(found) is not int or not 1 <= found <= newest:
        raise BadConfigurationError(
            f"{where} holds sessions of version {found}, and this library knows version {newest}. A newer version "
            "wrote them: upgrade authx-fastapi, or use another database or JWT_STORE_PREFIX"
        )
    return found


async def in_batches(
    run: Callable[[_What, int, int], Awaitable[tuple[int, int]]], limit: int, size: int, before: Mapping[_What, int]
) -> int:
    """Delete at most `limit` old rows, few at a time, so that nobody waits for long.

    What is deleted, and before when, is passed to `run`, with how many rows to look at; it returns how many it deleted
    and how many it looked at.
    """
    deleted = 0
    for what, end in before.items():
        while deleted < limit:
            room = min(limit - deleted, size)
            gone, found = await run(what, end, room)
            deleted += gone
            if found < room:
                break
    return deleted
