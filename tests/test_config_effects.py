"""Every setting does something: two values, and what differs between them."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Request, Response
from tests.support.apps import SECRET, make_auth, make_door, make_expired, with_cookie
from tests.support.tokens import OTHER_SECRET, bearer, claims_of, forge, forge_access, header_of

from authx import AuthX, AuthXConfig
from authx.exceptions import (
    AuthXException,
    BadConfigurationError,
    RefreshReusedError,
    SessionRevoked,
    StoreUnavailableError,
    TokenExpiredError,
)
from authx.jose import jws
from authx.stores import open_store
from authx.types import TokenLocation, TokenType

DOCUMENT = Path(__file__).parent.parent / "docs" / "configuration.md"

Observe = Callable[[AuthX[Any]], object]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without settings from outside, in a directory where a store may leave its file."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("JWT_"):
            monkeypatch.delenv(name)


@dataclass(frozen=True)
class Effect:
    """What is observed under each of some values of one setting; ``given`` are the others it needs."""

    observe: Observe
    outcomes: list[tuple[object, object]]
    given: dict[str, Any] = field(default_factory=dict)


# Keys


@cache
def key_pair(_name: str) -> tuple[str, str]:
    """A private and a public key in PEM form, the same ones for the same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def signed_by(name: str) -> str:
    return make_auth(JWT_ALGORITHM="ES256", JWT_PRIVATE_KEY=key_pair(name)[0]).create_access_token("alice")


def status_of(make_token: Callable[[], str]) -> Observe:
    """The status a token in the header is answered with."""
    return lambda auth: make_door(auth).get("/p", headers=bearer(make_token())).status_code


def own_tokens_pass_with(public_key_of: str) -> Observe:
    """Whether another instance, with that key alone, accepts what this one signs."""

    def observe(auth: AuthX[Any]) -> object:
        other = make_auth(JWT_ALGORITHM="ES256", JWT_PUBLIC_KEY=key_pair(public_key_of)[1])
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


