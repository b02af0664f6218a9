"""The session that all clients of an auth object share: its newest tokens, and one login or refresh at a time."""

import asyncio
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import InitVar, dataclass, replace
from functools import partial
from inspect import isawaitable, iscoroutine
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeAlias, TypeVar, cast

from authx.clients.adapter import LimitedStream
from authx.clients.server import Server
from authx.clients.tokens import MAX_BODY_BYTES, Refusal, TokenPair, read_pair, read_refusal, renewal_time, retry_after

if TYPE_CHECKING:
    from httpx2 import Request, Response

__all__ = ["Flight", "Session", "State", "Steps", "Work", "send"]

_T = TypeVar("_T")
_OnTokens: TypeAlias = Callable[[TokenPair | None], object]

# A request takes part in so many attempts that get no response, each as long as a time-out.
_MAX_UNANSWERED: Final = 2
_UNAUTHORIZED: Final = 401


class Work(NamedTuple):
    """Something that a flow does besides sending a request, for threads and for event loops."""

    blocking: Callable[[], object]
    asynchronous: Callable[[], Awaitable[object]]


# A flow, written once for threads and event loops: it yields requests, and is sent their responses.
Steps: TypeAlias = Generator["Request | Work", "Response | None", _T]


def send(request: "Request") -> "Steps[Response]":
    """Send a request; of the response, only the head has been read."""
    return cast("Response", (yield request))


@dataclass(slots=True, eq=False)
class State:
    """A token pair and what is known of it; the next pair gets another state, so late changes are harmless."""

    pair: TokenPair | None
    renew_at: float | None
    is_saved: bool


