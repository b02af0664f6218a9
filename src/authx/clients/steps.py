"""A flow as a list of steps, written once; and the two ways to walk it, blocking and on an event loop.

httpx asks an auth object for a generator that yields requests and is sent their answers. Ours are made from a
generator of steps: it decides what is to be done, and each step knows how to do it in both worlds.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from authx.clients.flight import Flight, Outcome
from authx.clients.libraries import AuthBase, StreamBase
from authx.clients.tokens import TokenPair

if TYPE_CHECKING:
    # The classes of httpx have the same members, as far as they are used here.
    from httpx2 import Request, Response

__all__ = ["Flow", "Send", "Step", "Steps", "read", "save", "send", "sleep", "wait_for"]

_T = TypeVar("_T")


class Step(Protocol):
    """Something to do besides sending a request."""

    def run(self) -> object:
        """Do it, blocking; return what the flow is sent."""
        ...

    async def run_async(self) -> object:
        """As `run`, without blocking the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request by the client whose flow this is."""

    request: "Request"


Steps: TypeAlias = Generator[Send | Step, Any, _T]


class Flow(AuthBase):
    """What clients take as `auth=`: it walks the steps that a child lists."""

    def _steps(self, request: "Request") -> "Steps[Response]":
        """List the steps; the value returned is the answer that the caller of the client gets."""
        raise NotImplementedError

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Walk the steps for a blocking client; called by the client."""
        steps = self._steps(request)
        sent: object = None
        last: Response | None = None
        try:
            while True:
                try:
                    step = steps.send(sent)
                except StopIteration as end:
                    _hand_over(end.value, last)
                    return
                if isinstance(step, Send):
                    sent = last = yield step.request
                else:
                    sent = step.run()
        finally:
            # Also where the client stops in the middle: whoever leads a flight ends it then.
            steps.close()

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Walk the steps for an asynchronous client; called by the client."""
        steps = self._steps(request)
        sent: object = None
        last: Response | None = None
        try:
            while True:
                try:
                    step = steps.send(sent)
                except StopIteration as end:
                    _hand_over(end.value, last)
                    return
                if isinstance(step, Send):
                    sent = last = yield step.request
                else:
                    sent = await step.run_async()
        finally:
            steps.close()


def _hand_over(answer: "Response", last: "Response | None") -> None:
    """Let the caller of the client get an answer that was not the flow's last.

    Clients give their callers the last answer of a flow, which may be that of a refresh; the caller is to get the
    answer to what was asked. Both have been read and closed.
    """
    if last is not None and last is not answer:
        vars(last).clear()
        vars(last).update(vars(answer))


def send(request: "Request") -> "Steps[Response]":
    """Send a request.

    Args:
        request: The request.

    Returns:
        Its answer, of which only the head has been read.
    """
    return cast("Response", (yield Send(request)))


@dataclass(frozen=True, slots=True)
class _Read:
    answer: "Response"

    def run(self) -> None:
        self.answer.read()

    async def run_async(self) -> None:
        await self.answer.aread()


def read(answer: "Response", limit: int | None = None) -> Steps[None]:
    """Read an answer's body.

    Args:
        answer: The answer.
        limit: Bytes of the body to keep, of whatever length it is; by default all.
    """
    if limit is not None:
        answer.stream = _Beginning(answer.stream, limit)
    yield _Read(answer)


class _Beginning(StreamBase):
    """The first bytes of a body."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def __iter__(self) -> Iterator[bytes]:
        left = self._limit
        for chunk in self._stream:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._limit
        chunks = aiter(self._stream)
        try:
            async for chunk in chunks:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def close(self) -> None:
        """Close the whole."""
        self._stream.close()

    async def aclose(self) -> None:
        """Close the whole."""
        await self._stream.aclose()


@dataclass(frozen=True, slots=True)
class _Sleep:
    seconds: float
    blocking: Callable[[float], object]
    asynchronous: Callable[[float], Awaitable[object]]

    def run(self) -> None:
        self.blocking(self.seconds)

    async def run_async(self) -> None:
        await self.asynchronous(self.seconds)


def sleep(
    seconds: float, blocking: Callable[[float], object], asynchronous: Callable[[float], Awaitable[object]]
) -> Steps[None]:
    """Let time pass.

    Args:
        seconds: How much.
        blocking: Sleeps in a thread.
        asynchronous: Sleeps on an event loop.
    """
    yield _Sleep(seconds, blocking, asynchronous)


@dataclass(frozen=True, slots=True)
class _Wait:
    flight: Flight

    def run(self) -> Outcome:
        return self.flight.wait()

    async def run_async(self) -> Outcome:
        return await self.flight.wait_async()


def wait_for(flight: Flight) -> Steps[Outcome]:
    """Wait until a flight that another request leads has ended.

    Args:
        flight: The flight.

    Returns:
        Its outcome.
    """
    return cast("Outcome", (yield _Wait(flight)))


@dataclass(frozen=True, slots=True)
class _Save:
    tell: Callable[[TokenPair | None], object]
    pair: TokenPair | None
    flight: Flight

    def run(self) -> None:
        with self.flight.entered():
            told = self.tell(self.pair)
        if isawaitable(told):
            if iscoroutine(told):
                told.close()
            raise TypeError("on_tokens returned something to await; that works with asynchronous clients only")

    async def run_async(self) -> None:
        with self.flight.entered():
            told = self.tell(self.pair)
            if isawaitable(told):
                await told


def save(tell: Callable[[TokenPair | None], object], pair: TokenPair | None, flight: Flight) -> Steps[None]:
    """Hand a pair to whoever keeps it.

    Args:
        tell: The application's callback.
        pair: The pair; `None`: the session has ended.
        flight: The flight that this is part of.
    """
    yield _Save(tell, pair, flight)
