"""Waiting for a state: for as long as a slow machine may need, and no moment longer than it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar

__all__ = ["PATIENCE", "SOON", "until", "wait_until"]

# Seconds after which something counts as never going to happen. Only a test that fails waits for so long.
PATIENCE = 60.0
# Seconds in which a revocation reaches other processes, even on a slow machine. It would be found after sixty even if
# nobody announced it.
SOON = 30.0
_LOOK_AGAIN = 0.01

_Found = TypeVar("_Found")


def wait_until(
    happened: Callable[[], _Found],
    what: str = "it",
    *,
    within: float = PATIENCE,
    pause: Callable[[], object] = lambda: time.sleep(_LOOK_AGAIN),
) -> _Found:
    """Look until something has happened; return what was found.

    Args:
        happened: Looks; what it finds is true once it has happened.
        what: Names it, for the error of a test that fails.
        within: Seconds that it may take.
        pause: Lets a moment pass, where others have to work in this thread meanwhile.
    """
    end = time.monotonic() + within
    while not (found := happened()):
        assert time.monotonic() < end, f"{what} did not happen within {within:g} seconds"
        pause()
    return found


async def until(
    happened: Callable[[], _Found | Awaitable[_Found]], what: str = "it", *, within: float = PATIENCE
) -> _Found:
    """Look until something has happened, while the event loop goes on; as `wait_until`, but `happened` may be async."""
    end = time.monotonic() + within
    while True:
        found: Any = happened()
        if isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen within {within:g} seconds"
        await asyncio.sleep(_LOOK_AGAIN)
