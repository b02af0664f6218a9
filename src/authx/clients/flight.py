"""One at a time, whoever asks: threads and asyncio tasks wait for the one that is under way."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

__all__ = ["Failure", "Flight", "Outcome", "SingleFlight"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A login or refresh that brought no tokens.

    Attributes:
        status: The status of its answer; `None` if there was none.
        code: The code in its answer's body, if there is one.
    """

    status: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a flight ended.

    Attributes:
        decided: Whether the server answered. If not, somebody else may try.
        failure: What went wrong, if it did.
    """

    decided: bool = True
    failure: Failure | None = None


_UNDECIDED = Outcome(decided=False)
_entered: ContextVar["Flight | None"] = ContextVar("_entered", default=None)


class Flight:
    """A login, a refresh or a logout under way. Whoever made it leads it; all others wait for its outcome.

    The leader goes through a `with` block, which ends the flight however it is left. Waiting ends also where the
    leader is never heard of again.

    Args:
        patience: Seconds to wait for a leader that gives no sign of life.
    """

    def __init__(self, patience: float) -> None:
        self._outcome: Future[Outcome] = Future()
        self._patience = patience
        self._loop = _running_loop()
        self._deadline = 0.0
        self.extend()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever leads was stopped before the server answered, or the flight has been finished.
        self.finish()

    def extend(self, seconds: float = 0.0) -> None:
        """Give a sign of life.

        Args:
            seconds: How long the leader is going to sleep.
        """
        self._deadline = time.monotonic() + self._patience + seconds

    def finish(self, outcome: Outcome = _UNDECIDED) -> None:
        """End the flight, if it has not ended.

        Args:
            outcome: How it ended; by default the leader was stopped before the server answered.
        """
        with suppress(InvalidStateError):
            self._outcome.set_result(outcome)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Mark what runs inside as part of the flight, which therefore cannot wait for it."""
        before = _entered.set(self)
        try:
            yield
        finally:
            _entered.reset(before)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._outcome.done()

    def wait(self) -> Outcome:
        """Block the thread until the flight ends.

        Returns:
            Its outcome.
        """
        if self._loop is not None and self._loop is _running_loop():
            # The leader is a task of the event loop that this would block: it could never end the flight.
            return self._conclude()
        while not self.is_over and (left := self._deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                self._outcome.result(left)
        return self._conclude()

    async def wait_async(self) -> Outcome:
        """Wait on the running event loop until the flight ends; being cancelled does not end it.

        Returns:
            Its outcome.
        """
        loop, landed = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: object) -> None:
            with suppress(RuntimeError):  # this event loop may have been closed by then
                loop.call_soon_threadsafe(landed.set)

        self._outcome.add_done_callback(wake)
        while not self.is_over and (left := self._deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await landed.wait()
        return self._conclude()

    def _conclude(self) -> Outcome:
        self.finish()
        return self._outcome.result()


class SingleFlight:
    """Lets one flight be under way at any time. Its lock is held for no longer than it takes to look.

    Args:
        patience: Seconds to wait for a leader that gives no sign of life.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._flight: Flight | None = None

    def join(self) -> tuple[Flight, bool]:
        """Join the flight that is under way, or begin one.

        Returns:
            The flight, and whether the caller leads it and so has to finish it.

        Raises:
            RuntimeError: The caller is part of the flight, and would wait for itself.
        """
        with self._lock:
            if self._flight is not None and not self._flight.is_over:
                if _entered.get() is self._flight:
                    raise RuntimeError("on_tokens sends a request with the auth object that waits for on_tokens")
                return self._flight, False
            self._flight = Flight(self._patience)
            return self._flight, True


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
