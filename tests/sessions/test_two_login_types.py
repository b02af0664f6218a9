"""Two kinds of login over one key and one store: user 1 has nothing to do with admin 1."""

import logging

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from tests.sessions.world import SECRET, sid_of
from tests.support.tokens import bearer, claims_of

from authx import AuthManager, AuthX, AuthXConfig, RequestToken, TokenPayload
from authx.exceptions import JWTDecodeError, LoginTypeMismatchError
from authx.schema import SessionTokens
from authx.stores.memory import MemoryStore
from authx.testing import Clock

pytestmark = pytest.mark.anyio

MISMATCH = (401, "token_wrong_login_type", "login")
RIGHT = {"username": "1", "password": "right"}


class Site:
    """An application with a login for admins, one for users, and one without a login type, over one key and store."""

    def __init__(self, **fields):
        self.clock, self.store, self.app = Clock(), MemoryStore(), FastAPI()
        self.kinds = {}
        for name in ("admin", "user", None):
            config = AuthXConfig(JWT_SECRET_KEY=SECRET, **fields)
            auth = AuthX(config, login_type=name, store=self.store, clock=self.clock)
            self.kinds[str(name)] = auth
            auth.handle_errors(self.app)
            self.app.include_router(auth.router(lambda name, password: name), prefix=f"/{name}")
            self.add_routes(auth, f"/{name}")
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="https://testserver")

    def add_routes(self, auth, prefix):
        @self.app.get(f"{prefix}/door")
        async def door(payload: TokenPayload = auth.ACCESS_REQUIRED) -> str | None:
            return payload.login_type

        @self.app.post(f"{prefix}/hand")
        async def hand(payload: TokenPayload = auth.REFRESH_REQUIRED) -> dict[str, str]:
            return {"access_token": auth.create_access_token(payload.sub, sid=payload.sid)}

        @self.app.post(f"{prefix}/step")
        async def step(request: Request, response: Response) -> SessionTokens:
            return await auth.refresh(request, response)

    async def login(self, kind):
        return (await self.http.post(f"/{kind}/login", json=RIGHT)).json()

    async def is_live(self, kind, tokens):
        answer = await self.http.get(f"/{kind}/door", headers=bearer(tokens["access_token"]))
        return answer.status_code == 200


@pytest.fixture
async def site():
    site = Site(JWT_TOKEN_LOCATION=["headers"])
    yield site
    await site.http.aclose()
    for auth in site.kinds.values():
        await auth.close()


def shown(answer):
    body = answer.json()
    return answer.status_code, body["code"], body["action"]


@pytest.mark.parametrize("other", ["user", "None"])
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/admin/door", "access"),
        ("GET", "/admin/sessions", "access"),
        ("DELETE", "/admin/sessions/{sid}", "access"),
        ("POST", "/admin/logout/all", "access"),
        ("POST", "/admin/logout/all?keep_current=true", "access"),
        ("POST", "/admin/refresh", "refresh"),
        ("POST", "/admin/hand", "refresh"),
        ("POST", "/admin/step", "refresh"),
    ],
)
async def test_a_token_of_another_login_type_or_of_none_is_refused(site, other, method, path, kind):
    admin, stranger = await site.login("admin"), await site.login(other)
    path = path.format(sid=sid_of(admin["access_token"]))
    answer = await site.http.request(method, path, headers=bearer(stranger[f"{kind}_token"]))
    assert shown(answer) == MISMATCH
    assert answer.json()["actual_type"] == (None if other == "None" else other)
    # Nothing ended, and nothing was consumed.
    assert await site.is_live("admin", admin)
    assert await site.is_live(other, stranger)
    refreshed = await site.http.post(f"/{other}/refresh", headers=bearer(stranger["refresh_token"]))
    assert refreshed.status_code == 200


async def test_a_remembered_token_is_refused_too(site):
    user = await site.login("user")
    for _ in range(3):
        answer = await site.http.get("/admin/door", headers=bearer(user["access_token"]))
        assert shown(answer) == MISMATCH
        assert await site.is_live("user", user)


