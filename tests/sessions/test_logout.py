"""`auth.logout`: whatever token a request carries, its session ends."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import Request, Response
from tests.sessions.world import DAY, MAX_AGE, OTHER_SECRET, foreign_token, sid_of
from tests.support.inside import feed_of, revoked_of
from tests.support.tokens import bearer, claims_of

from authx import AuthX, AuthXConfig
from authx.core.session import Revocation

pytestmark = pytest.mark.anyio


async def logout(world, token=None, **headers):
    return await world.http.post("/auth/logout", headers=(bearer(token) if token else {}) | headers)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_ends_the_session_of_any_token(world, kind):
    tokens = await world.login()
    answer = await logout(world, tokens[kind])
    assert (answer.status_code, answer.json()) == (200, {"message": "Logged out"})
    assert await world.knock(tokens["access_token"]) == 401
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"


@pytest.mark.parametrize("kind", [0, 1])
async def test_ends_a_session_without_row(world, kind):
    pair = world.create_pair()
    assert (await logout(world, pair[kind])).status_code == 200
    assert await world.knock(pair[0]) == 401
    assert (await world.refresh(pair[1])).json()["code"] == "session_revoked"


async def test_the_row_of_a_session_that_had_none_outlives_its_tokens(world):
    access, refresh = world.create_pair()
    await logout(world, access)
    row = await world.row(refresh)
    assert row.expires_at >= int(world.clock.now + MAX_AGE) * 1000
    assert (row.sub, row.revoked_reason) == ("alice", "logout")


async def test_ends_the_session_of_an_older_refresh_token(world):
    tokens = await world.login()
    new = await world.refreshed(tokens["refresh_token"])
    new = await world.refreshed(new["refresh_token"])
    assert (await logout(world, tokens["refresh_token"])).status_code == 200
    assert (await world.refresh(new["refresh_token"])).json()["code"] == "session_revoked"
    assert "refresh_reused" not in world.names()


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_ends_the_session_of_an_expired_token(world, kind):
    tokens = await world.login()
    world.clock.advance(3600)
    tokens |= {"newest": (await world.refreshed(tokens["refresh_token"]))["refresh_token"]}
    assert (await logout(world, tokens[kind])).status_code == 200
    assert (await world.refresh(tokens["newest"])).json()["code"] == "session_revoked"


async def test_ends_the_session_of_a_token_of_authx(world):
    token = foreign_token(world.clock)
    new = await world.refreshed(token)
    await logout(world, token)
    assert (await world.refresh(new["refresh_token"])).json()["code"] == "session_revoked"


async def test_ends_an_access_token_of_authx_itself(world):
    token, other = foreign_token(world.clock, "access"), foreign_token(world.clock, "access", jti="another")
    assert (await logout(world, token)).status_code == 200
    answer = await world.http.get("/door", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    assert await world.knock(other) == 200


async def test_ends_the_sessions_of_all_tokens_in_the_request(make_world):
    world = await make_world(JWT_TOKEN_LOCATION=["headers", "cookies"])
    first, second = await world.login(), await world.login("bob")
    world.http.cookies.clear()
    await logout(
        world,
        first["access_token"],
        **{
            "Cookie": f"refresh_token_cookie={second['refresh_token']}",
            "X-CSRF-TOKEN": second["refresh_csrf_token"],
        },
    )
    assert await world.knock(first["access_token"]) == 401
    assert await world.knock(second["access_token"]) == 401


async def test_leaves_other_sessions_alone(world):
    one, two, other = await world.login(), await world.login(), await world.login("bob")
    await logout(world, one["access_token"])
    assert await world.knock(two["access_token"]) == 200
    assert await world.knock(other["access_token"]) == 200


@pytest.mark.parametrize("token", [None, "nonsense", "a.b.c", "é".encode("latin-1"), "x" * 9000])
async def test_never_fails_for_what_is_no_token(world, token):
    headers = (
        {} if token is None else {"Authorization": b"Bearer " + (token if isinstance(token, bytes) else token.encode())}
    )
    answer = await world.http.post("/auth/logout", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"message": "Logged out"})
    assert world.writes() == 0


async def test_a_token_of_another_deployment_s_key_ends_nothing(world):
    tokens = await world.login()
    stranger = AuthX(AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET), clock=world.clock)
    forged = stranger.create_access_token("alice", sid=sid_of(tokens["access_token"]))
    assert (await logout(world, forged)).status_code == 200
    assert await world.knock(tokens["access_token"]) == 200


async def test_can_be_repeated(world):
    tokens = await world.login()
    for _ in range(3):
        assert (await logout(world, tokens["access_token"])).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_a_repetition_writes_nothing_and_is_remembered_nowhere(make_process, kind):
    here, there = await make_process(), await make_process()
    token = (await here.login())[kind]
    await logout(here, token)
    for world in (here, there):
        await feed_of(world.auth).catch_up()
        held = weight(world)
        before = world.writes()
        for _ in range(20):
            assert (await logout(world, token)).status_code == 200
            world.clock.advance(10)
        assert world.writes() == before
        await feed_of(world.auth).catch_up()
        assert weight(world) == held


async def test_a_repetition_with_a_token_of_authx_writes_nothing(world):
    token = foreign_token(world.clock, "access")
    await logout(world, token)
    before = world.writes()
    for _ in range(20):
        assert (await logout(world, token)).status_code == 200
        world.clock.advance(10)
    assert world.writes() == before


async def test_a_repetition_that_reaches_further_is_written(make_process):
    longer, shorter = await make_process(JWT_SESSION_MAX_AGE=400 * DAY), await make_process()
    access, refresh = longer.create_pair(refresh_expiry=timedelta(days=300))
    for token in (access, refresh):
        assert (await logout(shorter, token)).status_code == 200
    assert (await shorter.row(refresh)).expires_at == claims_of(refresh)["exp"] * 1000


async def test_what_was_announced_and_not_carried_out_is_repeated(world):
    tokens = await world.login()
    now = int(world.clock.now * 1000)
    sid = sid_of(tokens["access_token"])
    # As where Redis stopped between its two steps.
    feed_of(world.auth).apply(Revocation(kind="session", key=sid, at=now, until=now + 60_000))
    assert (await logout(world, tokens["access_token"])).status_code == 200
    assert (await world.row(sid)).revoked_at is not None


def weight(world):
    """How much a process remembers of what was revoked."""
    revoked = revoked_of(world.auth)
    return len(revoked), sum(len(keys) for ending in revoked._ending.values() for keys in ending)


async def test_a_logout_amid_refreshes_ends_logged_out(world):
    token = (await world.login())["refresh_token"]
    answers = await asyncio.gather(*(world.refresh(token) for _ in range(10)), logout(world, token))
    newest = {answer.json()["refresh_token"] for answer in answers[:-1] if answer.status_code == 200}
    for one in {token, *newest}:
        assert (await world.refresh(one)).json()["code"] == "session_revoked"


async def test_is_told_with_user_and_session(world):
    tokens = await world.login()
    world.told.clear()
    await logout(world, tokens["access_token"])
    (event,) = world.told
    assert (event.event, event.uid, event.session_id) == ("logout", "alice", sid_of(tokens["access_token"]))


async def test_a_store_that_does_not_answer_gives_503_and_keeps_the_cookies(site):
    body = await site.login()
    site.store.fail("revoke")
    answer = await logout(site, **{"X-CSRF-TOKEN": body["csrf_token"]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "set-cookie" not in answer.headers
    assert (await site.http.get("/door")).status_code == 200
    assert (await logout(site, **{"X-CSRF-TOKEN": body["csrf_token"]})).status_code == 200


async def test_without_any_token_the_store_is_not_asked(world):
    world.store.fail(times=None)
    assert (await logout(world)).status_code == 200


# With cookies


@pytest.mark.parametrize("value", ["csrf_token", "refresh_csrf_token"])
async def test_cookies_need_any_one_csrf_value(site, value):
    body = await site.login()
    kept = site.http.cookies["access_token_cookie"]
    answer = await logout(site, **{"X-CSRF-TOKEN": body[value]})
    assert answer.status_code == 200
    lines = answer.headers.get_list("set-cookie")
    assert len(lines) == 4
    assert all("Max-Age=0" in line for line in lines)
    again = await site.http.get("/door", headers={"Cookie": f"access_token_cookie={kept}"})
    assert again.json()["code"] == "session_revoked"


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "csrf_missing"), ({"X-CSRF-TOKEN": "wrong"}, "csrf_mismatch"), ({"X-CSRF-TOKEN": ""}, "csrf_missing")],
)
async def test_without_a_csrf_value_nothing_ends(site, headers, code):
    await site.login()
    answer = await logout(site, **headers)
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert "set-cookie" not in answer.headers
    assert (await site.http.get("/door")).status_code == 200


@pytest.mark.parametrize("kept", ["access_token_cookie", "refresh_token_cookie"])
async def test_one_cookie_is_enough(site, kept):
    body = await site.login()
    token = site.http.cookies[kept]
    site.http.cookies.clear()
    csrf = body["csrf_token" if kept.startswith("access") else "refresh_csrf_token"]
    answer = await logout(site, **{"Cookie": f"{kept}={token}", "X-CSRF-TOKEN": csrf})
    assert answer.status_code == 200
    assert (await site.row(token)).revoked_reason == "logout"


async def test_an_expired_access_cookie_and_its_value_are_enough(site):
    body = await site.login()
    token = site.http.cookies["access_token_cookie"]
    site.http.cookies.clear()
    site.clock.advance(3600)
    answer = await logout(site, **{"Cookie": f"access_token_cookie={token}", "X-CSRF-TOKEN": body["csrf_token"]})
    assert answer.status_code == 200
    assert (await site.row(token)).revoked_reason == "logout"


async def test_nothing_at_all_is_answered_and_clears_the_cookies(site):
    answer = await logout(site)
    assert (answer.status_code, len(answer.headers.get_list("set-cookie"))) == (200, 4)


async def test_a_cookie_that_is_no_token_of_ours_needs_no_csrf_value(site):
    answer = await logout(site, Cookie="access_token_cookie=nonsense")
    assert (answer.status_code, len(answer.headers.get_list("set-cookie"))) == (200, 4)


async def test_two_different_cookies_of_one_name_do_not_fail(site):
    answer = await logout(site, Cookie="access_token_cookie=one; access_token_cookie=two")
    assert (answer.status_code, len(answer.headers.get_list("set-cookie"))) == (200, 4)


async def test_a_get_route_needs_no_csrf_value(site):
    @site.app.get("/bye")
    async def bye(request: Request, response: Response) -> None:
        await site.auth.logout(request, response)

    await site.login()
    token = site.http.cookies["access_token_cookie"]
    assert (await site.http.get("/bye")).status_code == 200
    assert (await site.row(token)).revoked_reason == "logout"


async def test_without_csrf_protection_none_is_needed(make_world):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_CSRF_PROTECT=False)
    await site.login()
    assert (await logout(site)).status_code == 200


async def test_a_foreign_page_cannot_log_out_where_origins_are_checked(make_world):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies"], JWT_CSRF_TRUSTED_ORIGINS=["https://app.example"])
    body = await site.login()
    answer = await logout(site, **{"X-CSRF-TOKEN": body["csrf_token"], "Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_origin")
    assert (await site.http.get("/door")).status_code == 200
    answer = await logout(site, **{"X-CSRF-TOKEN": body["csrf_token"], "Origin": "https://app.example"})
    assert answer.status_code == 200


async def test_a_token_in_the_query_does_not_stand_in_for_the_csrf_value_of_a_cookie(make_world):
    # A page of another site can write its own token into a link or a form's address.
    site = await make_world(JWT_TOKEN_LOCATION=["cookies", "query"])
    await site.login()
    attacker = site.auth.create_access_token("mallory")
    answer = await site.http.post("/auth/logout", params={"token": attacker})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_missing")
    assert (await site.http.get("/door")).status_code == 200


async def test_a_token_in_the_header_logs_out_the_session_of_a_cookie_only_with_its_csrf_value(make_world):
    site = await make_world(JWT_TOKEN_LOCATION=["headers", "cookies"])
    tokens = await site.login()
    answer = await logout(site, tokens["access_token"])
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_missing")
    answer = await logout(site, tokens["access_token"], **{"X-CSRF-TOKEN": tokens["csrf_token"]})
    assert answer.status_code == 200
