"""Sessions on a store: moved forward by rotation, listed, ended. What a token means, `decide` says."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from authx.core.ids import session_created_at
from authx.core.rotation import Cause, Decision, Presented, RefreshUse, Verdict, decide, earlier
from authx.core.session import Cutoff, Revocation, Rotation, Session, is_sound, kills
from authx.exceptions import (
    AuthXException,
    JWTDecodeError,
    RefreshReusedError,
    SessionRevoked,
    StoreUnavailableError,
    TokenExpiredError,
)
from authx.sessions.events import Events, SecurityEvent
from authx.sessions.feed import RevocationFeed
from authx.stores import InvalidRowError, Store
from authx.stores.rows import later

__all__ = ["Client", "Rotated", "SessionSettings", "Sessions"]

_MAX_RACES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How sessions live. All durations are milliseconds.

    Attributes:
        grace: How long the immediate predecessor of a refresh token is answered again; 0 for never.
        max_age: How long a session lasts at most; `None` for no bound.
        window: How long an access token lives at most, and some.
        leeway: How long after its end a token is still accepted.
    """

    grace: int
    max_age: int | None
    window: int
    leeway: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks.

    Attributes:
        ip: Address, if known.
        user_agent: Browser or program, if known.
    """

    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """A session after a refresh.

    Attributes:
        row: Its row: with the presented token, it determines the successor.
        verdict: What the presented token was.
    """

    row: Session
    verdict: Verdict


class Sessions:
    """Sessions on one store.

    Args:
        store: Where the rows are.
        feed: The revocation feed, for the cutoff of everyone and for this process's own revocations.
        stood_still: Tells how many of the milliseconds between two times were an outage.
        events: Who is told.
        settings: How sessions live.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        feed: RevocationFeed,
        stood_still: Callable[[int, int], int],
        events: Events,
        settings: SessionSettings,
        clock: Callable[[], float],
    ) -> None:
        self.store: Final = store
        self.settings: Final = settings
        self._feed = feed
        self._stood_still = stood_still
        self._events = events
        self._clock = clock

    # Refreshing

    async def rotate(self, use: RefreshUse, client: Client) -> Rotated:
        """Move a session forward for a presented refresh token, or find out why not.

        Args:
            use: The token.
            client: Who asks.

        Returns:
            The row that determines the successor.

        Raises:
            RefreshReusedError: The token was used before; its session has been ended.
            SessionRevoked: The session was ended.
            TokenExpiredError: The session is over.
            JWTDecodeError: There is no such session.
            StoreUnavailableError: The store did not answer; nothing was consumed.
        """
        presented = use.presented
        straight = self._is_young(presented, use.now)
        for _ in range(_MAX_RACES):
            if straight:
                row = await self._advance(use, client, presented.generation)
                if row is not None:
                    return Rotated(row=row, verdict=Verdict.ADVANCE)
            row, decision = await self._decide(use, client)
            moved = await self._move(decision, use, client, row)
            if moved is not None:
                await self._tell_of(decision, use, client, row)
                return Rotated(row=moved, verdict=decision.verdict)
            if not decision.verdict.passes:
                raise await self._refusal(decision, use, client, row)
            straight = decision.verdict is Verdict.ADVANCE
        raise StoreUnavailableError("too many refreshes of one session at the same moment")

    def _is_young(self, presented: Presented, now: int) -> bool:
        """Tell whether the swap's own conditions suffice: neither age nor everyone's cutoff ends the session."""
        max_age, everyone = self.settings.max_age, self._feed.everyone()
        if max_age is not None and presented.created_at + max_age <= now:
            return False
        return everyone is None or presented.created_at >= everyone.at

    async def _advance(self, use: RefreshUse, client: Client, from_generation: int) -> Session | None:
        try:
            row = await self._swap(use, client, from_generation)
        except InvalidRowError:
            raise await self._invalid_row(use.presented, client) from None
        if row is not None and not is_sound(row):
            raise await self._invalid_row(use.presented, client)
        return row

    async def _swap(self, use: RefreshUse, client: Client, from_generation: int) -> Session | None:
        rotation = Rotation(
            sid=use.presented.sid,
            sub=use.presented.sub,
            from_generation=from_generation,
            to_generation=use.presented.generation + 1,
            at=use.now,
            expires_at=self.end_of(use),
            retry_hash=use.presented.retry_hash,
            ip=client.ip,
            user_agent=client.user_agent,
        )
        return await self.store.advance(rotation)

    async def _move(self, decision: Decision, use: RefreshUse, client: Client, row: Session | None) -> Session | None:
        """Do what a passing decision writes; nothing if it writes nothing, or if a race for it was lost."""
        if decision.verdict is Verdict.REPLAY:
            return row
        if decision.verdict is Verdict.AHEAD and row is not None:
            return await self._advance(use, client, row.generation)
        if decision.verdict is not Verdict.START:
            return None
        first = Session(
            sid=use.presented.sid,
            sub=use.presented.sub,
            generation=1,
            created_at=use.presented.created_at,
            rotated_at=use.now,
            expires_at=later(self.end_of(use), use.expires_at),
            ip=client.ip,
            user_agent=client.user_agent,
            retry_hash=use.presented.retry_hash,
        )
        return first if await self.store.create(first) else None

    def end_of(self, use: RefreshUse) -> int | None:
        """Compute the end of a successor: it slides by the presented token's own life, never past the absolute age.

        Args:
            use: The presented token.

        Returns:
            Milliseconds since 1970, in whole seconds; `None` for tokens without an end.
        """
        if use.lifetime is None:
            return None
        issued = use.now // 1000 * 1000
        return earlier(issued + use.lifetime, self.last_second_of(use.presented.created_at))

    def forecast(self, use: RefreshUse) -> Session:
        """Compute the row that a rotation will most likely leave, so that the answer can be made before it.

        Args:
            use: The presented token.

        Returns:
            The row, with those values that determine the successor.
        """
        presented = use.presented
        return Session(
            sid=presented.sid,
            sub=presented.sub,
            generation=presented.generation + 1,
            created_at=presented.created_at,
            rotated_at=use.now,
            expires_at=later(self.end_of(use), use.expires_at),
        )

    def last_second_of(self, created_at: int) -> int | None:
        """Compute the end of a session's absolute age.

        Args:
            created_at: When it began, in milliseconds.

        Returns:
            Milliseconds since 1970, in whole seconds; `None` where there is no such bound.
        """
        max_age = self.settings.max_age
        return None if max_age is None else (created_at + max_age) // 1000 * 1000

    async def verdict(self, use: RefreshUse, client: Client) -> Decision:
        """Ask what a refresh token is worth, without moving its session: for routes that refresh by hand.

        Args:
            use: The token.
            client: Who asks.

        Returns:
            A passing decision.

        Raises:
            AuthXException: As `rotate`.
        """
        row, decision = await self._decide(use, client)
        if not decision.verdict.passes:
            raise await self._refusal(decision, use, client, row)
        return decision

    async def _decide(self, use: RefreshUse, client: Client) -> tuple[Session | None, Decision]:
        """Read the session of a presented token, and ask what the token is."""
        row, cutoff = await self._read(use.presented, client)
        decision = decide(
            use.presented,
            row,
            self._latest(cutoff),
            use.now,
            self.settings.grace,
            max_age=self.settings.max_age,
            stood_still=0 if row is None else self._stood_still(row.rotated_at, use.now),
        )
        return row, decision

    async def _read(self, presented: Presented, client: Client) -> tuple[Session | None, Cutoff | None]:
        try:
            row, cutoff = await self.store.get(presented.sid, presented.sub)
        except InvalidRowError:
            raise await self._invalid_row(presented, client) from None
        if row is not None and not is_sound(row):
            raise await self._invalid_row(presented, client)
        return row, cutoff

    async def _invalid_row(self, presented: Presented, client: Client) -> JWTDecodeError:
        await self.tell("row_invalid", uid=presented.sub, session_id=presented.sid, client=client)
        return JWTDecodeError("Invalid token: its session cannot be read")

    def _latest(self, cutoff: Cutoff | None) -> Cutoff | None:
        everyone = self._feed.everyone()
        if everyone is None or (cutoff is not None and cutoff.at >= everyone.at):
            return cutoff
        return everyone

    async def _refusal(
        self, decision: Decision, use: RefreshUse, client: Client, row: Session | None
    ) -> AuthXException:
        """Make the error for a token that does not pass; a reused one ends its session first.

        Args:
            decision: What it is.
            use: The token.
            client: Who asks.
            row: The session's row, if there is one.

        Returns:
            The error to raise.
        """
        presented = use.presented
        if decision.verdict is Verdict.REUSED:
            await self.end_session(
                presented.sid, sub=presented.sub, reason="reused", now=use.now, expires_at=use.expires_at
            )
            await self._tell_generation("refresh_reused", use, client, row)
            return RefreshReusedError("Refresh token was used before; its session has been ended")
        if decision.verdict is Verdict.REVOKED:
            return SessionRevoked("Session has been revoked")
        if decision.verdict is Verdict.EXPIRED:
            return TokenExpiredError("Session has expired")
        if decision.mismatch:
            await self.tell("session_mismatch", uid=presented.sub, session_id=presented.sid, client=client)
        return JWTDecodeError("Invalid token: no such session")

    async def _tell_of(self, decision: Decision, use: RefreshUse, client: Client, row: Session | None) -> None:
        if decision.verdict is Verdict.REPLAY:
            elsewhere = row is not None and row.ip != client.ip
            suspicious = decision.cause == "outage" or (decision.cause == "retry" and elsewhere)
            level = logging.WARNING if suspicious else None
            await self._tell_generation("replay", use, client, row, cause=decision.cause, level=level)
        elif decision.verdict is Verdict.AHEAD:
            await self._tell_generation("store_rollback", use, client, row)

    async def _tell_generation(
        self,
        event: str,
        use: RefreshUse,
        client: Client,
        row: Session | None,
        *,
        cause: Cause | None = None,
        level: int | None = None,
    ) -> None:
        distance = None if row is None else row.generation - use.presented.generation
        uid, sid = use.presented.sub, use.presented.sid
        await self.tell(event, uid=uid, session_id=sid, client=client, distance=distance, cause=cause, level=level)

    # Beginning and listing

    async def begin(self, session: Session) -> bool:
        """Write a new session's row, durably.

        Args:
            session: The row.

        Returns:
            False if the id is taken.
        """
        return await self.store.create(session)

    async def newest_cutoff(self, sid: str, sub: str) -> int:
        """Ask the store from when on a new session of a subject lives.

        Args:
            sid: Any id of the subject.
            sub: The subject.

        Returns:
            Milliseconds since 1970; 0 if there is no cutoff.
        """
        _, cutoff = await self.store.get(sid, sub)
        latest = self._latest(cutoff)
        return 0 if latest is None else latest.at

    def is_live(self, row: Session, cutoff: Cutoff | None, now: int) -> bool:
        """Tell whether a session that is not revoked is ended by its age or by a cutoff.

        Args:
            row: Its row.
            cutoff: Its subject's cutoff, if there is one.
            now: The present moment.

        Returns:
            Whether it is neither.
        """
        max_age = self.settings.max_age
        young = max_age is None or row.created_at + max_age > now
        return young and not kills(self._latest(cutoff), row.sid, row.created_at)

    # Ending

    async def end_session(
        self,
        sid: str,
        *,
        now: int,
        sub: str | None = None,
        reason: str = "revoked",
        expires_at: int | None = None,
    ) -> None:
        """End a session: its refresh token, and every access token of it.

        Args:
            sid: The session's id.
            now: The present moment.
            sub: Whose it is, if known.
            reason: Why, for the row.
            expires_at: The end of the presented token, if there is one.
        """
        # The row has to outlive every token of the session: without an absolute age nobody knows how long they live.
        last_second = self.last_second_of(session_created_at(sid))
        expires_at = None if last_second is None else max(last_second, expires_at or 0)
        if self._feed.holds_session(sid) and await self._is_over(sid, sub, expires_at):
            return
        await self._revoke(
            Revocation(
                kind="session",
                key=sid,
                at=now,
                until=now + self.settings.window,
                reason=reason,
                sub=sub,
                expires_at=expires_at,
            )
        )

    async def _is_over(self, sid: str, sub: str | None, expires_at: int | None) -> bool:
        """Tell whether ending a session again would change nothing of its row."""
        try:
            row, _ = await self.store.get(sid, sub)
        except InvalidRowError:
            return False
        return row is not None and row.revoked_at is not None and later(row.expires_at, expires_at) == row.expires_at

    async def end_subject(self, sub: str, *, now: int, spared: str | None) -> None:
        """End every session of a subject, but one perhaps.

        Args:
            sub: The subject.
            now: The present moment, or one after the newest session id that this process made.
            spared: The session that lives on.
        """
        await self._revoke(
            Revocation(kind="subject", key=sub, at=now, until=now + self.settings.window, sub=sub, spared=spared)
        )

    async def end_everyone(self, *, now: int) -> None:
        """End every session there is.

        Args:
            now: The present moment, or one after the newest session id that this process made.
        """
        await self._revoke(Revocation(kind="everyone", key="", at=now, until=None))

    async def end_token(self, jti: str, *, now: int, expires_at: int | None) -> None:
        """End one access token, until it is no longer accepted anyway: its own end and the leeway.

        Args:
            jti: Its id.
            now: The present moment.
            expires_at: Its own end; `None` if it has none.
        """
        until = None if expires_at is None else expires_at + self.settings.leeway
        if self._feed.holds_token(jti, until):
            return
        await self._revoke(Revocation(kind="token", key=jti, at=now, until=until))

    async def _revoke(self, revocation: Revocation) -> None:
        stored = await self.store.revoke(revocation)
        # In force here at once; other processes read it within a moment.
        self._feed.apply(stored)

    async def tell(
        self,
        event: str,
        *,
        client: Client,
        uid: str | None = None,
        session_id: str | None = None,
        distance: int | None = None,
        cause: Cause | None = None,
        level: int | None = None,
    ) -> None:
        """Tell of an event.

        Args:
            event: Its name.
            client: Who asked.
            uid: Whom it concerns.
            session_id: Which session it concerns.
            distance: How many generations a token was behind.
            cause: Why a replay passed.
            level: The level it is logged at, where that is not the usual one.
        """
        at = datetime.fromtimestamp(self._clock(), UTC)
        await self._events.tell(
            SecurityEvent(
                event=event,
                at=at,
                uid=uid,
                session_id=session_id,
                ip_address=client.ip,
                user_agent=client.user_agent,
                distance=distance,
                cause=cause,
            ),
            level,
        )
