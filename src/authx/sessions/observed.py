"""A store whose answers are recorded: how long it was away, and how long this process was.

One wrapper belongs to one store object, so that a changed setting does not forget its outages, and instances
that share the store share them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Lock
from time import monotonic
from typing import Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from authx.core.outages import Outages
from authx.exceptions import StoreUnavailableError
from authx.stores import (
    Cutoff,
    Revocation,
    Revocations,
    Rotation,
    Session,
    Sessions,
    Store,
    namespace_of,
)

__all__ = ["ObservedStore", "StallTimer", "observe"]

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")

_SECOND: Final = 1.0


class ObservedStore:
    """Wraps a store, and records whether it answers.

    After a call that failed it calls the store again, at once and then once a second, until there is an answer.

    Attributes:
        store: The store.
        outages: The outages that were observed.
    """

    def __init__(self, store: Store, clock: Callable[[], float], outages: Outages) -> None:
        self.store: Final = store
        self.outages: Final = outages
        self._clock = clock
        self._is_closed = False
        self._probing: asyncio.Task[None] | None = None
        self._parent: ObservedStore | None = None

    def namespace(self, name: str) -> "ObservedStore":
        """As `NamespacedStore.namespace`; the outages of both are the same."""
        inner = ObservedStore(namespace_of(self.store, name), self._clock, self.outages)
        # As long as it is in use, `observe` has to find the one that it comes from.
        inner._parent = self
        return inner

    async def open(self) -> None:
        """As `Store.open`. Where the store is open already, it is not asked, so success proves nothing."""
        await self._observe(self.store.open)

    async def close(self) -> None:
        """As `Store.close`."""
        self._is_closed = True
        probing, self._probing = self._probing, None
        if probing is not None and not probing.done():
            loop = probing.get_loop()
            if loop is asyncio.get_running_loop():
                probing.cancel()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(probing.cancel)
        await self.store.close()

    async def create_schema(self) -> None:
        """As `Store.create_schema`."""
        await self._answered(self.store.create_schema)

    async def create(self, session: Session) -> bool:
        """As `Store.create`."""
        return await self._answered(self.store.create, session)

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """As `Store.get`."""
        return await self._answered(self.store.get, sid, sub)

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """As `Store.list`."""
        return await self._answered(self.store.list, sub, now, limit)

    async def advance(self, rotation: Rotation) -> Session | None:
        """As `Store.advance`."""
        return await self._answered(self.store.advance, rotation)

    async def revoke(self, revocation: Revocation) -> Revocation:
        """As `Store.revoke`."""
        return await self._answered(self.store.revoke, revocation)

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """As `Store.revocations`."""
        return await self._answered(self.store.revocations, cursor)

    async def count_live(self, now: int) -> tuple[int, str]:
        """As `Store.count_live`."""
        return await self._answered(self.store.count_live, now)

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - the protocol's own argument
        """As `Store.wait`. It may return without having asked the store, so that it returns proves nothing."""
        await self._observe(self.store.wait, cursor, timeout)

    async def prune(self, now: int, limit: int) -> int:
        """As `Store.prune`."""
        return await self._answered(self.store.prune, now, limit)

    async def _answered(
        self, call: Callable[_Arguments, Awaitable[_Answer]], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Answer:
        self._is_closed = False
        sent_at = self._now()
        try:
            answer = await call(*args, **kwargs)
        except StoreUnavailableError:
            self._failed(sent_at)
            raise
        except Exception:
            # A row that cannot be read and a statement that is refused are answers.
            self.outages.answered(self._now())
            raise
        self.outages.answered(self._now())
        return answer

    async def _observe(
        self, call: Callable[_Arguments, Awaitable[None]], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> None:
        """Make a call whose success is no answer. It may have waited for long, so it failed now and not before."""
        self._is_closed = False
        try:
            await call(*args, **kwargs)
        except StoreUnavailableError:
            self._failed(self._now())
            raise

    def _failed(self, sent_at: int) -> None:
        if self._is_closed:
            # It failed because the store was closed under it, and the next call would open that again.
            return
        self.outages.failed(sent_at)
        probing, loop = self._probing, asyncio.get_running_loop()
        if probing is None or probing.done() or probing.get_loop() is not loop:
            self._probing = loop.create_task(self._probe())

    async def _probe(self) -> None:
        """Call the store until it answers, so that the end of the silence is known within a second."""
        while True:
            began = monotonic()
            try:
                await self._answered(self.store.get, "")
            except StoreUnavailableError:
                await asyncio.sleep(max(0.0, began + _SECOND - monotonic()))
            except Exception:  # noqa: BLE001 - any other error is an answer
                return
            else:
                return

    def _now(self) -> int:
        return int(self._clock() * 1000)


_known: WeakValueDictionary[int, ObservedStore] = WeakValueDictionary()
_lock: Final = Lock()


def observe(store: Store, clock: Callable[[], float]) -> ObservedStore:
    """Find the wrapper of a store; there is one for each store object."""
    with _lock:
        # A wrapper holds its store, so the number cannot belong to another one as long as it is found here.
        observed = _known.get(id(store))
        if observed is None:
            observed = _known[id(store)] = ObservedStore(store, clock, Outages())
        return observed


class StallTimer:
    """Fires once a second on an event loop. Where it fires late, the loop was blocked."""

    def __init__(self, outages: Outages, clock: Callable[[], float]) -> None:
        self._outages = outages
        self._clock = clock
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to fire on the running event loop."""
        self.stop()
        self._schedule(asyncio.get_running_loop())

    def stop(self) -> None:
        """Fire no more; has to be called on the event loop that it fires on, unless that has ended."""
        handle, self._handle, self._due = self._handle, None, None
        if handle is not None:
            handle.cancel()

    def check(self) -> None:
        """Record that the loop was blocked, if it was; a request may be there before the timer is."""
        if self._due is None:
            return
        now = monotonic()
        late = int((now - self._due) * 1000)
        if late > 0:
            self._outages.stalled(late, int(self._clock() * 1000))
            self._due = now

    def stood_still(self, since: int, now: int) -> int:
        """Compute how long outages lasted between two times; see `Outages.stood_still`."""
        self.check()
        return self._outages.stood_still(since, now)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = monotonic() + _SECOND
        self._handle = loop.call_later(_SECOND, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self.check()
        self._schedule(loop)
