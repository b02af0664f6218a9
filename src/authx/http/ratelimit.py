"""Rate limiting: at most so many requests in a fixed window of time, per key.

A window opens with the first request of a key and closes `window` seconds later; refused requests do
not prolong it. Counts are kept in the process unless a backend of the application's own is given, so
with several worker processes and the default backend each process counts for itself.
"""

import heapq
import math
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from inspect import isawaitable
from threading import Lock
from typing import Annotated, Final, Protocol, cast, runtime_checkable

from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection, Request

from authx.exceptions import BadConfigurationError, RateLimitExceeded
from authx.http.authenticate import attach_evidence
from authx.http.errors import install_handler
from authx.http.guards import NO_SCOPES, Guard
from authx.http.injections import NotADependency
from authx.schema import TokenPayload
from authx.settings.clock import monotonic
from authx.types import RateLimitKeyFunc

__all__ = [
    "InMemoryBackend",
    "LimitedGuard",
    "LimitedGuards",
    "RateLimitBackend",
    "RateLimiter",
    "TimedRateLimitBackend",
]

_CLASS: Final = NotADependency("RateLimiter is a class. Write Depends(RateLimiter(max_requests=10, window=60)).")
_FREED_PER_CALL = 4
_LONGEST_KEY = 128
_MAX_PLACES = 1000


class RateLimitBackend(Protocol):
    """Where the counts are kept: what a backend has to offer."""

    async def increment(self, key: str, window: int) -> int:
        """Count one request of a key.

        Args:
            key: The key.
            window: Length of the window in seconds, which opens now unless one is open.

        Returns:
            The requests of this key in this window, this one included.
        """
        ...

    async def reset(self, key: str) -> None:
        """Forget a key's count; its next request opens a new window."""
        ...


@runtime_checkable
class TimedRateLimitBackend(RateLimitBackend, Protocol):
    """A backend that also knows when a window closes; without it a refusal names the whole window."""

    async def remaining(self, key: str, window: int) -> float | None:
        """Tell how long a key's window stays open.

        Args:
            key: The key.
            window: Length of the window in seconds, as it was counted with.

        Returns:
            Seconds; zero or less where no window is open, `None` where that is not known.
        """
        ...


