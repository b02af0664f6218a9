"""A store that is open, and the feed that follows its revocations: one of each on every event loop that asks."""

import logging
from asyncio import AbstractEventLoop, CancelledError, get_running_loop
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from authx.core.rotation import Cause
from authx.exceptions import StoreUnavailableError
from authx.sessions.events import Events, SecurityEvent
from authx.sessions.feed import RevocationFeed
from authx.sessions.observed import ObservedStore, StallTimer
from authx.sessions.requester import NOBODY, Requester
from authx.sessions.settings import SessionSettings
from authx.stores.ending import end_task, within
from authx.stores.per_loop import PerLoop
from authx.tokens.issuer import SessionIds

__all__ = ["Lifecycle"]

_logger = logging.getLogger("authx")
# Opening and closing return within ten seconds, whatever the store and its driver do.
_OPEN_SECONDS: Final = 9.0
_END_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 5.0


class _Follower:
    """The task that keeps a feed current on one event loop, and the timer that notices when the loop was blocked."""

    __slots__ = ("feed", "loop", "task", "timer")

    def __init__(self, loop: AbstractEventLoop, feed: RevocationFeed, timer: StallTimer) -> None:
        self.loop = loop
        self.feed = feed
        self.timer = timer
        timer.start()
        self.task = loop.create_task(feed.follow())

    async def end(self) -> None:
        """Stop following; on the event loop that it runs on."""
        self.abandon()
        await end_task(self.task, _END_SECONDS)

    def abandon(self) -> None:
        """Let go where the event loop has ended."""
        self.timer.stop()
        self.feed.stop()


class Lifecycle:
    """Opens and closes what sessions run on. Nothing is opened at construction, so it survives a fork before that."""

    def __init__(
        self,
        store: ObservedStore,
        settings: SessionSettings,
        events: Events,
        ids: SessionIds,
        clock: Callable[[], float],
        origin: tuple[object, str, str | None] | None = None,
    ) -> None:
        self.store: Final = store
        self.settings: Final = settings
        self.events: Final = events
        self.ids: Final = ids
        self.clock: Final = clock
        self.origin: Final = origin
        self._followers: PerLoop[_Follower] = PerLoop(self._start, self._end, _Follower.abandon)
        self._latest: _Follower | None = None
        self._unopened: Final = self._new_feed()
        self._is_retired = False
        self._leaves_store_open = True
        ids.floor = self._newest_cutoff

    @property
    def feed(self) -> RevocationFeed:
        """The feed that was asked last; one that is empty as long as nothing was opened."""
        return self._unopened if self._latest is None else self._latest.feed

    def _newest_cutoff(self, sub: str) -> int:
        return self.feed.newest_cutoff(sub)

    async def open(self) -> RevocationFeed:
        """Open the store and follow its revocations on this event loop, unless that is so; return the feed.

        Several callers open it once. Where the store does not answer, the next call tries again.
        """
        latest = self._latest
        if latest is not None and latest.loop is get_running_loop() and not latest.task.done():
            return latest.feed
        if not self._is_retired:
            latest = self._latest = await self._followers.get()
            return latest.feed
        if not self.feed.loaded:
            # A request that began before the settings changed: nothing is opened any more that nobody would close.
            raise StoreUnavailableError("The settings changed before the session store was opened")
        return self.feed

    async def _start(self) -> _Follower:
        feed = self._new_feed() if self._unopened.loaded else self._unopened
        try:
            await within(_OPEN_SECONDS, self._load(feed))
        except TimeoutError:
            raise StoreUnavailableError("the session store did not open in time") from None
        except CancelledError:
            # The settings changed meanwhile, and nobody else will close what has been opened.
            if not self._leaves_store_open:
                await self._close_store()
            raise
        return _Follower(get_running_loop(), feed, StallTimer(self.store.outages, self.clock))

    async def _load(self, feed: RevocationFeed) -> None:
        await self.store.open()
        if self.settings.create_schema:
            await self.store.create_schema()
        else:
            # Reads every column: a schema that is missing or outdated shows now, and not at the first login.
            await self.store.get("")
        await feed.load()

    def _new_feed(self) -> RevocationFeed:
        settings = self.settings
        return RevocationFeed(
            self.store,
            self.clock,
            window=settings.window / 1000,
            poll_interval=settings.poll_interval,
            max_staleness=settings.max_staleness,
        )

    async def close(self) -> None:
        """Stop following on this event loop, and close the store; closing twice does nothing."""
        self._latest = None
        await self._followers.close()
        await self._close_store()

    async def _end(self, follower: _Follower) -> None:
        await follower.end()
        if not self._leaves_store_open:
            await self._close_store()

    async def _close_store(self) -> None:
        try:
            await within(_CLOSE_SECONDS, self.store.close())
        except TimeoutError:
            _logger.warning("the session store did not close in time; its connections are left to end by themselves")

    def retire(self, successor: "Lifecycle | None") -> None:
        """Stop soon on every event loop, because the settings changed; a store that the successor shares stays open."""
        self._is_retired = True
        self._leaves_store_open = successor is not None and successor.store.store is self.store.store
        self._followers.close_soon()

    def stood_still(self, since: int, now: int) -> int:
        """Compute how many of the milliseconds between two times were an outage."""
        follower = self._followers.here()
        return (self.store.outages if follower is None else follower.timer).stood_still(since, now)

    async def emit(
        self,
        event: str,
        requester: Requester = NOBODY,
        *,
        uid: str | None = None,
        session_id: str | None = None,
        distance: int | None = None,
        cause: Cause | None = None,
        level: int | None = None,
    ) -> None:
        """Emit a security event: its name, who asked, whom and which session it concerns; see `SecurityEvent`."""
        if not self.events.wants(event, level):
            return
        await self.events.emit(
            SecurityEvent(
                event=event,
                at=datetime.fromtimestamp(self.clock(), UTC),
                uid=uid,
                session_id=session_id,
                ip_address=requester.ip,
                user_agent=requester.user_agent,
                distance=distance,
                cause=cause,
            ),
            level,
        )
