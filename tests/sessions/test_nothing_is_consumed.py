"""Before a session begins or moves on, everything that can fail has been tried."""

import logging

import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from tests.sessions.world import foreign_token, sid_of
from tests.support.tokens import bearer, claims_of

from authx.exceptions import StoreUnavailableError
from authx.jose import jws

pytestmark = pytest.mark.anyio
NINE_KILOBYTES = {"role": "x" * 9000}


def once(answer):
    """A claims getter that gives an answer the first time, and nothing later."""
    answers = [answer]
    return lambda uid, payload: answers.pop() if answers else None


async def refresh(world, tokens):
    if "refresh_token" in tokens:
        return await world.refresh(tokens["refresh_token"])
    return await world.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": tokens["refresh_csrf_token"]})


@pytest.mark.parametrize(("location", "size"), [("cookies", 3000), ("cookies", 9000), ("headers", 9000)])
async def test_a_refresh_whose_tokens_are_too_large_is_503_and_can_be_made_again(make_world, location, size, caplog):
    world = await make_world(JWT_TOKEN_LOCATION=[location])
    tokens, before = await world.login(), world.store.calls["advance"]
    world.auth.set_claims_getter(once({"role": "x" * size}))
    answer = await refresh(world, tokens)
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (503, "auth_unavailable", "retry")
    assert answer.headers["retry-after"] == "1"
    assert "set-cookie" not in answer.headers
    assert world.store.calls["advance"] == before
    assert any(record.levelno == logging.ERROR and "bytes" in record.getMessage() for record in caplog.records)
    assert "xxx" not in caplog.text
    world.clock.advance(60)
    assert (await refresh(world, tokens)).status_code == 200


@pytest.mark.parametrize("location", ["cookies", "headers"])
async def test_a_login_whose_tokens_are_too_large_begins_nothing_and_ends_nothing(make_world, location):
    world = await make_world(JWT_TOKEN_LOCATION=[location])
    tokens = await world.login()
    headers = bearer(tokens["access_token"]) if location == "headers" else {}
    writes = world.writes()
    world.options = {"data": NINE_KILOBYTES}
    answer = await world.http.post("/enter/alice", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "auth_unavailable")
    assert "set-cookie" not in answer.headers
    assert world.writes() == writes
    assert (await world.http.get("/door", headers=headers)).status_code == 200


async def test_a_refresh_that_cannot_be_signed_consumes_nothing(world, monkeypatch):
    tokens = await world.login()

    def fail(*_):
        raise OSError("the key is not available")

    with monkeypatch.context() as patch:
        patch.setattr(jws, "encode", fail)
        with pytest.raises(OSError, match="not available"):
            await world.refresh(tokens["refresh_token"])
    world.clock.advance(60)
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_login_that_cannot_be_signed_begins_nothing(world, monkeypatch):
    def fail(*_):
        raise OSError("the key is not available")

    with monkeypatch.context() as patch:
        patch.setattr(jws, "encode", fail)
        with pytest.raises(OSError, match="not available"):
            await world.http.post("/enter/alice")
    assert world.writes() == 0


@pytest.mark.parametrize(
    ("csrf", "in_headers", "in_cookies"),
    [("a;b", 200, 503), ("a\r\nSet-Cookie: b", 200, 503), ("x" * 5000, 200, 503), ("\ud800", 401, 401)],
)
@pytest.mark.parametrize("location", ["headers", "cookies"])
async def test_a_csrf_value_made_elsewhere_that_cannot_be_sent_back_consumes_nothing(
    make_world, location, csrf, in_headers, in_cookies
):
    world = await make_world(JWT_TOKEN_LOCATION=[location])
    token, before = foreign_token(world.clock, csrf=csrf), world.writes()
    if location == "headers":
        answer = await world.refresh(token)
    else:
        sent = {"Cookie": f"refresh_token_cookie={token}", "X-CSRF-TOKEN": csrf.encode("latin-1", "replace")}
        answer = await world.http.post("/auth/refresh", headers=sent)
    assert answer.status_code == (in_headers if location == "headers" else in_cookies)
    assert (world.writes() > before) == (answer.status_code == 200)
    if answer.status_code == 503:
        assert "set-cookie" not in answer.headers


async def test_a_refresh_signs_each_token_once(world, monkeypatch):
    tokens, signed, encode = await world.login(), [], jws.encode

    def count(claims, *rest):
        signed.append(claims["type"])
        return encode(claims, *rest)

    monkeypatch.setattr(jws, "encode", count)
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200
    assert signed == ["refresh", "access"]


