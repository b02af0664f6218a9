"""What can be observed of an instance: tokens, answers, cookies, sessions."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fastapi import Request, Response
from tests.settings.pems import pem, public_pem
from tests.support.apps import SECRET, make_auth, make_door, with_cookie
from tests.support.tokens import bearer, claims_of, forge, forge_access

from authx import AuthX, AuthXConfig
from authx.exceptions import (
    AuthXException,
    BadConfigurationError,
    StoreUnavailableError,
)
from authx.jose import jws
from authx.stores import open_store
from authx.testing import Clock
from authx.types import TokenLocation, TokenType

Observe = Callable[[AuthX[Any]], object]


@dataclass(frozen=True)
class Effect:
    """What is observed under each of some values of one setting; ``given`` are the others it needs."""

    observe: Observe
    outcomes: list[tuple[object, object]]
    given: dict[str, Any] = field(default_factory=dict)


# Keys


def signed_by(name: str) -> str:
    return make_auth(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY=pem(name)).create_access_token("alice")


def status_of(make_token: Callable[[], str]) -> Observe:
    """The status a token in the header is answered with."""
    return lambda auth: make_door(auth).get("/p", headers=bearer(make_token())).status_code


def own_tokens_pass_with(public_key_of: str) -> Observe:
    """Whether another instance, with that key alone, accepts what this one signs."""

    def observe(auth: AuthX[Any]) -> object:
        other = make_auth(JWT_ALGORITHM="ES256", JWT_PUBLIC_KEY=public_pem(public_key_of))
        return make_door(other).get("/p", headers=bearer(auth.create_access_token("alice"))).status_code

    return observe


# Claims


def claim(name: str, create: str = "create_access_token") -> Observe:
    return lambda auth: claims_of(getattr(auth, create)("alice")).get(name)


def lifetime(create: str) -> Observe:
    def observe(auth: AuthX[Any]) -> object:
        at_a_whole_second = AuthX(config=auth.config, clock=lambda: 1_900_000_000)
        claims = claims_of(getattr(at_a_whole_second, create)("alice"))
        return claims["exp"] - claims["iat"] if "exp" in claims else None

    return observe


def token_of(**claims: Any) -> Callable[[], str]:
    return lambda: forge_access(SECRET, **claims)


def has_nbf(auth: AuthX[Any]) -> object:
    return "nbf" in claims_of(auth.create_access_token("alice"))


def identity(auth: AuthX[Any]) -> object:
    """The status for a token that names its subject in a claim of its own."""
    now = int(time.time())
    claims = {"login": "alice", "jti": "one", "type": "access", "iat": now, "exp": now + 60}
    return make_door(auth).get("/p", headers=bearer(forge(claims, SECRET))).status_code


# Answers


def answer_without_token(auth: AuthX[Any]) -> Any:
    return make_door(auth).get("/p")


def message_key(auth: AuthX[Any]) -> object:
    return (set(answer_without_token(auth).json()) - {"error_type", "code", "action"}).pop()


def challenge(auth: AuthX[Any]) -> object:
    return answer_without_token(auth).headers["WWW-Authenticate"]


# Where tokens travel


def places(kind: TokenType) -> Observe:
    """The places in which a token of a type is found, of all four."""

    def observe(auth: AuthX[Any]) -> object:
        create = auth.create_access_token if kind == "access" else auth.create_refresh_token
        path, token = ("/p", create("alice")) if kind == "access" else ("/r", create("alice"))
        found: list[TokenLocation] = []
        client = make_door(auth)
        if client.post(path, headers=bearer(token)).status_code == 200:
            found.append("headers")
        if client.post(path, json={f"{kind}_token": token}).status_code == 200:
            found.append("json")
        if client.post(path, params={"token": token}).status_code == 200:
            found.append("query")
        with_cookie(client, token, f"{kind}_token_cookie")
        if client.post(path).status_code == 200:
            found.append("cookies")
        return found

    return observe


def status_with_header(name: str, value: str) -> Observe:
    """The status where the token is in a header of that name, after that word."""
    return lambda auth: make_door(auth).get("/p", headers={name: value + token_of()()}).status_code


def status_with_query(name: str) -> Observe:
    return lambda auth: make_door(auth).get("/p", params={name: token_of()()}).status_code


def status_with_body(kind: TokenType, key: str) -> Observe:
    def observe(auth: AuthX[Any]) -> object:
        token = auth.create_access_token("alice") if kind == "access" else auth.create_refresh_token("alice")
        return make_door(auth).post("/p" if kind == "access" else "/r", json={key: token}).status_code

    return observe


def longest(auth: AuthX[Any]) -> object:
    token = auth.create_access_token("alice", data={"note": "x" * 300})
    return make_door(auth).get("/p", headers=bearer(token)).status_code


def looks_at_signatures(auth: AuthX[Any]) -> object:
    """How often a token's signature is looked at in two requests."""
    looks = []
    decode = jws.decode

    def counted(*args: Any) -> Any:
        looks.append(args)
        return decode(*args)

    client, header = make_door(auth), bearer(auth.create_access_token("alice"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jws, "decode", counted)
        assert [client.get("/p", headers=header).status_code for _ in range(2)] == [200, 200]
    return len(looks)


# Cookies


def cookie_lines(auth: AuthX[Any], kind: TokenType) -> list[str]:
    response = Response()
    if kind == "access":
        auth.set_access_cookies(auth.create_access_token("alice"), response)
    else:
        auth.set_refresh_cookies(auth.create_refresh_token("alice"), response)
    return response.headers.getlist("set-cookie")


def cookie_name(kind: TokenType, index: int) -> Observe:
    return lambda auth: cookie_lines(auth, kind)[index].partition("=")[0]


def attribute(name: str, kind: TokenType = "access", index: int = 0) -> Observe:
    """An attribute of a cookie: its value, ``""`` where it has none, ``None`` where it is absent."""

    def observe(auth: AuthX[Any]) -> object:
        parts = cookie_lines(auth, kind)[index].split("; ")[1:]
        found = {part.partition("=")[0].lower(): part.partition("=")[2] for part in parts}
        return found.get(name.lower())

    return observe


def attributes_of_all(name: str) -> Observe:
    """The same attribute of the four cookies."""
    return lambda auth: [attribute(name, kind, index)(auth) for kind in ("access", "refresh") for index in (0, 1)]


def cookies_set(auth: AuthX[Any]) -> object:
    return [line.partition("=")[0] for line in cookie_lines(auth, "access")]


# CSRF


@dataclass(frozen=True)
class Attempt:
    """A request with a cookie; ``{value}`` stands for the CSRF value of its token."""

    kind: TokenType = "access"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: {"X-CSRF-TOKEN": "{value}"})
    form: dict[str, str] | None = None

    def __call__(self, auth: AuthX[Any]) -> object:
        create = auth.create_access_token if self.kind == "access" else auth.create_refresh_token
        token = create("alice")
        client = with_cookie(make_door(auth), token, f"{self.kind}_token_cookie")
        value = claims_of(token)["csrf"]

        def fill(texts: dict[str, str]) -> dict[str, str]:
            return {name: text.format(value=value) for name, text in texts.items()}

        path = "/p" if self.kind == "access" else "/r"
        form = None if self.form is None else fill(self.form)
        return client.request(self.method, path, headers=fill(self.headers), data=form).status_code