@pytest.mark.parametrize(
    ("method", "path", "kind"), [("GET", "/None/door", "access"), ("POST", "/None/refresh", "refresh")]
)
async def test_an_instance_with_a_store_and_no_login_type_refuses_tokens_that_have_one(site, method, path, kind):
    # Their sessions are in another namespace, so it would not see that one was revoked.
    admin, plain = await site.login("admin"), await site.login("None")
    await site.http.post("/admin/logout", headers=bearer(admin["refresh_token"]))
    answer = await site.http.request(method, path, headers=bearer(admin[f"{kind}_token"]))
    assert shown(answer) == MISMATCH
    assert await site.is_live("None", plain)


async def test_an_instance_without_a_store_and_login_type_accepts_tokens_that_have_one():
    auth, admins = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET)), AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), None, "admin")
    token = RequestToken(token=admins.create_access_token("1"), location="headers")
    assert auth.verify_token(token).login_type == "admin"


async def test_logout_ignores_the_token_of_another_login_type(site):
    user = await site.login("user")
    for token in user["access_token"], user["refresh_token"]:
        answer = await site.http.post("/admin/logout", headers=bearer(token))
        assert answer.status_code == 200
    assert await site.is_live("user", user)


async def test_a_login_does_not_end_the_session_of_another_login_type(site):
    user = await site.login("user")
    answer = await site.http.post("/admin/login", json=RIGHT, headers=bearer(user["access_token"]))
    assert answer.status_code == 200
    assert await site.is_live("user", user)


async def test_a_refreshed_token_keeps_its_login_type(site):
    tokens = await site.login("admin")
    for _ in range(2):
        answer = await site.http.post("/admin/refresh", headers=bearer(tokens["refresh_token"]))
        tokens = answer.json()
        assert {claims_of(tokens[f"{kind}_token"])["login_type"] for kind in ("access", "refresh")} == {"admin"}
    assert await site.is_live("admin", tokens)


async def test_the_claims_getter_cannot_give_an_access_token_another_login_type(site):
    site.kinds["user"].set_claims_getter(lambda uid, payload: {"login_type": "admin"})
    tokens = await site.login("user")
    answer = await site.http.post("/user/refresh", headers=bearer(tokens["refresh_token"]))
    assert claims_of(answer.json()["access_token"])["login_type"] == "user"


async def test_an_instance_with_a_store_and_no_login_type_signs_no_token_that_it_would_refuse(site):
    plain = site.kinds["None"]
    with pytest.raises(ValueError, match="login_type is not a claim to set"):
        plain.create_access_token("1", data={"login_type": "admin"})
    plain.set_claims_getter(lambda uid, payload: {"login_type": "admin"})
    tokens = await site.login("None")
    with pytest.raises(ValueError, match="login_type is not a claim to set"):
        await site.http.post("/None/refresh", headers=bearer(tokens["refresh_token"]))
    # Nothing was consumed.
    plain.set_claims_getter(None)
    assert (await site.http.post("/None/refresh", headers=bearer(tokens["refresh_token"]))).status_code == 200


async def test_the_token_of_another_login_type_cannot_be_revoked_here(site):
    user = await site.login("user")
    for token in user["access_token"], user["refresh_token"]:
        with pytest.raises(JWTDecodeError, match="expected 'admin', got 'user'"):
            await site.kinds["admin"].revoke_token(token)
    assert await site.is_live("user", user)


@pytest.mark.parametrize("verify_type", [True, False])
async def test_verify_token_refuses_it_too(site, verify_type):
    for other in ("user", "None"):
        token = RequestToken(token=(await site.login(other))["access_token"], location="headers")
        with pytest.raises(LoginTypeMismatchError):
            site.kinds["admin"].verify_token(token, verify_type=verify_type)