class _Count:
    """The requests of one key in one window."""

    __slots__ = ("closes_at", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.closes_at = -math.inf


class InMemoryBackend:
    """Counts in this process; the default backend, one for each limiter.

    Limiters that share one share the counts of equal keys with windows of equal length. Closed windows
    are freed a few with each call, so no single request pays for many.

    Args:
        clock: Returns seconds that only ever grow; `None` reads the system's clock.
        max_keys: Counts kept at once. Beyond it the count that closes first is forgotten, so that a
            flood of invented keys costs memory within this bound.

    Raises:
        BadConfigurationError: `max_keys` is not positive.
    """

    __slots__ = ("_clock", "_closing", "_counts", "_max_keys")

    def __init__(self, clock: Callable[[], float] | None = None, max_keys: int = 100_000) -> None:
        if max_keys < 1:
            raise BadConfigurationError("max_keys of a rate limit backend must be at least 1")
        self._clock = clock or monotonic
        self._max_keys = max_keys
        self._counts: dict[float, dict[str, _Count]] = {}
        # Exactly one entry for each count: a count whose window was opened anew is put back when its entry
        # comes up, so that resets and new windows leave no dead entries behind.
        self._closing: list[tuple[float, float, str]] = []

    def __len__(self) -> int:
        """Tell how many counts are kept."""
        return sum(len(counts) for counts in self._counts.values())

    async def increment(self, key: str, window: float) -> int:
        """Count one request of a key; see `RateLimitBackend`."""
        if window <= 0:
            return 1
        key, now = _bounded(key), self._clock()
        self._free(now)
        count = self._counts.get(window, {}).get(key)
        if count is None:
            if len(self._closing) >= self._max_keys:
                self._forget_next()
            count = self._counts.setdefault(window, {})[key] = _Count()
            heapq.heappush(self._closing, (now + window, window, key))
        if now >= count.closes_at:
            count.requests, count.closes_at = 0, now + window
        count.requests += 1
        return count.requests

    async def reset(self, key: str) -> None:
        """Forget a key's counts in windows of every length."""
        key = _bounded(key)
        for counts in self._counts.values():
            count = counts.get(key)
            if count is not None:
                count.closes_at = -math.inf

    async def remaining(self, key: str, window: float) -> float:
        """Tell how long a key's window stays open; see `TimedRateLimitBackend`."""
        count = self._counts.get(window, {}).get(_bounded(key))
        return 0.0 if count is None else max(0.0, count.closes_at - self._clock())

    def _free(self, now: float) -> None:
        for _ in range(_FREED_PER_CALL):
            if not self._closing or self._closing[0][0] > now:
                return
            _, window, key = self._closing[0]
            closes_at = self._counts[window][key].closes_at
            if closes_at > now:
                heapq.heapreplace(self._closing, (closes_at, window, key))
            else:
                self._forget_next()

    def _forget_next(self) -> None:
        _, window, key = heapq.heappop(self._closing)
        counts = self._counts[window]
        del counts[key]
        if not counts:
            del self._counts[window]


def _bounded(key: str) -> str:
    """Keep a long key, which a client may have chosen, from being stored in full."""
    if len(key) <= _LONGEST_KEY:
        return key
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _text_of(named: object) -> str:
    """Write a key that is no text, unless it would be another one for each object, so that nothing is limited."""
    key = str(named)
    if f"{id(named):x}" in key.lower():
        raise TypeError(f"key_func returned a {type(named).__name__}, which names no bucket: return a str")
    return key


def _client_key(request: HTTPConnection) -> str:
    return f"ratelimit:{request.client.host if request.client is not None else 'unknown'}"


class RateLimiter:
    """A dependency that refuses a request once its key has had enough of them.

    Make it once, not in a route: each limiter has its own counts unless a backend is shared. Behind a
    reverse proxy the default key is only as good as the server's idea of the client's address.

    Args:
        max_requests: Requests allowed in a window.
        window: Length of a window in seconds; 0 counts every request as the first.
        backend: Where the counts are kept; `None` keeps them in this process.
        key_func: Names the bucket a request is counted in; may be asynchronous. `None` counts by the
            client's address.
        clock: Time for the default backend, in seconds that only ever grow; `None` reads the system's
            clock. A backend that is passed keeps its own time.

    Attributes:
        max_requests: As given.
        window: As given.
        backend: As given, or the default one.
        key_func: As given, or the default one.

    Raises:
        BadConfigurationError: A negative number of requests or of seconds.
        TypeError: `key_func` cannot be called.
    """

    def __init__(
        self,
        max_requests: Annotated[int, _CLASS] = 10,
        window: int = 60,
        backend: RateLimitBackend | None = None,
        key_func: RateLimitKeyFunc | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not (max_requests >= 0 and 0 <= window < math.inf):
            raise BadConfigurationError(
                "A rate limiter needs max_requests and window (seconds) of 0 or more, "
                f"got {max_requests!r} and {window!r}"
            )
        if key_func is not None and not callable(key_func):
            raise TypeError(f"key_func must be a function of the request, not {type(key_func).__name__}")
        self.max_requests = max_requests
        self.window = window
        self.backend: RateLimitBackend = InMemoryBackend(clock) if backend is None else backend
        self.key_func: RateLimitKeyFunc = key_func or _client_key

    async def __call__(self, request: HTTPConnection) -> None:
        """Count a request.

        Args:
            request: The request, or the WebSocket to be accepted.

        Raises:
            RateLimitExceeded: There have been too many; it is answered 429 in every application.
            TypeError: What the key function returned has no text of its own.
        """
        # On a WebSocket route it is the WebSocket, which key functions can read like a request.
        named: object = self.key_func(cast("Request", request))
        if isawaitable(named):
            named = await named
        # A header that was not sent gives None: all such requests are one bucket.
        key = named if isinstance(named, str) else _text_of(named)
        if await self.backend.increment(key, self.window) > self.max_requests:
            install_handler(request)
            raise RateLimitExceeded(retry_after=await self._seconds_to_wait(key))

    def error_statuses(self, method: str) -> dict[int, str]:  # noqa: ARG002 - the same for every method
        """See `authx.http.openapi.Describable`."""
        return {429: "Too many requests; `Retry-After` says when the next one is allowed"}

    async def _seconds_to_wait(self, key: str) -> int:
        backend = self.backend
        remaining = await backend.remaining(key, self.window) if isinstance(backend, TimedRateLimitBackend) else None
        return max(1, math.ceil(self.window if remaining is None else min(self.window, remaining)))


class LimitedGuard:
    """A dependency that counts a request, whoever it comes from, and then asks for its access token."""

    def __init__(self, limiter: RateLimiter, guard: Guard) -> None:
        self.limiter: Final = limiter
        self.guard: Final = guard

    async def __call__(self, request: HTTPConnection, security_scopes: SecurityScopes = NO_SCOPES) -> TokenPayload:
        """Count the request and verify its token."""
        try:
            await self.limiter(request)
        except RateLimitExceeded as error:
            attach_evidence(self.guard.holder.get(), error, request, self.guard.requirement.kind)
            raise
        return await self.guard(request, security_scopes)

    def error_statuses(self, method: str) -> dict[int, str]:
        """See `authx.http.openapi.Describable`."""
        return self.guard.error_statuses(method) | self.limiter.error_statuses(method)


class LimitedGuards:
    """The limited guards of one instance: those with equal limits and key functions of one place share counts."""

    def __init__(self) -> None:
        self._known: Final[dict[tuple[float, float, object], LimitedGuard]] = {}
        self._lock: Final = Lock()

    def get(self, max_requests: int, window: int, key_func: RateLimitKeyFunc | None, guard: Guard) -> LimitedGuard:
        """Find or make a guard; see `AuthX.rate_limited`."""
        place = (max_requests, window, _place_of(key_func))
        with self._lock:
            known = self._known.get(place)
            if known is None:
                known = LimitedGuard(RateLimiter(max_requests, window, key_func=key_func), guard)
                if len(self._known) >= _MAX_PLACES:
                    del self._known[next(iter(self._known))]
                self._known[place] = known
        if key_func is not None and known.limiter.key_func is not key_func:
            # The same lambda, made anew: it has captured values of its own, and names keys by them.
            return LimitedGuard(RateLimiter(max_requests, window, known.limiter.backend, key_func), guard)
        return known


def _place_of(function: object) -> object:
    """Name the place in the code that a function was made at: a lambda in a route is a new object each time."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return type(function) if code is None else (code.co_filename, code.co_qualname, code)
