"""Cases that send one HTTP request to an ASGI application, without a server or a client."""

import itertools
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field

import anyio.to_thread
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from benchmarks.cases import Case, CaseError, Facts

Message = MutableMapping[str, object]
Header = tuple[bytes, bytes]

# What a browser or a client library sends anyway; a real request never has the credential alone.
USUAL_HEADERS: tuple[Header, ...] = (
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
)
LIMIT_OF_ERRORS = 400


@dataclass(frozen=True, slots=True)
class Request:
    """What differs from one call to the next."""

    headers: tuple[Header, ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class Answer:
    """What an application sent."""

    status: int = 0
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""

    def json(self) -> object:
        return json.loads(self.body)

    def cookies(self) -> dict[str, str]:
        """Names and values of the cookies it sets."""
        pairs = [value.decode().split(";")[0] for name, value in self.headers if name.lower() == b"set-cookie"]
        return dict(pair.split("=", 1) for pair in pairs)


def bearer(token: str) -> Request:
    """A request with the token in the Authorization header."""
    return Request(headers=((b"authorization", b"Bearer " + token.encode()),))


def json_body(value: object) -> Request:
    """A request with a JSON body."""
    body = json.dumps(value).encode()
    headers = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    return Request(headers=headers, body=body)


def answers(expected: object) -> Callable[[Answer], bool]:
    """Accepts the answer 200 with exactly this JSON body."""
    return lambda answer: answer.status == 200 and answer.json() == expected


def carries(*names: str) -> Callable[[Answer], bool]:
    """Accepts the answer 200 whose JSON object has a compact token under each name and nothing else."""

    def accept(answer: Answer) -> bool:
        body = answer.json()
        return (
            answer.status == 200
            and isinstance(body, dict)
            and set(body) == set(names)
            and all(str(value).count(".") == 2 for value in body.values())
        )

    return accept


def _scope(method: str, path: str, request: Request) -> Message:
    # A server makes new byte strings for each request; reused ones would carry their hash along.
    headers = [(name, value[:1] + value[1:]) for name, value in (*USUAL_HEADERS, *request.headers)]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


def _receiver(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def call(app: FastAPI, method: str, path: str, request: Request) -> Answer:
    """Sends one request and returns all of the answer."""
    answer = Answer()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            status, headers = message["status"], message.get("headers", [])
            assert isinstance(status, int)
            assert isinstance(headers, list)
            answer.status, answer.headers = status, headers
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            assert isinstance(body, bytes)
            answer.body += body

    await app(_scope(method, path, request), _receiver(request.body), send)
    return answer


def dependency_nodes(app: FastAPI, path: str) -> int:
    """How many dependencies FastAPI solves for a request to the path."""

    def below(dependant: Dependant) -> int:
        return sum(1 + below(child) for child in dependant.dependencies)

    return sum(below(route.dependant) for route in _routes(app) if route.path == path)


def _routes(app: FastAPI) -> list[APIRoute]:
    return [route for route in app.routes if isinstance(route, APIRoute)]


class _Chains:
    """Requests each of which needs something of the answer before it.

    Args:
        app: the application.
        method: HTTP method.
        path: the route's path, without parameters.
        follow: makes the next request of an answer.
    """

    def __init__(self, app: FastAPI, method: str, path: str, follow: Callable[[Answer], Request]) -> None:
        self._app, self._method, self._path, self._follow = app, method, path, follow
        self._next: list[Request] = []
        self._received: list[bytes] = []
        self._failures = 0

    async def call(self, request: Request) -> Answer:
        return await call(self._app, self._method, self._path, request)

    async def go_on(self) -> None:
        """Sends one request of the chain that has waited longest."""
        self.add(await self.call(self._next.pop(0)))

    def add(self, answer: Answer) -> None:
        """Keeps what follows an answer."""
        self._next.append(self._follow(answer))

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._failures += message["status"] != 200
        else:
            body = message["body"]
            assert isinstance(body, bytes)
            self._received.append(body)

    async def chunk(self, calls: int) -> int:
        """Nanoseconds of that many requests; a chain's next request is never sent right after its last one."""
        took = 0
        while calls:
            some = min(calls, len(self._next))
            took += await self._each_once(some)
            calls -= some
        return took

    async def _each_once(self, calls: int) -> int:
        self._failures = 0
        self._received.clear()
        ready = [(_scope(self._method, self._path, request), _receiver(request.body)) for request in self._next[:calls]]
        ready.reverse()
        take, app, send, clock = ready.pop, self._app, self._send, time.perf_counter_ns
        started = clock()
        for _ in range(calls):
            await app(*take(), send)
        took = clock() - started
        if self._failures or len(self._received) != calls:
            raise CaseError(f"{self._path}: {self._failures} of {calls} answers were not 200")
        del self._next[:calls]
        for body in self._received:
            self.add(Answer(200, body=body))
        return took


async def thread_hops(work: Callable[[], Awaitable[object]]) -> int:
    """How often the event loop hands work to a thread while it does this."""
    original = anyio.to_thread.run_sync
    hops = 0

    async def counted(*args: object, **kwargs: object) -> object:
        nonlocal hops
        hops += 1
        return await original(*args, **kwargs)  # type: ignore[arg-type]

    anyio.to_thread.run_sync = counted  # type: ignore[assignment]
    try:
        await work()
    finally:
        anyio.to_thread.run_sync = original
    return hops


def http_case(
    name: str,
    subject: str,
    title: str,
    app: FastAPI,
    method: str,
    path: str,
    requests: Sequence[Request],
    *,
    accept: Callable[[Answer], bool],
    refuse: Request | None = None,
    baseline: str | None = None,
    rival: str | None = None,
) -> Case:
    """Times requests to one route, going round a ring of requests.

    Args:
        name: unique among the cases of one process.
        subject: whose protection it is.
        title: what it does.
        app: the application.
        method: HTTP method.
        path: the route's path, without parameters.
        requests: walked through in turn.
        accept: whether an answer is right; asked for the first and the last of the ring.
        refuse: a request that must be answered with an error between 400 and 499.
        baseline: case of the same process whose time is subtracted.
        rival: case of the other process to compare with.
    """
    endless = itertools.cycle(requests)
    failures = 0

    async def send(message: Message) -> None:
        nonlocal failures
        if message["type"] == "http.response.start" and message["status"] != 200:
            failures += 1

    async def check() -> Facts:
        for request in (requests[0], requests[-1]):
            answer = await call(app, method, path, request)
            if not accept(answer):
                raise CaseError(f"{subject}, {name}: unexpected answer {answer.status} {answer.body[:200]!r}")
        if refuse is not None:
            answer = await call(app, method, path, refuse)
            if not LIMIT_OF_ERRORS <= answer.status < 500:
                raise CaseError(f"{subject}, {name}: a forged request was answered {answer.status}")
        hops = await thread_hops(lambda: call(app, method, path, requests[0]))
        return {"nodes": dependency_nodes(app, path), "threads": hops}

    async def chunk(calls: int) -> int:
        nonlocal failures
        failures = 0
        ready = [
            (_scope(method, path, request), _receiver(request.body)) for request in itertools.islice(endless, calls)
        ]
        ready.reverse()
        take = ready.pop
        clock = time.perf_counter_ns
        started = clock()
        for _ in range(calls):
            await app(*take(), send)
        took = clock() - started
        if failures:
            raise CaseError(f"{subject}, {name}: {failures} of {calls} answers were not 200")
        return took

    return Case(name, subject, title, check, chunk, baseline, rival)


def chained_case(
    name: str,
    subject: str,
    title: str,
    app: FastAPI,
    method: str,
    path: str,
    *,
    begin: Callable[[], Awaitable[Sequence[Request]]],
    follow: Callable[[Answer], Request],
    accept: Callable[[Answer], bool],
    refuse: Request | None = None,
    baseline: str | None = None,
    rival: str | None = None,
) -> Case:
    """Times requests each of which can be sent once, and whose answer holds what the next one needs.

    Args:
        name: unique among the cases of one process.
        subject: whose protection it is.
        title: what it does.
        app: the application.
        method: HTTP method.
        path: the route's path, without parameters.
        begin: makes the first request of each chain; a chain's next request is not timed at once after it.
        follow: makes the next request of an answer.
        accept: whether an answer is right; asked for the first of every chain.
        refuse: a request that must be answered with an error between 400 and 499.
        baseline: case of the same process whose time is subtracted or divided by.
        rival: case of the other process to compare with.
    """
    chains = _Chains(app, method, path, follow)

    async def check() -> Facts:
        for request in await begin():
            answer = await chains.call(request)
            if not accept(answer):
                raise CaseError(f"{subject}, {name}: unexpected answer {answer.status} {answer.body[:200]!r}")
            chains.add(answer)
        if refuse is not None:
            answer = await chains.call(refuse)
            if not LIMIT_OF_ERRORS <= answer.status < 500:
                raise CaseError(f"{subject}, {name}: a forged request was answered {answer.status}")
        return {"nodes": dependency_nodes(app, path), "threads": await thread_hops(chains.go_on)}

    return Case(name, subject, title, check, chains.chunk, baseline, rival)
