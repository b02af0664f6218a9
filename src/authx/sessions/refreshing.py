"""Refreshing: a session is moved forward, or it is found out why not. What a token means, `decide` says."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from authx.core.rotation import Cause, Decision, PresentedToken, Verdict, decide
from authx.core.session import Cutoff, Rotation, Session
from authx.exceptions import (
    AuthXException,
    JWTDecodeError,
    RefreshReusedError,
    SessionRevoked,
    StoreUnavailableError,
    TokenExpiredError,
)
from authx.sessions.requester import Requester
from authx.sessions.revoking import Revoking
from authx.stores import InvalidRowError
from authx.stores.rows import later

__all__ = ["Refreshing", "Rotated"]

_MAX_RACES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """A session after a refresh.

    Attributes:
        row: Its row: with the presented token, it determines the successor.
        verdict: What the presented token was.
    """

    row: Session
    verdict: Verdict


class Refreshing(Revoking):
    """Exchanges refresh tokens. `now` is milliseconds since 1970, and the same for everything in one request."""

    async def refresh(self, presented: PresentedToken, requester: Requester, now: int) -> Rotated:
        """Move a session forward for a presented refresh token, or find out why not."""
        # The swap's own conditions suffice where neither age nor everyone's cutoff ends the session.
        max_age, everyone = self.settings.max_age, self.feed.everyone_at
        straight = presented.created_at >= everyone and (max_age is None or presented.created_at + max_age > now)
        for _ in range(_MAX_RACES):
            if straight:
                row = await self._advance(presented, requester, now, presented.generation)
                if row is not None:
                    return Rotated(row=row, verdict=Verdict.ADVANCE)
            row, decision = await self._decide(presented, requester, now)
            moved = await self._move(decision, presented, requester, now, row)
            if moved is not None:
                await self._emit_what_passed(decision, presented, requester, row)
                return Rotated(row=moved, verdict=decision.verdict)
            if not decision.verdict.passes:
                raise await self._refusal(decision, presented, requester, now, row)
            straight = decision.verdict is Verdict.ADVANCE
        raise StoreUnavailableError("too many refreshes of one session at the same moment")

    async def judge(self, presented: PresentedToken, requester: Requester, now: int) -> Decision:
        """Ask what a refresh token is worth, without moving its session: for routes that refresh by hand."""
        row, decision = await self._decide(presented, requester, now)
        if not decision.verdict.passes:
            raise await self._refusal(decision, presented, requester, now, row)
        return decision

    def forecast(self, presented: PresentedToken, now: int) -> Session:
        """Compute the row that a rotation will most likely leave, so that the answer can be made before it."""
        return Session(
            sid=presented.sid,
            sub=presented.sub,
            generation=presented.generation + 1,
            created_at=presented.created_at,
            rotated_at=now,
            expires_at=later(self._end_of(presented, now), presented.expires_at),
        )

    def _end_of(self, presented: PresentedToken, now: int) -> int | None:
        """Compute the end of a successor: it slides by the token's own life, never past the absolute age."""
        if presented.lifetime is None:
            return None
        end, last = now // 1000 * 1000 + presented.lifetime, self.settings.last_second(presented.created_at)
        return end if last is None else min(end, last)

    async def _advance(
        self, presented: PresentedToken, requester: Requester, now: int, from_generation: int
    ) -> Session | None:
        rotation = Rotation(
            sid=presented.sid,
            sub=presented.sub,
            from_generation=from_generation,
            to_generation=presented.generation + 1,
            at=now,
            expires_at=self._end_of(presented, now),
            retry_hash=presented.retry_hash,
            ip=requester.ip,
            user_agent=requester.user_agent,
        )
        try:
            return await self.store.advance(rotation)
        except InvalidRowError:
            raise await self._invalid_row(presented, requester) from None

    async def _move(
        self, decision: Decision, presented: PresentedToken, requester: Requester, now: int, row: Session | None
    ) -> Session | None:
        """Do what a passing decision writes; nothing if it writes nothing, or if a race for it was lost."""
        if decision.verdict is Verdict.REPLAY:
            return row
        if decision.verdict is Verdict.AHEAD and row is not None:
            return await self._advance(presented, requester, now, row.generation)
        if decision.verdict is not Verdict.START:
            return None
        first = replace(
            self.forecast(presented, now),
            ip=requester.ip,
            user_agent=requester.user_agent,
            retry_hash=presented.retry_hash,
        )
        return first if await self.store.create(first) else None

    async def _decide(
        self, presented: PresentedToken, requester: Requester, now: int
    ) -> tuple[Session | None, Decision]:
        """Read the session of a presented token, and ask what the token is."""
        try:
            row, cutoff = await self.store.get(presented.sid, presented.sub)
        except InvalidRowError:
            raise await self._invalid_row(presented, requester) from None
        decision = decide(
            presented,
            row,
            self.latest_cutoff(cutoff),
            now,
            self.settings.grace,
            max_age=self.settings.max_age,
            stood_still=0 if row is None else self.stood_still(row.rotated_at, now),
        )
        return row, decision

    async def _invalid_row(self, presented: PresentedToken, requester: Requester) -> JWTDecodeError:
        await self.emit("row_invalid", requester, uid=presented.sub, session_id=presented.sid)
        return JWTDecodeError("Invalid token: its session cannot be read")

    def latest_cutoff(self, cutoff: Cutoff | None) -> Cutoff | None:
        """Choose the later of a subject's cutoff and that of everyone, as far as this process knows it."""
        everyone = self.feed.everyone_at
        if not everyone or (cutoff is not None and cutoff.at >= everyone):
            return cutoff
        return Cutoff(at=everyone)

    async def _refusal(
        self, decision: Decision, presented: PresentedToken, requester: Requester, now: int, row: Session | None
    ) -> AuthXException:
        """Make the error for a token that does not pass; a reused one ends its session first."""
        sid, sub, verdict = presented.sid, presented.sub, decision.verdict
        if verdict is Verdict.REUSED:
            await self.revoke_session(sid, sub=sub, reason="reused", now=now, expires_at=presented.expires_at)
            await self._emit_distance("refresh_reused", presented, requester, row)
            return RefreshReusedError("Refresh token was used before; its session has been ended")
        if verdict is Verdict.REVOKED:
            return SessionRevoked("Session has been revoked")
        if verdict is Verdict.EXPIRED:
            return TokenExpiredError("Session has expired")
        if decision.mismatch:
            await self.emit("session_mismatch", requester, uid=sub, session_id=sid)
        return JWTDecodeError("Invalid token: no such session")

    async def _emit_what_passed(
        self, decision: Decision, presented: PresentedToken, requester: Requester, row: Session | None
    ) -> None:
        if decision.verdict is Verdict.REPLAY:
            elsewhere = row is not None and row.ip != requester.ip
            suspicious = decision.cause == "outage" or (decision.cause == "retry" and elsewhere)
            level = logging.WARNING if suspicious else None
            await self._emit_distance("replay", presented, requester, row, cause=decision.cause, level=level)
        elif decision.verdict is Verdict.AHEAD:
            await self._emit_distance("store_rollback", presented, requester, row)

    async def _emit_distance(
        self,
        event: str,
        presented: PresentedToken,
        requester: Requester,
        row: Session | None,
        *,
        cause: Cause | None = None,
        level: int | None = None,
    ) -> None:
        distance = None if row is None else row.generation - presented.generation
        uid, sid = presented.sub, presented.sid
        await self.emit(event, requester, uid=uid, session_id=sid, distance=distance, cause=cause, level=level)
