"""Waiting for what another process does, by looking."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_AGAIN = 0.02


async def until(happened: Callable[[], Awaitable[bool]], *, within: float) -> float:
    """Look until something has happened; return how many seconds that took.

    Args:
        happened: Looks.
        within: Seconds that it may take.
    """
    began = time.monotonic()
    while not await happened():
        assert time.monotonic() - began < within, f"it did not happen within {within} s"
        await asyncio.sleep(LOOK_AGAIN)
    return time.monotonic() - began