async def test_cookies_are_set_for_tokens_of_the_own_login_type_alone(site):
    users, admins = site.kinds["user"], site.kinds["admin"]
    with pytest.raises(ValueError, match="login type 'admin'"):
        admins.set_access_cookies(users.create_access_token("1"), Response())
    admins.set_access_cookies(admins.create_access_token("1"), Response())


async def test_logout_with_cookies_ignores_those_of_another_login_type():
    site = Site(JWT_TOKEN_LOCATION=["cookies"])
    login = await site.http.post("/user/login", json=RIGHT)
    token = site.http.cookies["access_token_cookie"]
    assert login.status_code == 200
    answer = await site.http.post("/admin/logout", headers={"X-CSRF-TOKEN": login.json()["csrf_token"]})
    assert answer.status_code == 200
    claims = claims_of(token)
    (live,) = await site.kinds["user"].list_sessions("1")
    assert live.session_id == claims["sid"]
    await site.http.aclose()
    for auth in site.kinds.values():
        await auth.close()


# What two instances share


def warnings_of(caplog, one, other):
    with caplog.at_level(logging.WARNING, "authx"):
        caplog.clear()
        manager = AuthManager()
        manager.register(one)
        manager.register(other)
    return [record.getMessage() for record in caplog.records if "share" in record.getMessage()]


def make(login_type, store=None, **fields):
    return AuthX(AuthXConfig(**{"JWT_SECRET_KEY": f"{SECRET} of {login_type}"} | fields), None, login_type, store=store)


COOKIES = {"JWT_TOKEN_LOCATION": ["cookies"]}
OWN_NAMES = {
    "JWT_ACCESS_COOKIE_NAME": "a",
    "JWT_ACCESS_CSRF_COOKIE_NAME": "ac",
    "JWT_REFRESH_COOKIE_NAME": "r",
    "JWT_REFRESH_CSRF_COOKIE_NAME": "rc",
}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({}, {}, ""),
        ({"JWT_SECRET_KEY": SECRET}, {"JWT_SECRET_KEY": SECRET}, "a key"),
        ({"JWT_SECRET_KEY": SECRET}, {"JWT_PREVIOUS_SECRET_KEY": SECRET}, "a key"),
        (COOKIES, COOKIES, "access_token_cookie, csrf_access_token, csrf_refresh_token, refresh_token_cookie"),
        (COOKIES, COOKIES | OWN_NAMES, ""),
        (COOKIES, COOKIES | OWN_NAMES | {"JWT_REFRESH_COOKIE_NAME": "access_token_cookie"}, "access_token_cookie "),
        (COOKIES | {"JWT_COOKIE_DOMAIN": "a.example"}, COOKIES | {"JWT_COOKIE_DOMAIN": "b.example"}, ""),
        (COOKIES, {}, ""),
        ({"JWT_STORE_URL": "sqlite:///x.db"}, {"JWT_STORE_URL": "sqlite:///x.db"}, "the store and its prefix"),
        ({"JWT_STORE_URL": "sqlite:///x.db"}, {"JWT_STORE_URL": "sqlite:///y.db"}, ""),
        (
            {"JWT_STORE_URL": "sqlite:///x.db"},
            {"JWT_STORE_URL": "sqlite:///x.db", "JWT_STORE_PREFIX": "other_"},
            "",
        ),
        ({"JWT_STORE_URL": "memory://"}, {"JWT_STORE_URL": "memory://"}, ""),
    ],
)
async def test_registering_two_instances_logs_what_they_share(caplog, one, other, said):
    found = warnings_of(caplog, make("admin", **one), make("user", **other))
    assert len(found) == bool(said)
    for message in found:
        assert message.startswith("The login types 'admin' and 'user' share ")
        assert said in message
        assert SECRET not in message
        assert message.count(";") == 0


async def test_registering_two_instances_on_one_store_object_logs_it(caplog):
    store = MemoryStore()
    (found,) = warnings_of(caplog, make("admin", store), make("user", store))
    assert "the store and its prefix" in found
    assert warnings_of(caplog, make("admin", MemoryStore()), make("user", MemoryStore())) == []