class Flight:
    """A login, refresh or logout in progress. One request leads it, in a `with` block; others wait for its result."""

    def __init__(self, patience: float) -> None:
        self.result: Future[Refusal | None] = Future()
        self._patience = patience
        self._loop = _running_loop()
        self.extend()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(Refusal())

    def extend(self, seconds: float = 0.0) -> None:
        """Let the others wait `patience` seconds from now, and the seconds of a planned sleep."""
        self._deadline = time.monotonic() + self._patience + seconds

    def end(self, refusal: Refusal | None) -> None:
        """Wake those who wait, unless it has ended."""
        with suppress(InvalidStateError):
            self.result.set_result(refusal)

    def wait(self) -> None:
        """Block the thread until the flight ends, and end it if its leader shows no sign of life."""
        # A leader on the event loop that this would block could never end it.
        can_end = self._loop is None or self._loop is not _running_loop()
        while can_end and not self.result.done() and (left := self._deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                self.result.result(left)
        self.end(Refusal())

    async def wait_async(self) -> None:
        """As `wait`, on an event loop."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: object) -> None:
            with suppress(RuntimeError):  # the event loop may have been closed since
                loop.call_soon_threadsafe(ended.set)

        self.result.add_done_callback(wake)
        while not self.result.done() and (left := self._deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await ended.wait()
        self.end(Refusal())


_saving: ContextVar[Flight | None] = ContextVar("_saving", default=None)


@dataclass(eq=False, repr=False)
class Session:
    """Logs in, refreshes and logs out, one at a time for all threads and tasks; for its fields see `AuthXAuth`."""

    server: Server
    clock: Callable[[], float]
    sleep: Callable[[float], object]
    async_sleep: Callable[[float], Awaitable[object]]
    margin: float
    max_wait: float
    max_tries: int
    patience: float
    on_tokens: _OnTokens
    save_retry_key: bool
    pair: InitVar[TokenPair | None]

    def __post_init__(self, pair: TokenPair | None) -> None:
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self.state = self._new_state(pair, is_saved=True)

    def ensure(self, like: "Request") -> Steps[Refusal | None]:
        """Save, refresh or log in if that is due, or wait for another request that does; return what went wrong."""
        refusal = None
        for _ in range(_MAX_UNANSWERED):
            if self._task() is None:
                return None
            flight, is_leader = self.join()
            if is_leader:
                with flight:
                    flight.end((yield from self._do_tasks(flight, like)))
            else:
                yield Work(flight.wait, flight.wait_async)
            refusal = flight.result.result()
            if refusal is None or refusal.status is not None:
                return refusal
        return refusal if self._task() is not None else None

    def log_out(self, like: "Request") -> "Steps[Response]":
        """End the session on the server; the tokens are kept unless it did so, or says that the session is over."""
        flight, is_leader = self.join()
        while not is_leader:
            yield Work(flight.wait, flight.wait_async)
            flight, is_leader = self.join()
        with flight:
            state = self.state
            response, _, _ = yield from self._send(flight, lambda: self.server.logout(like, state.pair))
            if response.is_success or response.status_code == _UNAUTHORIZED:
                self.replace(state, None)
            yield from self._save(flight)
            return response

    def replace(self, former: State, pair: TokenPair | None) -> None:
        """Put a new pair, or the end of the session, in the place of `former`, unless something newer is there."""
        state = self._new_state(pair, is_saved=False)
        with self._lock:
            if self.state is former and former.pair is not pair:
                self.state = state

    def wait_to_retry(self, answer: "Response", refusal: Refusal, tries: int) -> Steps[bool]:
        """Wait if a response asks for it and limits allow it; return whether to send its request again."""
        if refusal.action != "retry" or tries >= self.max_tries:
            return False
        seconds = retry_after(answer.headers, self.clock())
        if seconds <= self.max_wait:
            yield Work(partial(self.sleep, seconds), partial(self.async_sleep, seconds))
        return seconds <= self.max_wait

    def join(self) -> tuple[Flight, bool]:
        """Return the flight in progress, or a new one; and whether the caller leads it."""
        with self._lock:
            if self._flight is not None and not self._flight.result.done():
                if _saving.get() is self._flight:
                    raise RuntimeError("on_tokens sends a request with the auth object that waits for on_tokens")
                return self._flight, False
            self._flight = Flight(self.patience)
            return self._flight, True

    def _new_state(self, pair: TokenPair | None, *, is_saved: bool) -> State:
        renew_at = None if pair is None else renewal_time(pair, self.clock(), self.margin)
        return State(pair, renew_at, is_saved)

    def _task(self) -> "Callable[[Flight, Request], Steps[Refusal | None]] | None":
        """Return what has to be done next before a request is sent."""
        state = self.state
        if not state.is_saved:
            return self._save
        if state.pair is not None:
            if state.renew_at is None or self.clock() < state.renew_at:
                return None
            if state.pair.refresh_token is not None:
                return self._refresh
        return self._log_in if self.server.can_log_in else None

    def _do_tasks(self, flight: Flight, like: "Request") -> Steps[Refusal | None]:
        done = []
        while (task := self._task()) is not None and task not in done:
            if task != self._save:
                done.append(task)
            refusal = yield from task(flight, like)
            if refusal is not None:
                return refusal
        return None

    def _save(self, flight: Flight, _: object = None) -> Steps[None]:
        state, on_tokens = self.state, self.on_tokens
        if state.is_saved:
            return
        flight.extend()
        outer = _saving.get()
        _saving.set(flight)
        try:
            yield Work(partial(_call, on_tokens, state.pair), partial(_call_async, on_tokens, state.pair))
        finally:
            _saving.set(outer)
        state.is_saved = True

    def _refresh(self, flight: Flight, like: "Request") -> Steps[Refusal | None]:
        """Exchange the refresh token; only a 401 with the action `login` ends the session."""
        state = self.state
        with self._lock:
            if state.pair is None or (token := state.pair.refresh_token) is None:
                return None
            # With the same key, a later attempt gets the tokens of a response that was lost.
            if (key := state.pair.retry_key) is None:
                key = secrets.token_urlsafe(16)
                state.pair = replace(state.pair, retry_key=key)
                state.is_saved = state.is_saved and not self.save_retry_key
        yield from self._save(flight)
        answer, refusal, sent_at = yield from self._send(flight, lambda: self.server.refresh(like, token, key))
        if answer.status_code == _UNAUTHORIZED:
            state.pair = replace(state.pair, retry_key=None)
            if refusal.action == "login":
                self.replace(state, None)
                return None
        return self._take(answer, refusal, state, sent_at)

    def _log_in(self, flight: Flight, like: "Request") -> Steps[Refusal | None]:
        state = self.state
        answer, refusal, sent_at = yield from self._send(flight, lambda: self.server.login(like))
        return self._take(answer, refusal, state, sent_at)

    def _take(self, answer: "Response", refusal: Refusal, former: State, sent_at: float) -> Refusal | None:
        pair = read_pair(answer.content, former.pair, sent_at) if answer.is_success else None
        if pair is None:
            return refusal
        self.server.note_token_cookies(answer, pair)
        self.replace(former, pair)
        return None

    def _send(self, flight: Flight, make: "Callable[[], Request]") -> "Steps[tuple[Response, Refusal, float]]":
        """Send a request of our own as often as the server asks for it; return when it was sent last, too."""
        for tries in count(1):
            flight.extend()
            sent_at, request = self.clock(), make()
            answer = yield from send(request)
            # One byte more than is accepted, to recognise a body that is too long.
            answer.stream = LimitedStream(answer.stream, MAX_BODY_BYTES + 1)
            yield Work(answer.read, answer.aread)
            if answer.request is not request:
                # The client has followed a redirect, without our secrets: the redirect itself is the answer.
                answer = next((one for one in answer.history if one.request is request), answer)
            refusal = read_refusal(answer.status_code, answer.content)
            flight.extend(self.max_wait)
            if not (yield from self.wait_to_retry(answer, refusal, tries)):
                break
        return answer, refusal, sent_at


def _call(on_tokens: _OnTokens, pair: TokenPair | None) -> None:
    if isawaitable(result := on_tokens(pair)):
        if iscoroutine(result):
            result.close()
        raise TypeError("on_tokens returned something to await; that works with asynchronous clients only")


async def _call_async(on_tokens: _OnTokens, pair: TokenPair | None) -> None:
    if isawaitable(result := on_tokens(pair)):
        await result


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
