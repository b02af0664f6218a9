"""What a store has open belongs to one event loop of one process; on any other it is opened again."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

__all__ = ["PerLoop"]

_Opened = TypeVar("_Opened")

# What a forked process inherited. Letting go of it would shut connections of the parent, so nobody does.
_inherited: list[object] = []


@dataclass(slots=True)
class _Held(Generic[_Opened]):
    loop: asyncio.AbstractEventLoop
    pid: int
    opening: "asyncio.Task[_Opened]"
    opened: _Opened | None = None


class PerLoop(Generic[_Opened]):
    """Opens a resource at its first use on an event loop, once however many ask.

    Args:
        start: Opens it.
        abandon: Lets go of it after its event loop has closed, without one.
    """

    def __init__(self, start: Callable[[], Awaitable[_Opened]], abandon: Callable[[_Opened], None]) -> None:
        self._start = start
        self._abandon = abandon
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
        if held is None:
            held = _Held(loop=loop, pid=os.getpid(), opening=loop.create_task(self._open()))
            self._all[loop] = held
            held.opening.add_done_callback(partial(self._finish, held))
        # Shielded: the one who began it may be cancelled while others wait for it too.
        opened = await asyncio.shield(held.opening)
        self._last = held
        return opened

    def _finish(self, held: _Held[_Opened], opening: "asyncio.Task[_Opened]") -> None:
        if not opening.cancelled() and opening.exception() is None:
            held.opened = opening.result()
        elif self._all.get(held.loop) is held:
            # A failure is not remembered: the next one tries again.
            del self._all[held.loop]

    async def pop(self) -> _Opened | None:
        """Give up what is open on the running event loop, and forget what closed ones had.

        Returns:
            The resource, which is now the caller's to close; `None` if there is none.
        """
        self._forget_the_dead()
        self._last = None
        held = self._all.pop(asyncio.get_running_loop(), None)
        if held is None:
            return None
        if held.opened is None:
            held.opening.cancel()
            await asyncio.wait([held.opening])
        return held.opened

    async def _open(self) -> _Opened:
        return await self._start()

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
