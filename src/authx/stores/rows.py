"""What the stores share: how a row becomes a record, and how two cutoffs become one. No store is named here."""

from collections.abc import Iterable, Sequence
from typing import Final

from authx.core.ids import session_created_at
from authx.core.session import Cutoff, Revocation, Rotation, Session, kills
from authx.exceptions import BadConfigurationError

__all__ = [
    "COLUMNS",
    "KEEP_REVOCATIONS",
    "KEEP_SESSIONS",
    "known_version",
    "later",
    "revocation_from",
    "rotated_from",
    "session_from",
    "sessions_from",
    "subject_cutoff",
]

# The order in which every statement returns a session.
COLUMNS: Final = (
    "sid",
    "sub",
    "generation",
    "created_at",
    "rotated_at",
    "expires_at",
    "revoked_at",
    "revoked_reason",
    "ip",
    "user_agent",
    "device",
    "retry_hash",
)
# Milliseconds for which rows are kept after nothing can need them: clocks differ.
KEEP_SESSIONS: Final = 86_400_000
KEEP_REVOCATIONS: Final = 60_000


def session_from(row: Sequence[object]) -> Session | None:
    """Make a session of a row.

    Args:
        row: The values of `COLUMNS`.

    Returns:
        The session; `None` if the row holds what no session can.
    """
    sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, reason, ip, user_agent, device, retry_hash = (
        row
    )
    # `type` and not `isinstance`: a bool is no number here, and no driver makes subclasses.
    if (
        type(sid) is str
        and type(sub) is str
        and type(generation) is int
        and generation >= 0
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
        return Session(
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
    return None


def rotated_from(rest: Sequence[object], rotation: Rotation) -> Session | None:
    """Make a session of what a rotation wrote into a row and what it found there.

    Args:
        rest: What it found: created_at, expires_at, revoked_reason and device.
        rotation: What it wrote.

    Returns:
        The session; `None` if the row holds what no session can.
    """
    created_at, expires_at, reason, device = rest
    if (
        type(created_at) is int
        and (expires_at is None or type(expires_at) is int)
        and (reason is None or type(reason) is str)
        and (device is None or type(device) is str)
    ):
        return Session(
            sid=rotation.sid,
            sub=rotation.sub,
            generation=rotation.to_generation,
            created_at=created_at,
            rotated_at=rotation.at,
            expires_at=expires_at,
            revoked_reason=reason,
            ip=rotation.ip,
            user_agent=rotation.user_agent,
            device=device,
            retry_hash=rotation.retry_hash,
        )
    return None


def sessions_from(rows: Iterable[Sequence[object]]) -> list[Session]:
    """Make sessions of rows, leaving out those that cannot be read.

    Args:
        rows: The values of `COLUMNS`, each.

    Returns:
        The sessions, in the order of the rows.
    """
    return [session for row in rows if (session := session_from(row)) is not None]


def revocation_from(row: Sequence[object]) -> tuple[int, Revocation | None]:
    """Make a revocation of a row.

    Args:
        row: Its number, kind, key, moment, until, reason, subject and spared session.

    Returns:
        The number, and the revocation; `None` if the row holds what no revocation can.
    """
    number, kind, key, at, until, reason, sub, spared = row
    if type(number) is not int:
        return 0, None
    if (
        (kind == "session" or kind == "subject" or kind == "everyone" or kind == "token")
        and type(key) is str
        and type(at) is int
        and (until is None or type(until) is int)
        and type(reason) is str
        and (sub is None or type(sub) is str)
        and (spared is None or type(spared) is str)
    ):
        return number, Revocation(kind=kind, key=key, at=at, until=until, reason=reason, sub=sub, spared=spared)
    return number, None


def subject_cutoff(at: object, spared: object, everyone: object) -> Cutoff | None:
    """Put a subject's own cutoff and that of everyone together: a session has to survive both.

    Args:
        at: The moment of the subject's own cutoff, if there is one.
        spared: The session it spares.
        everyone: The moment of the cutoff of all subjects, if there is one.

    Returns:
        The one cutoff that ends the same sessions; `None` if there is neither.

    Raises:
        ValueError: The stored values are no cutoff.
    """
    if at is None and everyone is None:
        return None
    own, all_subjects = at or 0, everyone or 0
    if type(own) is not int or type(all_subjects) is not int or not (spared is None or type(spared) is str):
        raise ValueError("the stored cutoff cannot be read")
    if spared is not None and kills(Cutoff(at=all_subjects), spared, session_created_at(spared)):
        spared = None
    return Cutoff(at=max(own, all_subjects), spared=spared)


def later(one: int | None, other: int | None) -> int | None:
    """Tell the later of two ends, where `None` never comes.

    Args:
        one: A moment, or never.
        other: A moment, or never.

    Returns:
        The later.
    """
    return None if one is None or other is None else max(one, other)


def known_version(found: object, newest: int, where: str) -> int:
    """Refuse tables of a version that this library does not know.

    Args:
        found: The version that the database names.
        newest: The version that this library writes.
        where: What the message calls the database.

    Returns:
        The version.

    Raises:
        BadConfigurationError: It is later than `newest`, or no version.
    """
    if type(found) is not int or not 1 <= found <= newest:
        raise BadConfigurationError(
            f"{where} has the tables of version {found}, and this library knows version {newest}: upgrade "
            "authx-fastapi, or use another database or JWT_STORE_PREFIX"
        )
    return found