class Clock:
    """Time that passes when a scene says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


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

EFFECTS: dict[str, Effect] = {
    "JWT_ALGORITHM": Effect(
        lambda auth: header_of(auth.create_access_token("alice"))["alg"], [("HS256", "HS256"), ("HS384", "HS384")]
    ),
    "JWT_SECRET_KEY": Effect(status_of(token_of()), [(SECRET, 200), (OTHER_SECRET, 401)]),
    "JWT_PRIVATE_KEY": Effect(
        own_tokens_pass_with("one"), [(key_pair("one")[0], 200), (key_pair("two")[0], 401)], ES256
    ),
    "JWT_PUBLIC_KEY": Effect(
        status_of(lambda: signed_by("one")), [(key_pair("one")[1], 200), (key_pair("two")[1], 401)], ES256
    ),
    "JWT_PREVIOUS_SECRET_KEY": Effect(
        status_of(lambda: forge_access(OTHER_SECRET)), [(None, 401), (OTHER_SECRET, 200)]
    ),
    "JWT_PREVIOUS_PUBLIC_KEY": Effect(
        status_of(lambda: signed_by("one")),
        [(None, 401), (key_pair("one")[1], 200)],
        ES256 | {"JWT_PUBLIC_KEY": key_pair("two")[1]},
    ),
    "JWT_ACCESS_TOKEN_EXPIRES": Effect(
        lifetime("create_access_token"), [(timedelta(minutes=1), 60), (timedelta(hours=1), 3600), (None, None)]
    ),
    "JWT_REFRESH_TOKEN_EXPIRES": Effect(
        lifetime("create_refresh_token"), [(timedelta(minutes=1), 60), (timedelta(days=1), 86400), (None, None)]
    ),
    "JWT_DECODE_ALGORITHMS": Effect(
        status_of(lambda: make_auth(JWT_SECRET_KEY=SECRET * 2, JWT_ALGORITHM="HS512").create_access_token("alice")),
        [(["HS256"], 401), (["HS256", "HS512"], 200)],
        {"JWT_SECRET_KEY": SECRET * 2},
    ),
    "JWT_DECODE_AUDIENCE": Effect(
        status_of(token_of(aud=["us", "you"])), [(None, 401), ("us", 200), (["you", "they"], 200), ("they", 401)]
    ),
    "JWT_DECODE_ISSUER": Effect(status_of(token_of(iss="us")), [(None, 200), ("us", 200), ("they", 401)]),
    "JWT_DECODE_LEEWAY": Effect(
        lambda auth: make_door(auth).get("/p", headers=bearer(make_expired(auth))).status_code,
        [(0, 401), (None, 401), (60, 200)],
    ),
    "JWT_ENCODE_AUDIENCE": Effect(claim("aud"), [(None, None), ("us", "us"), (["us", "you"], ["us", "you"])]),
    "JWT_ENCODE_ISSUER": Effect(claim("iss"), [(None, None), ("us", "us")]),
    "JWT_ENCODE_NBF": Effect(has_nbf, [(True, True), (False, False)]),
    "JWT_IDENTITY_CLAIM": Effect(identity, [("sub", 401), ("login", 200)]),
    "JWT_ERROR_MESSAGE_KEY": Effect(message_key, [("detail", "detail"), ("msg", "msg"), ("message", "message")]),
    "JWT_ERROR_STATUS": Effect(status_of(lambda: "garbage"), [("rfc", 401), ("authx", 422)]),
    "JWT_REALM": Effect(challenge, [("authx", 'Bearer realm="authx"'), ("Back office", 'Bearer realm="Back office"')]),
    "JWT_TOKEN_LOCATION": Effect(
        places("access"),
        [
            (["headers"], ["headers"]),
            (["json", "query"], ["json", "query"]),
            (["cookies"], ["cookies"]),
            (ALL_PLACES, ["headers", "json", "query", "cookies"]),
            ([], []),
        ],
        {"JWT_COOKIE_CSRF_PROTECT": False},
    ),
    "JWT_REFRESH_TOKEN_LOCATION": Effect(
        places("refresh"),
        [(None, ["headers"]), (["cookies"], ["cookies"]), (["json", "query"], ["json", "query"])],
        {"JWT_COOKIE_CSRF_PROTECT": False},
    ),
    "JWT_HEADER_NAME": Effect(status_with_header("X-Pass", "Bearer "), [("Authorization", 401), ("X-Pass", 200)]),
    "JWT_HEADER_TYPE": Effect(
        status_with_header("Authorization", "Token "), [("Bearer", 401), ("Token", 200), ("token", 200)]
    ),
    "JWT_QUERY_STRING_NAME": Effect(
        status_with_query("ticket"), [("token", 401), ("ticket", 200)], {"JWT_TOKEN_LOCATION": ["query"]}
    ),
    "JWT_JSON_KEY": Effect(
        status_with_body("access", "ticket"), [("access_token", 401), ("ticket", 200)], {"JWT_TOKEN_LOCATION": ["json"]}
    ),
    "JWT_REFRESH_JSON_KEY": Effect(
        status_with_body("refresh", "ticket"),
        [("refresh_token", 401), ("ticket", 200)],
        {"JWT_TOKEN_LOCATION": ["json"]},
    ),
    "JWT_MAX_TOKEN_BYTES": Effect(longest, [(8192, 200), (400, 400)]),
    "JWT_TOKEN_CACHE_SIZE": Effect(looks_at_signatures, [(1024, 1), (1, 1), (0, 2)]),
    "JWT_MAX_BODY_BYTES": Effect(
        Attempt(headers={}, form={"text": "x" * 2000, "csrf_token": "{value}"}), [(1_048_576, 200), (1024, 400)], FORM
    ),
    "JWT_ACCESS_COOKIE_NAME": Effect(
        cookie_name("access", 0), [("access_token_cookie", "access_token_cookie"), ("a", "a")], COOKIES
    ),
    "JWT_ACCESS_COOKIE_PATH": Effect(attribute("Path", "access"), [("/", "/"), ("/api", "/api")], COOKIES),
    "JWT_REFRESH_COOKIE_NAME": Effect(
        cookie_name("refresh", 0), [("refresh_token_cookie", "refresh_token_cookie"), ("r", "r")], COOKIES
    ),
    "JWT_REFRESH_COOKIE_PATH": Effect(attribute("Path", "refresh"), [("/", "/"), ("/auth", "/auth")], COOKIES),
    "JWT_COOKIE_DOMAIN": Effect(
        attributes_of_all("Domain"), [(None, [None] * 4), ("example.org", ["example.org"] * 4)], COOKIES
    ),
    "JWT_COOKIE_MAX_AGE": Effect(
        attributes_of_all("Max-Age"), [(None, [None] * 4), (600, ["600"] * 4), (0, ["0"] * 4)], COOKIES
    ),
    "JWT_COOKIE_SAMESITE": Effect(
        attributes_of_all("SameSite"),
        [("lax", ["lax"] * 4), ("strict", ["strict"] * 4), ("none", ["none"] * 4), (None, [None] * 4)],
        COOKIES,
    ),
    "JWT_COOKIE_SECURE": Effect(
        attributes_of_all("Secure"), [(True, [""] * 4), (False, [None] * 4), ("auto", [""] * 4)], COOKIES
    ),
    "JWT_COOKIE_HTTP_ONLY": Effect(
        attributes_of_all("HttpOnly"), [(True, ["", None, "", None]), (False, [None] * 4)], COOKIES
    ),
    "JWT_SESSION_COOKIE": Effect(
        lambda auth: attribute("Max-Age")(auth) is None, [(True, True), (False, False)], COOKIES
    ),
    "JWT_COOKIE_CSRF_PROTECT": Effect(Attempt(headers={}), [(True, 403), (False, 200)], COOKIES),
    "JWT_CSRF_IN_COOKIES": Effect(
        cookies_set,
        [(True, ["access_token_cookie", "csrf_access_token"]), (False, ["access_token_cookie"])],
        COOKIES,
    ),
    "JWT_CSRF_METHODS": Effect(Attempt(method="GET", headers={}), [(["POST"], 200), (["POST", "GET"], 403)], COOKIES),
    "JWT_CSRF_CHECK_FORM": Effect(
        Attempt(headers={}, form={"csrf_token": "{value}"}), [(False, 403), (True, 200)], COOKIES
    ),
    "JWT_ORIGINS": Effect(
        Attempt(headers={"X-CSRF-TOKEN": "{value}", "Origin": "https://front.example"}),
        [([], 200), (["https://front.example"], 200), (["https://back.example"], 403)],
        COOKIES,
    ),
    "JWT_CSRF_TRUSTED_ORIGINS": Effect(
        Attempt(headers={"X-CSRF-TOKEN": "{value}", "Origin": "https://front.example"}),
        [([], 200), (["https://front.example"], 200), (["https://back.example"], 403)],
        COOKIES,
    ),
    "JWT_ACCESS_CSRF_COOKIE_NAME": Effect(
        cookie_name("access", 1), [("csrf_access_token", "csrf_access_token"), ("c", "c")], COOKIES
    ),
    "JWT_REFRESH_CSRF_COOKIE_NAME": Effect(
        cookie_name("refresh", 1), [("csrf_refresh_token", "csrf_refresh_token"), ("c", "c")], COOKIES
    ),
    "JWT_ACCESS_CSRF_COOKIE_PATH": Effect(attribute("Path", "access", 1), [("/", "/"), ("/front", "/front")], COOKIES),
    "JWT_REFRESH_CSRF_COOKIE_PATH": Effect(
        attribute("Path", "refresh", 1), [("/", "/"), ("/front", "/front")], COOKIES
    ),
    "JWT_ACCESS_CSRF_HEADER_NAME": Effect(
        Attempt(headers={"X-Proof": "{value}"}), [("X-CSRF-TOKEN", 403), ("X-Proof", 200)], COOKIES
    ),
    "JWT_REFRESH_CSRF_HEADER_NAME": Effect(
        Attempt("refresh", headers={"X-Proof": "{value}"}), [("X-CSRF-TOKEN", 403), ("X-Proof", 200)], COOKIES
    ),
    "JWT_ACCESS_CSRF_FIELD_NAME": Effect(
        Attempt(headers={}, form={"proof": "{value}"}), [("csrf_token", 403), ("proof", 200)], FORM
    ),
    "JWT_REFRESH_CSRF_FIELD_NAME": Effect(
        Attempt("refresh", headers={}, form={"proof": "{value}"}), [("csrf_token", 403), ("proof", 200)], FORM
    ),
    "JWT_STORE_URL": Effect(store_of_the_url, [(None, "no store"), ("sqlite:///sessions.db", [])]),
    "JWT_STORE_PREFIX": Effect(tables, [("authx_", ["authx_"]), ("login_", ["login_"])]),
    "JWT_STORE_CREATE_SCHEMA": Effect(on_a_store(opened), [(True, "opened"), (False, BadConfigurationError.__name__)]),
    "JWT_SESSION_MAX_AGE": Effect(
        refreshed_after(timedelta(days=2)),
        [
            (timedelta(days=90), "refreshed"),
            (None, "refreshed"),
            (timedelta(days=1), TokenExpiredError.__name__),
        ],
    ),
    "JWT_REFRESH_GRACE_PERIOD": Effect(
        refreshed_after(timedelta(minutes=1), timedelta(seconds=10)),
        [
            (timedelta(seconds=30), "refreshed"),
            (timedelta(seconds=5), RefreshReusedError.__name__),
            (timedelta(0), RefreshReusedError.__name__),
        ],
    ),
    "JWT_RETRY_KEY_HEADER": Effect(
        on_a_store(a_repeated_attempt),
        [
            ("X-Attempt", "refreshed"),
            ("Idempotency-Key", RefreshReusedError.__name__),
            (None, RefreshReusedError.__name__),
        ],
    ),
    "JWT_REVOCATION_CHECK": Effect(
        on_a_store(revoked_access),
        [("feed", SessionRevoked.__name__), ("store", SessionRevoked.__name__), ("none", "passed")],
    ),
    "JWT_REVOCATION_POLL_INTERVAL": Effect(poll_interval, [(timedelta(seconds=0.5), 0.5), (timedelta(seconds=2), 2.0)]),
    "JWT_REVOCATION_MAX_STALENESS": Effect(
        status_after_a_silence,
        [(timedelta(seconds=30), "passed"), (None, "passed"), (timedelta(milliseconds=10), "unavailable")],
        {"JWT_REVOCATION_POLL_INTERVAL": timedelta(milliseconds=1)},
    ),
}

# Accepted so that AuthX's applications start; what they ask for is done without being asked.
BY_ITSELF = {
    "JWT_SESSION_TRACKING": "a store tracks every session",
    "JWT_SESSION_UPDATE_LAST_ACTIVE": "each refresh updates it",
}

# Obeyed by a method of `AuthX` that does not exist yet; once it does, each needs an effect above.
AWAITED_BY = {
    "JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_METHOD_EXCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_METHOD_INCLUDE": "implicit_refresh_middleware",
    "JWT_IMPLICIT_REFRESH_DELTATIME": "implicit_refresh_middleware",
}

CASES = [
    pytest.param(name, value, expected, id=f"{name}-{index}")
    for name, effect in EFFECTS.items()
    for index, (value, expected) in enumerate(effect.outcomes)
]


def test_every_field_has_an_effect_or_a_reason_for_none():
    assert set(AuthXConfig.model_fields) == EFFECTS.keys() | BY_ITSELF.keys() | AWAITED_BY.keys()


@pytest.mark.parametrize("name", EFFECTS)
def test_what_is_observed_differs_between_the_values_of_a_field(name):
    assert len({repr(expected) for _, expected in EFFECTS[name].outcomes}) > 1


@pytest.mark.parametrize(("name", "value", "expected"), CASES)
def test_a_value_of_a_field_has_its_effect(name, value, expected):
    effect = EFFECTS[name]
    auth = make_auth(**effect.given | {name: value})
    assert effect.observe(auth) == expected


@pytest.mark.parametrize("name", BY_ITSELF)
def test_a_field_without_effect_says_so_in_its_description(name):
    description = AuthXConfig.model_fields[name].description
    assert description is not None
    assert "Accepted for AuthX applications" in description


@pytest.mark.parametrize("name", AWAITED_BY)
def test_a_field_that_waits_for_a_feature_waits_no_longer_once_it_is_there(name):
    assert not hasattr(AuthX, AWAITED_BY[name])


@pytest.mark.parametrize("name", AuthXConfig.model_fields)
def test_a_field_is_described(name):
    description = AuthXConfig.model_fields[name].description
    assert description
    assert description.endswith(".")


@pytest.mark.parametrize("name", AuthXConfig.model_fields)
def test_a_field_is_in_the_documentation(name):
    assert f"`{name}`" in DOCUMENT.read_text(encoding="utf-8")
