"""Wakes those who wait for revocations in this process, whichever event loop they wait on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["News"]


class News:
    """Tells everybody who listens that something was revoked."""

    def __init__(self) -> None:
        self._listening: set[asyncio.Future[None]] = set()

    @contextmanager
    def listening(self) -> "Iterator[asyncio.Future[None]]":
        """Listen from now on.

        Yields:
            A future of the running event loop, done at the first news.
        """
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listening.add(told)
        try:
            yield told
        finally:
            self._listening.discard(told)

    def tell(self) -> None:
        """Wake everybody; from any event loop, and from none."""
        for told in tuple(self._listening):
            # The loop of one who listened may have closed since.
            with suppress(RuntimeError):
                told.get_loop().call_soon_threadsafe(_finish, told)


def _finish(told: "asyncio.Future[None]") -> None:
    if not told.done():
        told.set_result(None)
