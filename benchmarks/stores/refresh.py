"""Whole requests that rotate: one after the other, and many identical ones at once."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import fastapi
from fastapi import FastAPI

from authx import AuthX, AuthXConfig
from authx.schema import SessionTokens
from authx.stores import Store, open_store
from benchmarks import tokens
from benchmarks.apps import floor
from benchmarks.asgi import LIMIT_OF_ERRORS, Answer, Request, bearer, call, chained_case
from benchmarks.cases import Case, CaseError, Facts
from benchmarks.micro import forged
from benchmarks.stores.servers import KINDS, folder, url

SESSIONS = 256
STAMPEDE = 100
PATH = "/refresh"


class Counted:
    """A store that counts what it is asked; each question is one round trip.

    Args:
        store: the store that answers.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        answer: Callable[..., Awaitable[Any]] = getattr(self._store, name)

        async def ask(*args: Any, **more: Any) -> Any:
            self.asked[name] += 1
            return await answer(*args, **more)

        return ask


def make_app(store: Any, *, router: bool = False) -> tuple[AuthX[Any], FastAPI]:
    """An application that refreshes and nothing else.

    Args:
        store: the store, or its URL.
        router: whether with the ready-made router, which has more routes, or with a route of its own.
    """
    # While other cases are timed the feed does not get its turn; nobody shall be refused for that.
    config = AuthXConfig(JWT_SECRET_KEY=tokens.SECRET, JWT_REVOCATION_MAX_STALENESS=None)
    auth: AuthX[Any] = AuthX(config, store=store)
    app = FastAPI()
    auth.handle_errors(app)
    if router:
        app.include_router(auth.router(lambda username, password: username if password else None))
        return auth, app

    @app.post(PATH)
    async def refresh(request: fastapi.Request, response: fastapi.Response) -> SessionTokens:
        return await auth.refresh(request, response)

    return auth, app


async def log_in(auth: AuthX[Any], name: str) -> str:
    """Begins a session, which has a row then; returns its refresh token."""
    request = fastapi.Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []})
    return (await auth.login(name, request, fastapi.Response())).refresh_token


def successor(answer: Answer) -> object:
    """The refresh token of an answer."""
    body = answer.json()
    if answer.status != 200 or not isinstance(body, dict):
        raise CaseError(f"no tokens: {answer.status} {answer.body[:200]!r}")
    return body["refresh_token"]


def follow(answer: Answer) -> Request:
    """Refreshes with what the last refresh gave."""
    return bearer(str(successor(answer)))


def rotates(answer: Answer) -> bool:
    """Accepts an answer with a new pair."""
    body = answer.json()
    return answer.status == 200 and isinstance(body, dict) and {"access_token", "refresh_token"} <= set(body)


def refresh_case(kind: str, place: str, *, router: bool = False) -> Case:
    """POST /refresh with a token that was not seen before, each time another session's."""
    auth, app = make_app(place, router=router)

    async def begin() -> Sequence[Request]:
        await auth.open()
        return [bearer(token) for token in await asyncio.gather(*(log_in(auth, f"u{n}") for n in range(SESSIONS)))]

    return chained_case(
        f"refresh {kind} {'router' if router else 'authx'}",
        "authx",
        f"{kind}: POST /refresh, rotating{', in the ready-made router' if router else ''}",
        app,
        "POST",
        PATH,
        begin=begin,
        follow=follow,
        accept=rotates,
        refuse=bearer(forged(auth.create_refresh_token("somebody"))),
        baseline="bare POST",
    )


def stampede_case(kind: str, place: str) -> Case:
    """A hundred identical requests at once, again and again; what is counted is a request."""
    store = Counted(open_store(place))
    auth, app = make_app(store)
    held = ""

    async def herd() -> None:
        nonlocal held
        request = bearer(held)
        answers = await asyncio.gather(*(call(app, "POST", PATH, request) for _ in range(STAMPEDE)))
        successors = {str(successor(answer)) for answer in answers}
        if len(successors) != 1:
            raise CaseError(f"authx, {kind}: a stampede got {len(successors)} successors")
        (held,) = successors

    async def asked(work: Callable[[], Awaitable[object]]) -> int:
        store.asked.clear()
        await work()
        # What the feed asks at its own pace is nobody's request.
        return sum(count for name, count in store.asked.items() if name not in {"wait", "revocations", "count_live"})

    async def check() -> Facts:
        nonlocal held
        await auth.open()
        held = await log_in(auth, "herd")
        answer = await call(app, "POST", PATH, bearer(forged(held)))
        if answer.status < LIMIT_OF_ERRORS:
            raise CaseError(f"authx, {kind}: a forged request was answered {answer.status}")

        async def alone() -> None:
            nonlocal held
            held = str(successor(await call(app, "POST", PATH, bearer(held))))

        return {"alone": await asked(alone), "stampede": await asked(herd), "requests": STAMPEDE}

    async def chunk(calls: int) -> int:
        herds = (calls + STAMPEDE - 1) // STAMPEDE
        clock = time.perf_counter_ns
        started = clock()
        for _ in range(herds):
            await herd()
        return (clock() - started) * calls // (herds * STAMPEDE)

    title = f"{kind}: {STAMPEDE} identical POST /refresh at once, each"
    return Case(f"stampede {kind} authx", "authx", title, check, chunk, f"refresh {kind} authx")


def cases() -> Iterable[Case]:
    """Every store, and the bare route that shows whether the environments agree."""
    folder()
    yield from (case for case in floor.cases() if case.name == "bare POST")
    for kind in KINDS:
        place = url(kind, "refresh")
        if place is not None:
            yield refresh_case(kind, place)
            yield stampede_case(kind, place)
    yield refresh_case("sqlite", str(url("sqlite", "router")), router=True)