# Sessions


Scene = Callable[[AuthX[Any], Clock], Awaitable[object]]


def on_a_store(scene: Scene) -> Observe:
    """Plays a scene with the same settings on a store of its own; an error is what is observed, by its name."""

    async def play(config: AuthXConfig) -> object:
        with TemporaryDirectory() as directory:
            clock = Clock()
            store = open_store(f"sqlite:///{directory}/sessions.db", config.JWT_STORE_PREFIX)
            auth = AuthX(config=config, store=store, clock=clock)
            try:
                return await scene(auth, clock)
            except AuthXException as error:
                return type(error).__name__
            finally:
                await auth.close()

    return lambda auth: asyncio.run(play(auth.config))


def request_with(token: str) -> Request:
    header = (b"authorization", b"Bearer " + token.encode())
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [header]})


def refreshed_after(first: timedelta, again: timedelta | None = None) -> Observe:
    """Refreshes a session some time after its begin, and with the same token some time after that."""

    async def scene(auth: AuthX[Any], clock: Clock) -> object:
        token = auth.create_refresh_token("alice")
        clock.now += first.total_seconds()
        await auth.refresh(request_with(token), Response())
        if again is not None:
            clock.now += again.total_seconds()
            await auth.refresh(request_with(token), Response())
        return "refreshed"

    return on_a_store(scene)


