"""What runs: a store that is open, and the task that follows its revocations, on one event loop of one process."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from authx.core.ids import session_created_at
from authx.core.session import kills
from authx.exceptions import SessionRevoked, StoreUnavailableError
from authx.jose.json_object import JSONObject
from authx.sessions.events import Events
from authx.sessions.feed import RevocationFeed
from authx.sessions.observed import ObservedStore, StallTimer
from authx.sessions.service import Client, Sessions, SessionSettings
from authx.stores import InvalidRowError, Store
from authx.stores.ending import end_task, within
from authx.tokens.presented import read_refresh_token
from authx.tokens.verifier import Verified

__all__ = ["RevocationCheck", "Running", "SessionEngine"]

_logger = logging.getLogger("authx")
# Opening and closing return within ten seconds, whatever the store and its driver do.
_OPEN_SECONDS: Final = 9.0
_END_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 5.0

RevocationCheck: TypeAlias = Literal["feed", "store", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How an engine runs.

    Attributes:
        check: How access tokens are checked for revocation.
        create_schema: Whether the store's tables are created where they are missing.
        poll_interval: Seconds between two looks at a store that does not tell by itself.
        max_staleness: Seconds after which a silent store makes requests fail; `None`: never.
    """

    check: RevocationCheck
    create_schema: bool
    poll_interval: float
    max_staleness: float | None


