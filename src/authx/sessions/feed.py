"""The revocation feed: what was revoked lately, held in the process, so that a request only looks it up.

Access tokens live for minutes, so only what was revoked within the longest such life matters. Each
process keeps that in a few dictionaries and follows the store's list of revocations. A request never
waits for the store; where the store has been silent for too long, requests are refused rather than
trusted.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import Final

from authx.core.session import Revocation
from authx.exceptions import RevokedTokenError, SessionRevoked, StoreUnavailableError
from authx.jose.json_object import JSONObject
from authx.sessions.revoked import SHORTEST_WINDOW, Revoked, minute_of, timestamp_of
from authx.stores import Store
from authx.tokens.verifier import Verified

__all__ = ["RevocationFeed"]

_logger = logging.getLogger("authx")
_COUNT_INTERVAL: Final = 60.0
_RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0)
_SLICE: Final = 500


class RevocationFeed:
    """The revocations that may still concern an access token, kept current from a store."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        *,
        window: float,
        poll_interval: float,
        max_staleness: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._poll_interval = poll_interval
        self._max_staleness = max_staleness
        self._revoked = Revoked(int(window * 1000))
        # For each reading under way, what became known since it began.
        self._readings: list[list[Revocation]] = []
        self._cursor = ""
        self._current = False
        self._answered: float | None = None
        self._answered_at = 0.0
        self._fresh_until = -inf
        # In seconds since 1970: what was deleted before is not known here.
        self._known_since = -inf
        # Replaced whenever a token that was cleared may not be any more.
        self._state = object()
        self._may_prune_more = False
        self._follower: asyncio.Task[None] | None = None

    # What requests ask

    def check(self, claims: JSONObject) -> None:
        """Refuse an access token that was revoked: dictionary look-ups, nothing else."""
        if self._monotonic() > self._fresh_until:
            raise StoreUnavailableError("the session store has not answered for too long to trust a token")
        revoked = self._revoked
        if revoked.ends_session_of(claims):
            raise SessionRevoked("Session has been revoked")
        if claims["jti"] in revoked.tokens:
            raise RevokedTokenError("Token has been revoked")

    def clears(self, verified: Verified, now: float) -> bool:
        """Tell whether the feed covers a token and `check` would let it pass, and note that on the token.

        It holds until something is revoked, or the feed does not cover the token any more.
        """
        if self._monotonic() > self._fresh_until:
            return False
        # Read before anything is looked up: what is revoked meanwhile replaces it.
        state = self._state
        if verified.cleared_in is state and now < verified.cleared_until:
            return True
        until, claims, revoked = self._covered_until(verified), verified.claims, self._revoked
        if now >= until or claims["jti"] in revoked.tokens or revoked.ends_session_of(claims):
            return False
        verified.cleared_until, verified.cleared_in = until, state
        return True

    def covers(self, verified: Verified, now: float) -> bool:
        """Tell whether the feed can answer for a token, or the store has to: it remembers only so far back."""
        return now < self._covered_until(verified)

    def _covered_until(self, verified: Verified) -> float:
        """Compute for how long everything that could end a token since it was known to be good is held here."""
        known_at = verified.known_at
        return known_at + self._revoked.window / 1000 if known_at > self._known_since else -inf

    def holds_session(self, sid: str) -> bool:
        """Tell whether the end of a session is among what is held."""
        return self._revoked.sessions.get(sid, 0.0) > self._now()

    def holds_token(self, jti: str, until: int | None) -> bool:
        """Tell whether the end of a token is held, for as long as it has to be."""
        return self._revoked.tokens.get(jti, 0.0) >= (inf if until is None else until)

    @property
    def everyone_at(self) -> int:
        """The cutoff of all subjects, in milliseconds; 0 if there is none."""
        return self._revoked.everyone_at

    def newest_cutoff(self, sub: str) -> int:
        """Tell from when on a new session of a subject lives, in milliseconds, as far as it is known here."""
        prefix = self._revoked.cutoffs.get(sub)
        return max(timestamp_of(prefix) if prefix is not None else 0, self._revoked.everyone_at)

    @property
    def loaded(self) -> bool:
        """Whether it has ever been loaded."""
        return self._answered is not None

    def __len__(self) -> int:
        return len(self._revoked)

    # What keeps it current

    def apply(self, revocation: Revocation) -> None:
        """Take in a revocation that this process made, as the store returned it, without waiting to read it back."""
        for reading in self._readings:
            reading.append(revocation)
        self._apply_again([revocation])

    def _apply_again(self, revocations: list[Revocation]) -> None:
        for one in revocations:
            # The store may have taken in another since. Of cutoffs of one time, the last keeps what all of them do.
            keeps_another = one.kind == "subject" and self._revoked.keeps_another(one)
            self._take([replace(one, spared=None) if keeps_another else one])

    def _take(self, revocations: list[Revocation]) -> None:
        if self._revoked.apply(revocations, self._now()):
            # Last, so that whoever saw the state before has to look again.
            self._state = object()

    @contextmanager
    def _reading(self) -> Iterator[list[Revocation]]:
        """Note what becomes known while the store is read: it may be newer than what is read."""
        meanwhile: list[Revocation] = []
        self._readings.append(meanwhile)
        try:
            yield meanwhile
        finally:
            self._readings = [reading for reading in self._readings if reading is not meanwhile]

    def note_answer(self) -> None:
        """Note that the store has just answered, and everything it keeps is known."""
        now, at = self._monotonic(), self._clock()
        # The monotonic clock of a machine that sleeps may stand still, and the other one may be set back.
        shortest = SHORTEST_WINDOW / 1000
        if self._answered is None or max(now - self._answered, at - self._answered_at) > shortest:
            self._known_since, self._state = at - shortest, object()
        self._answered, self._answered_at = now, at
        self._fresh_until = inf if self._max_staleness is None else now + self._max_staleness

    async def load(self) -> None:
        """Take in everything the store keeps, in place of what is held."""
        with self._reading() as meanwhile:
            listed, cursor = await self._store.revocations("")
            loading = Revoked(self._revoked.window)
            for start in range(0, len(listed), _SLICE):
                loading.apply(listed[start : start + _SLICE], self._now())
                # A hundred thousand of them must not hold up requests.
                await asyncio.sleep(0)
            self._revoked, self._cursor, self._current = loading, cursor, True
            self._apply_again(meanwhile)
            self._state = object()
        self.note_answer()

    async def follow(self) -> None:
        """Keep current until cancelled or told to stop, whatever happens to the store."""
        self._follower = asyncio.current_task()
        failures = 0
        next_count = self._monotonic() + _COUNT_INTERVAL
        # A cancellation can get lost in a driver, so it is not the only way to end this.
        while self._follower is asyncio.current_task():
            try:
                if not self._current:
                    await self.load()
                await self._store.wait(self._cursor, 0 if self._may_prune_more else self._poll_interval)
                await self.catch_up()
                self._revoked.forget(self._now(), _SLICE)
                if self._monotonic() >= next_count:
                    next_count = self._monotonic() + _COUNT_INTERVAL
                    await self._compare()
                    self._may_prune_more = True
                if self._may_prune_more:
                    # One slice at a time: a long backlog must not keep what was revoked meanwhile from being read.
                    self._may_prune_more = await self._store.prune(self._now(), _SLICE) >= _SLICE
                failures = 0
            except StoreUnavailableError as error:
                if failures == 0:
                    _logger.warning("the session store does not answer (%s); trying again", error)
                await self._pause(failures)
                failures += 1
            except Exception:
                _logger.exception("following the session store failed; trying again")
                await self._pause(failures)
                failures += 1

    def stop(self) -> None:
        """Let `follow` end at its next step."""
        self._follower = None

    async def _pause(self, failures: int) -> None:
        # What happens meanwhile is in the store, and may not be behind the cursor.
        self._current = False
        await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])

    async def catch_up(self) -> None:
        """Take in what was revoked since the last look at the store."""
        with self._reading() as meanwhile:
            listed, newest = await self._store.revocations(self._cursor)
        self._take(listed)
        self._apply_again(meanwhile)
        self._cursor = newest
        for reading in self._readings:
            reading.extend(listed)
        self.note_answer()

    async def _compare(self) -> None:
        """Compare with the store once a minute."""
        now = self._now()
        # In slices, so that requests come in between.
        while self._revoked.forget(now, _SLICE):  # noqa: ASYNC110
            await asyncio.sleep(0)
        # What ends within a minute is forgotten with that minute, so that is how it is counted.
        count, newest = await self._store.count_live(minute_of(now) - 1)
        if newest == self._cursor and count != len(self._revoked):
            await self.load()

    def _now(self) -> int:
        return int(self._clock() * 1000)
