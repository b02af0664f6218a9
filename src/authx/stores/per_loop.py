"""A resource that belongs to one event loop of one process; on any other it is opened again."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from authx.exceptions import StoreUnavailableError
from authx.stores.ending import end_task

__all__ = ["PerLoop"]

_END_SECONDS: Final = 2.0

_Resource = TypeVar("_Resource")

# What a forked process inherited. Letting go of it would shut connections of the parent, so nobody does.
_inherited: list[object] = []
# An event loop forgets tasks that nobody holds.
_closing: set[asyncio.Task[None]] = set()


@dataclass(slots=True, eq=False)
class _Held(Generic[_Resource]):
    loop: asyncio.AbstractEventLoop
    pid: int
    opening: "asyncio.Task[_Resource] | None" = None
    opened: _Resource | None = None
    at_shutdown: AsyncGenerator[None, None] | None = None
    is_given_up: bool = False


class PerLoop(Generic[_Resource]):
    """Opens a resource at its first use on an event loop, and closes it there.

    However many ask at the same time, it is opened once; a caller that is cancelled does not cancel that for the
    others, and a failure is not remembered. The resource is closed by `close`, by `close_soon` from any loop or
    thread, or when its event loop shuts down; where the loop ended without doing so, `abandon` lets go of it, at
    the next use on another loop. A forked process opens its own, and never touches what it inherited.

    Args:
        start: Opens the resource, on the running event loop.
        close: Closes it, on its own event loop.
        abandon: Lets go of it after its event loop has ended; by default nothing is done.
    """

    def __init__(
        self,
        start: Callable[[], Awaitable[_Resource]],
        close: Callable[[_Resource], Awaitable[None]],
        abandon: Callable[[_Resource], None] | None = None,
    ) -> None:
        self._start = start
        self._close = close
        self._abandon = abandon
        self._all: dict[asyncio.AbstractEventLoop, _Held[_Resource]] = {}
        self._last: _Held[_Resource] | None = None

    def here(self) -> _Resource | None:
        """Return what is open on the running event loop; `None` if it has to be opened first."""
        last = self._last
        if last is None or last.loop is not asyncio.get_running_loop() or last.pid != os.getpid():
            return None
        return last.opened

    async def get(self) -> _Resource:
        """Return what is open on the running event loop, after opening it where it is not.

        Raises:
            StoreUnavailableError: It was closed while it was opened. What `start` raises is raised too.
        """
        self._forget_the_dead()
        loop = asyncio.get_running_loop()
        held = self._all.get(loop)
        if held is None or held.opening is None:
            held = self._all[loop] = _Held(loop=loop, pid=os.getpid())
            held.opening = loop.create_task(self._open(held))
            held.opening.add_done_callback(partial(self._finish, held))
        try:
            # Shielded: the one who began it may be cancelled while others wait for it too.
            opened = await asyncio.shield(held.opening)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if held.opening.cancelled() and not (task is not None and task.cancelling()):
                raise StoreUnavailableError(
                    "The session store was closed, or its settings changed, while it was opened"
                ) from None
            raise
        if self._all.get(loop) is held:
            self._last = held
        return opened

    async def close(self) -> None:
        """Close what is open, or being opened, on the running event loop; without any, do nothing."""
        self._forget_the_dead()
        held = self._remove(asyncio.get_running_loop())
        if held is not None:
            await self._end(held)

    def close_soon(self) -> None:
        """Begin to close what is open or being opened on every event loop, from any thread or loop."""
        self._forget_the_dead()
        for loop in list(self._all):
            if (held := self._remove(loop)) is not None:
                # The loop may close at any time.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._begin_end, held)

    async def _open(self, held: _Held[_Resource]) -> _Resource:
        opened = await self._start()
        if held.is_given_up:
            # It opened late, in spite of being cancelled.
            await self._close(opened)
            raise asyncio.CancelledError
        held.opened = opened
        # An event loop that is shut down finishes its asynchronous generators first, so nothing outlives the loop
        # though nobody called `close`.
        held.at_shutdown = self._close_at_shutdown(held)
        await anext(held.at_shutdown)
        return opened

    async def _close_at_shutdown(self, held: _Held[_Resource]) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if self._all.get(held.loop) is held:
                self._remove(held.loop)
            opened, held.opened = held.opened, None
            if opened is not None:
                await self._close(opened)

    def _finish(self, held: _Held[_Resource], opening: "asyncio.Task[_Resource]") -> None:
        if (opening.cancelled() or opening.exception() is not None) and self._all.get(held.loop) is held:
            del self._all[held.loop]

    def _remove(self, loop: asyncio.AbstractEventLoop) -> _Held[_Resource] | None:
        held = self._all.pop(loop, None)
        if self._last is held:
            self._last = None
        return held

    def _begin_end(self, held: _Held[_Resource]) -> None:
        closing: asyncio.Task[Any] = held.loop.create_task(self._end(held))
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)

    async def _end(self, held: _Held[_Resource]) -> None:
        if held.opened is None and held.opening is not None:
            await end_task(held.opening, _END_SECONDS)
            held.is_given_up = not held.opening.done()
        opened, held.opened = held.opened, None
        if opened is not None:
            if held.at_shutdown is not None:
                await held.at_shutdown.aclose()
            await self._close(opened)

    def _forget_the_dead(self) -> None:
        for loop, held in list(self._all.items()):
            if held.pid != os.getpid():
                _inherited.append(held)
            elif not loop.is_closed():
                continue
            elif held.opened is not None and self._abandon is not None:
                self._abandon(held.opened)
            self._remove(loop)