class SessionEngine:
    """Sessions on an open store. Nothing is opened at construction, so it survives a fork before that.

    Args:
        store: The store.
        origin: What the store was made from, to compare with.
        settings: How sessions live.
        events: Who is told of what happens.
        clock: Seconds since 1970.
        running: How it runs.
    """

    def __init__(
        self,
        store: ObservedStore,
        origin: tuple[object, str, str | None],
        settings: SessionSettings,
        events: Events,
        clock: Callable[[], float],
        running: Running,
    ) -> None:
        self.feed: Final = RevocationFeed(
            store,
            clock,
            window=settings.window / 1000,
            poll_interval=running.poll_interval,
            max_staleness=running.max_staleness,
        )
        self.sessions: Final = Sessions(store, self.feed, self._stood_still, events, settings, clock)
        self.observed: Final = store
        self.store: Final[Store] = store.store
        self.origin: Final = origin
        self.check: Final = running.check
        self._running = running
        self._clock = clock
        self._timer = StallTimer(store.outages, clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._is_retired = False

    async def ensure(self) -> None:
        """Start, unless it runs on this event loop already; several callers start it once.

        Raises:
            StoreUnavailableError: The store does not answer; the next call tries again.
            BadConfigurationError: The store can never work as configured.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._is_retired:
            # A request that began before the settings changed: nothing is started any more that nobody would stop.
            if self.feed.loaded:
                return
            raise _changed()
        self._leave_other_loop(loop)
        starting = self._starting
        if starting is None or starting.get_loop() is not loop or starting.done():
            starting = self._starting = loop.create_task(self._start(loop))
        try:
            # One caller that goes away must not take the start from the others.
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Was it the caller who is cancelled, or the start?
            if starting.cancelled() and not self._is_cancelled():
                raise _changed() from None
            raise

    @staticmethod
    def _is_cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def _leave_other_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop following on a loop that this instance has moved away from."""
        former, following = self._loop, self._following
        if former is None or former is loop or following is None:
            return
        self._loop = self._following = None
        timer = self._timer

        async def leave() -> None:
            timer.stop()
            await end_task(following, _END_SECONDS)

        _on(former, leave)

    async def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await within(_OPEN_SECONDS, self._open())
        except TimeoutError:
            raise StoreUnavailableError("the session store did not open in time") from None
        self._timer = StallTimer(self.observed.outages, self._clock)
        self._timer.start()
        self._following = loop.create_task(self.feed.follow())
        self._loop = loop

    async def _open(self) -> None:
        await self.observed.open()
        if self._running.create_schema:
            await self.observed.create_schema()
        else:
            # Reads every column: a schema that is missing or outdated shows now, and not at the first login.
            await self.observed.get("")
        await self.feed.load()

    def is_as(self, settings: SessionSettings, running: Running) -> bool:
        """Tell whether an engine with these settings would be like this one."""
        return (self.sessions.settings, self._running) == (settings, running)

    def retire(self, successor: "SessionEngine | None") -> None:
        """Stop soon, from wherever this is called, because the settings have changed.

        Args:
            successor: The engine that takes over; a store that it shares stays open.
        """
        self._is_retired = True
        task = self._following or self._starting
        if task is not None:
            shared = successor is not None and successor.store is self.store
            _on(task.get_loop(), lambda: self._stop(close=not shared))

    async def stop(self) -> None:
        """Stop following and let go of the store; stopping twice does nothing."""
        await self._stop(close=True)

    async def _stop(self, *, close: bool) -> None:
        tasks = (self._starting, self._following)
        self._starting = self._following = self._loop = None
        self._timer.stop()
        self.feed.stop()
        for task in tasks:
            if task is not None and task.get_loop() is asyncio.get_running_loop():
                await end_task(task, _END_SECONDS)
        if not close:
            return
        try:
            await within(_CLOSE_SECONDS, self.observed.close())
        except TimeoutError:
            _logger.warning("the session store did not close in time; its connections are left to end by themselves")

    def _stood_still(self, since: int, now: int) -> int:
        return self._timer.stood_still(since, now)

    def clears(self, verified: Verified, now: float) -> bool:
        """Tell at once whether an access token is certainly not revoked.

        Args:
            verified: The token.
            now: Seconds since 1970.

        Returns:
            Whether it is; False does not mean that it is revoked, and `admit` finds out.
        """
        if self.check == "none":
            return True
        # Nothing is looked up in a feed that another event loop keeps current, or kept.
        return self.check == "feed" and self._loop is asyncio.get_running_loop() and self.feed.clears(verified, now)

    def admit_if_loaded(self, claims: JSONObject) -> None:
        """Refuse an access token that was revoked as far as this process knows, without waiting for anything.

        Args:
            claims: Verified claims.

        Raises:
            SessionRevoked: Its session was ended.
            RevokedTokenError: It was revoked itself.
            StoreUnavailableError: The store has been silent for too long to know.
        """
        if self.check != "none" and self.feed.loaded:
            self.feed.check(claims)

    async def admit(self, verified: Verified) -> None:
        """Refuse an access token that was revoked.

        Args:
            verified: The token.

        Raises:
            SessionRevoked: Its session was ended.
            RevokedTokenError: It was revoked itself.
            StoreUnavailableError: That cannot be known now.
        """
        if self.check == "none":
            return
        await self.ensure()
        if self.check == "store":
            await self.feed.catch_up()
        self.feed.check(verified.claims)
        asked_at = self._clock()
        if self.check == "store" or not self.feed.covers(verified, asked_at):
            await self._ask_store(verified.claims)
            # What is revoked from then on comes by the feed.
            verified.known_at = max(verified.known_at, asked_at)

    async def decide(
        self, token: bytes, claims: JSONObject, now: float, client: Client, retry_key: bytes | None = None
    ) -> None:
        """Refuse a refresh token that its session would not take.

        Args:
            token: The compact token.
            claims: Its verified claims.
            now: Seconds since 1970.
            client: Who asks.
            retry_key: The request's retry key.

        Raises:
            AuthXException: It would not; one that was used before has ended its session.
        """
        await self.sessions.verdict(read_refresh_token(token, claims, now, retry_key).use, client)

    async def _ask_store(self, claims: Mapping[str, Any]) -> None:
        sid: str | None = claims.get("sid")
        sub: str = claims["sub"]
        try:
            row, cutoff = await self.observed.get(sid or "", sub)
        except InvalidRowError:
            await self.sessions.tell("row_invalid", uid=sub, session_id=sid, client=Client())
            raise SessionRevoked("Session has been revoked") from None
        created = int(claims["iat"] * 1000) if sid is None else session_created_at(sid)
        if (row is not None and row.revoked_at is not None) or kills(cutoff, sid or "", created):
            raise SessionRevoked("Session has been revoked")


def _changed() -> StoreUnavailableError:
    return StoreUnavailableError("the session store was closed, or its settings changed, while it was opened")


def _on(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin something on an event loop, which may be that of another thread, and may have ended."""

    def begin() -> None:
        task = loop.create_task(work())
        _begun.add(task)
        task.add_done_callback(_begun.discard)

    # It may close at any moment.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(begin)


# An event loop forgets tasks that nobody holds.
_begun: set[asyncio.Task[None]] = set()