async def a_repeated_attempt(auth: AuthX[Any], clock: Clock) -> object:
    """Sends a token twice with the same key in a header that is not the usual one, beyond the grace period."""
    token = auth.create_refresh_token("alice")
    for _ in range(2):
        request = request_with(token)
        request.scope["headers"].append((b"x-attempt", b"a key of one attempt".replace(b" ", b"-")))
        await auth.refresh(request, Response())
        clock.now += 60
    return "refreshed"


async def revoked_access(auth: AuthX[Any], clock: Clock) -> object:
    pair = auth.create_token_pair("alice")
    await auth.refresh(request_with(pair.refresh_token), Response())
    await auth.revoke_all_sessions("alice")
    await auth.access_token_required(request_with(pair.access_token))
    return "passed"


async def opened(auth: AuthX[Any], clock: Clock) -> object:
    await auth.open()
    await auth.list_sessions("alice")
    return "opened"


def tables(auth: AuthX[Any]) -> object:
    """The prefixes that the tables of a new store have in common with what was asked for."""
    with TemporaryDirectory() as directory:
        path = f"{directory}/sessions.db"
        config = auth.config.model_copy(update={"JWT_STORE_URL": f"sqlite:///{path}"})

        async def create() -> None:
            stored = AuthX(config=config)
            await stored.open()
            await stored.close()

        asyncio.run(create())
        with closing(sqlite3.connect(path)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return sorted({name[: len(config.JWT_STORE_PREFIX)] for name in names if not name.startswith("sqlite_")})


def store_of_the_url(auth: AuthX[Any]) -> object:
    async def use() -> object:
        try:
            await auth.open()
            return await auth.list_sessions("alice")
        except BadConfigurationError:
            return "no store"
        finally:
            await auth.close()

    return asyncio.run(use())


class SilentStore:
    """Says once that nothing was revoked, then no more; notes how long it may take with the next news."""

    def __init__(self) -> None:
        self.patience: list[float] = []
        self.is_asked = asyncio.Event()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def create_schema(self) -> None: ...

    async def revocations(self, cursor: str) -> tuple[list[Any], str]:
        return [], "1"

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - the protocol's
        self.patience.append(timeout)
        self.is_asked.set()
        await asyncio.Event().wait()


def poll_interval(auth: AuthX[Any]) -> object:
    async def follow() -> float:
        store = SilentStore()
        served = AuthX(config=auth.config, store=store)
        await served.open()
        await store.is_asked.wait()
        await served.close()
        return store.patience[0]

    return asyncio.run(follow())


def status_after_a_silence(auth: AuthX[Any]) -> object:
    """What a request is answered when the store has said nothing for 20 ms; no clock but the machine's is asked."""

    async def wait() -> str:
        served = AuthX(config=auth.config, store=SilentStore())
        await served.open()
        token = served.create_access_token("alice")
        await asyncio.sleep(0.02)
        try:
            await served.access_token_required(request_with(token))
        except StoreUnavailableError:
            return "unavailable"
        else:
            return "passed"
        finally:
            await served.close()

    return asyncio.run(wait())


COOKIES = {"JWT_TOKEN_LOCATION": ["cookies"]}
ALL_PLACES = ["headers", "cookies", "json", "query"]
ES256 = {"JWT_ALGORITHM": "ES256"}
FORM = COOKIES | {"JWT_CSRF_CHECK_FORM": True}