@pytest.mark.parametrize("begin", ["login", "pair", "authx", "endless"])
async def test_the_answer_made_before_the_rotation_is_the_one_that_a_repetition_gets(make_world, begin):
    world = await make_world(**({"JWT_REFRESH_TOKEN_EXPIRES": None} if begin == "endless" else {}))
    made = {
        "login": world.login,
        "endless": world.login,
        "pair": lambda: {"refresh_token": world.create_pair()[1]},
        "authx": lambda: {"refresh_token": foreign_token(world.clock)},
    }[begin]()
    token = (await made if begin in ("login", "endless") else made)["refresh_token"]
    for _ in range(2):
        world.clock.advance(1000)
        first, again = await world.refreshed(token), await world.refreshed(token)
        assert first["refresh_token"] == again["refresh_token"]
        token = first["refresh_token"]


@pytest.mark.parametrize(
    ("operation", "after_commit"), [("create", False), ("create", True), ("revoke", False), ("revoke", True)]
)
async def test_a_login_that_the_store_fails_leaves_no_new_session(world, operation, after_commit):
    before = await world.login("bob")
    world.store.fail(operation, after_commit=after_commit)
    answer = await world.http.post("/enter/alice", headers=bearer(before["refresh_token"]))
    assert (answer.status_code, answer.json()["code"]) == (503, "auth_unavailable")
    assert await world.auth.list_sessions("alice") == []
    if operation == "create" or not after_commit:
        assert await world.knock(before["access_token"]) == 200


async def test_a_login_that_is_cancelled_leaves_no_new_session(world, monkeypatch):
    before = await world.login("bob")
    scope, revoke = CancelScope(), world.store.revoke

    async def revoke_too_late(revocation):
        monkeypatch.setattr(world.store, "revoke", revoke)
        scope.cancel()
        await checkpoint()

    monkeypatch.setattr(world.store, "revoke", revoke_too_late)
    with scope:
        await world.http.post("/enter/alice", headers=bearer(before["refresh_token"]))
    assert scope.cancelled_caught
    assert await world.auth.list_sessions("alice") == []
    assert await world.knock(before["access_token"]) == 200


async def test_a_login_ends_a_foreign_access_token_as_logout_does(world):
    token, other = foreign_token(world.clock, "access"), foreign_token(world.clock, "access", jti="another")
    answer = await world.http.post("/enter/alice", headers=bearer(token))
    assert answer.status_code == 200
    assert (await world.http.get("/door", headers=bearer(token))).json()["code"] == "token_revoked"
    assert await world.knock(other) == 200
    assert len(await world.auth.list_sessions("alice")) == 1


async def test_a_login_tells_of_no_logout(world):
    before = await world.login()
    world.told.clear()
    await world.http.post("/enter/alice", headers=bearer(before["refresh_token"]))
    assert world.names() == ["login"]


async def test_keeping_the_current_session_needs_one(world):
    other, token = await world.login(), foreign_token(world.clock, "access")
    answer = await world.http.post("/auth/logout/all?keep_current=true", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (400, "request_invalid", "login")
    assert "keep_current" in answer.json()["message"]
    assert await world.knock(token) == 200
    assert await world.knock(other["access_token"]) == 200
    assert (await world.http.post("/auth/logout/all", headers=bearer(token))).status_code == 200
    assert await world.knock(token) == 401


@pytest.mark.parametrize("answer", ["rubbish", 7, ["a"], {"sub": "mallory"}, {"scopes": "read"}, {"n": float("nan")}])
async def test_a_claims_getter_that_returns_rubbish_consumes_nothing(world, answer):
    tokens, writes = await world.login(), world.writes()
    world.auth.set_claims_getter(once(answer))
    with pytest.raises((TypeError, ValueError)):
        await world.refresh(tokens["refresh_token"])
    assert world.writes() == writes
    world.clock.advance(60)
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_callbacks_that_raise_consume_nothing(world):
    tokens, writes = await world.login(), world.writes()

    def fail(*_):
        raise StoreUnavailableError("the database of users")

    for register in (world.auth.set_claims_getter, world.auth.set_subject_getter):
        register(fail)
        assert (await world.refresh(tokens["refresh_token"])).status_code == 503
        register(None)
    assert world.writes() == writes
    world.clock.advance(60)
    answer = await world.refreshed(tokens["refresh_token"])
    assert claims_of(answer["refresh_token"])["sid"] == sid_of(tokens["refresh_token"])
