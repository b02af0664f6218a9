"""One refresh: what is to happen with a presented refresh token. A pure function, the same for all stores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from hmac import compare_digest
from typing import Literal, TypeAlias

from authx.core.session import Cutoff, Session, kills
from authx.jose.json_object import JSONObject, JSONValue

__all__ = ["Cause", "Decision", "PresentedToken", "Verdict", "decide"]

Cause: TypeAlias = Literal["retry", "grace", "outage"]


class Verdict(Enum):
    """What a presented refresh token is.

    Attributes:
        START: The first refresh of a session that the store has not seen: insert it at generation 1.
        ADVANCE: The newest token: move the session one generation forward.
        REPLAY: Its immediate predecessor, by the same attempt or within the grace period: answer with the successor
            it already has.
        AHEAD: Ours, and newer than the store remembers: the store lost rotations; move to its successor.
        REUSED: An older token: somebody has a copy; end the session.
        REVOKED: Its session was ended.
        EXPIRED: Its session is over.
        UNKNOWN: No session of this subject is known by that id.
    """

    START = "start"
    ADVANCE = "advance"
    REPLAY = "replay"
    AHEAD = "ahead"
    REUSED = "reused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def passes(self) -> bool:
        """Whether the token is good."""
        return self in _PASSING


_PASSING = frozenset({Verdict.START, Verdict.ADVANCE, Verdict.REPLAY, Verdict.AHEAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """A verified token that asks for something, and what it says about its session. Times are milliseconds.

    Attributes:
        sid: The session's id; a token of another issuer, which has none, is given one that its text determines.
        sub: Whose it is.
        generation: How many rotations preceded the token.
        created_at: The timestamp in `sid`.
        expires_at: When the token ends; `None`: never.
        lifetime: How long it was made to live; `None`: for ever.
        claims: Its claims, completed with `sid`, `gen` and `csrf`.
        headers: What the application put into its JOSE header.
        retry_hash: The hash of the request's retry key, if it has one; kept out of the `repr`.
    """

    sid: str
    sub: str
    generation: int
    created_at: int
    expires_at: int | None = None
    lifetime: int | None = None
    claims: JSONObject = field(default_factory=dict, repr=False)
    headers: Mapping[str, JSONValue] = field(default_factory=dict)
    retry_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do.

    Attributes:
        verdict: What the presented token is.
        generation: The generation of the token to answer with, where it passes.
        mismatch: Whether the row belongs to somebody else.
        cause: Why a replay passes: `retry`, it is a repeated attempt; `grace`, it is within the grace period;
            `outage`, it is within the grace period because outages are not counted.
    """

    verdict: Verdict
    generation: int = 0
    mismatch: bool = False
    cause: Cause | None = None


def decide(
    presented: PresentedToken,
    row: Session | None,
    cutoff: Cutoff | None,
    now: int,
    grace: int,
    *,
    max_age: int | None = None,
    stood_still: int = 0,
) -> Decision:
    """Decide what happens with a presented refresh token."""
    if kills(cutoff, presented.sid, presented.created_at):
        return Decision(verdict=Verdict.REVOKED)
    if max_age is not None and presented.created_at + max_age <= now:
        return Decision(verdict=Verdict.EXPIRED)
    if row is None:
        if presented.generation == 0:
            return Decision(verdict=Verdict.START, generation=1)
        # Absence proves nothing good: a row outlives every token of its session.
        return Decision(verdict=Verdict.UNKNOWN)
    if row.revoked_at is not None:
        return Decision(verdict=Verdict.REVOKED)
    if row.sub != presented.sub:
        return Decision(verdict=Verdict.UNKNOWN, mismatch=True)
    if row.expires_at is not None and row.expires_at <= now:
        return Decision(verdict=Verdict.EXPIRED)
    return _by_generation(presented, row, now, grace, stood_still)


def _by_generation(presented: PresentedToken, row: Session, now: int, grace: int, stood_still: int) -> Decision:
    generation = presented.generation
    if generation == row.generation:
        return Decision(verdict=Verdict.ADVANCE, generation=generation + 1)
    if generation > row.generation:
        return Decision(verdict=Verdict.AHEAD, generation=generation + 1)
    if generation == row.generation - 1:
        if _same_attempt(presented.retry_hash, row.retry_hash):
            return Decision(verdict=Verdict.REPLAY, generation=row.generation, cause="retry")
        age = abs(now - row.rotated_at)
        # Where this clock is behind the one that wrote the row, no outage can be placed between the two.
        elapsed = age - stood_still if now > row.rotated_at else age
        if grace > 0 and elapsed <= grace:
            cause: Cause = "grace" if age <= grace else "outage"
            return Decision(verdict=Verdict.REPLAY, generation=row.generation, cause=cause)
    return Decision(verdict=Verdict.REUSED)


def _same_attempt(presented: str | None, stored: str | None) -> bool:
    """Compare two hashes in constant time; the stored one may be any text, where somebody else wrote it."""
    if presented is None or stored is None:
        return False
    return compare_digest(presented.encode(), stored.encode("utf-8", "surrogatepass"))
