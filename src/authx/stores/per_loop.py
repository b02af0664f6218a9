"""What a store has open belongs to one event loop of one process; on any other it is opened again."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from authx.stores.ending import end_task

__all__ = ["PerLoop"]

_END_SECONDS: Final = 2.0

_Opened = TypeVar("_Opened")

# What a forked process inherited. Letting go of it would shut connections of the parent, so nobody does.
_inherited: list[object] = []


@dataclass(slots=True, eq=False)
class _Held(Generic[_Opened]):
    loop: asyncio.AbstractEventLoop
    pid: int
    opening: "asyncio.Task[_Opened] | None" = None
    opened: _Opened | None = None
    keeper: AsyncGenerator[None, None] | None = None
    is_given_up: bool = False


class PerLoop(Generic[_Opened]):
    """Opens a resource at its first use on an event loop, once however many ask.

    Args:
        start: Opens it.
        abandon: Lets go of it where its event loop has closed without giving it the time to close.
        close: Closes it, when the event loop is shut down or `close` is called; by default it is left alone.
    """

    def __init__(
        self,
        start: Callable[[], Awaitable[_Opened]],
        abandon: Callable[[_Opened], None],
        close: Callable[[_Opened], Awaitable[None]] | None = None,
    ) -> None:
        self._start = start
        self._abandon = abandon
        self._close = close
        self._all: dict[asyncio.AbstractEventLoop, _Held[_Opened]] = {}
        self._last: _Held[_Opened] | None = None

    def here(self) -> _Opened | None:
        """Tell what is open on the running event loop.

        Returns:
            The resource; `None` if it has to be opened first.
        """
        last = self._last
        if last is None or last.loop is not asyncio.get_running_loop() or last.pid != os.getpid():
            return None
        return last.opened

    async def get(self) -> _Opened:
        """Open the resource on the running event loop, unless it is.

        Returns:
            The resource.
        """
        self._forget_the_dead()
        loop = asyncio.get_running_loop()
        held = self._all.get(loop)
        if held is None or held.opening is None:
            held = self._all[loop] = _Held(loop=loop, pid=os.getpid())
            held.opening = loop.create_task(self._open(held))
            held.opening.add_done_callback(partial(self._finish, held))
        # Shielded: the one who began it may be cancelled while others wait for it too.
        opened = await asyncio.shield(held.opening)
        self._last = held
        return opened

    async def pop(self) -> _Opened | None:
        """Give up what is open on the running event loop.

        Returns:
            The resource, which is now the caller's to close; `None` if there is none.
        """
        self._forget_the_dead()
        self._last = None
        held = self._all.pop(asyncio.get_running_loop(), None)
        if held is None:
            return None
        if held.opened is None and held.opening is not None:
            await end_task(held.opening, _END_SECONDS)
            held.is_given_up = not held.opening.done()
        opened, held.opened = held.opened, None
        if held.keeper is not None:
            await held.keeper.aclose()
        return opened

    async def close(self) -> None:
        """Close what is open on the running event loop."""
        opened = await self.pop()
        if opened is not None and self._close is not None:
            await self._close(opened)

    async def _open(self, held: _Held[_Opened]) -> _Opened:
        opened = held.opened = await self._start()
        if held.is_given_up and self._close is not None:
            # It opened late, in spite of being cancelled.
            held.opened = None
            await self._close(opened)
            raise asyncio.CancelledError
        # An event loop that is shut down finishes its asynchronous generators first, so nothing outlives the loop
        # though nobody called `close`.
        held.keeper = self._keep(held)
        await anext(held.keeper)
        return opened

    async def _keep(self, held: _Held[_Opened]) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            opened, held.opened = held.opened, None
            if self._all.get(held.loop) is held:
                del self._all[held.loop]
            if opened is not None and self._close is not None:
                await self._close(opened)

    def _finish(self, held: _Held[_Opened], opening: "asyncio.Task[_Opened]") -> None:
        # A failure is not remembered: the next one tries again.
        if (opening.cancelled() or opening.exception() is not None) and self._all.get(held.loop) is held:
            del self._all[held.loop]

    def _forget_the_dead(self) -> None:
        for loop, held in list(self._all.items()):
            if held.pid != os.getpid():
                _inherited.append(held)
            elif not loop.is_closed():
                continue
            elif held.opened is not None:
                self._abandon(held.opened)
            self._all.pop(loop, None)
            if self._last is held:
                self._last = None
