"""Ending tasks, and waiting for no longer than one said, whatever a driver makes of a cancellation.

`asyncio.wait_for` of Python 3.11, and drivers that use it, lose a cancellation that comes together with a result.
The task then goes on as if nobody had asked it to end.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["end_task", "within"]

_AGAIN: Final = 0.05
_Result = TypeVar("_Result")
# What did not end in time: an event loop forgets tasks that nobody holds.
_left: set[asyncio.Task[Any]] = set()


async def end_task(task: "asyncio.Task[Any]", seconds: float) -> None:
    """Cancel a task of the running event loop until it has ended, or for that long; its error is not raised."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not task.done() and (left := deadline - loop.time()) > 0:
        task.cancel()
        await asyncio.wait({task}, timeout=min(left, _AGAIN))
    _forget(task)


async def within(seconds: float, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Await something for some time at most, or raise `TimeoutError`; what ignores its cancellation is left alone."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        task.cancel()
        _forget(task)


def _forget(task: "asyncio.Task[Any]") -> None:
    """Let a task end by itself, if it still has to; its error is dropped."""
    _left.add(task)
    task.add_done_callback(_ended)


def _ended(task: "asyncio.Task[Any]") -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()
