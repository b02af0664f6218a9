"""Wakes those who wait for revocations in this process, whichever event loop they wait on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Notifier"]


class Notifier:
    """Notifies all subscribers, in this process, that something was revoked."""

    def __init__(self) -> None:
        self._subscribers: set[asyncio.Future[None]] = set()

    @contextmanager
    def subscribe(self) -> "Iterator[asyncio.Future[None]]":
        """Yield a future of the running event loop, which is done at the next notification."""
        notified: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscribers.add(notified)
        try:
            yield notified
        finally:
            self._subscribers.discard(notified)

    def notify(self) -> None:
        """Wake all subscribers; from any event loop or thread."""
        for notified in tuple(self._subscribers):
            # The loop of a subscriber may have closed since.
            with suppress(RuntimeError):
                notified.get_loop().call_soon_threadsafe(_finish, notified)


def _finish(notified: "asyncio.Future[None]") -> None:
    if not notified.done():
        notified.set_result(None)
