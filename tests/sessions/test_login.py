"""`auth.login`: the managed way to begin a session."""

import pytest
from tests.sessions.world import AGENT, HOME, REFRESH_LIFE, foreign_token, sid_of
from tests.support.tokens import bearer, claims_of, header_of

from authx.core.ids import session_created_at
from authx.exceptions import StoreUnavailableError

pytestmark = pytest.mark.anyio


async def test_writes_one_row_of_generation_one(world):
    tokens = await world.login()
    row = await world.row(tokens["refresh_token"])
    assert row.generation == 1
    assert claims_of(tokens["refresh_token"])["gen"] == 1
    assert (world.store.calls["create"], world.store.calls["advance"], world.store.calls["revoke"]) == (1, 0, 0)


async def test_the_row_says_whose_since_when_and_from_where(world):
    tokens = await world.login(device_info={"name": "phone"})
    row = await world.row(tokens["refresh_token"])
    now = int(world.clock.now * 1000)
    assert (row.sub, row.ip, row.user_agent, row.device) == ("alice", HOME, AGENT, '{"name":"phone"}')
    assert (row.created_at, row.rotated_at) == (now, now)
    assert row.expires_at == claims_of(tokens["refresh_token"])["exp"] * 1000
    assert (row.revoked_at, row.revoked_reason) == (None, None)


async def test_the_row_holds_no_token_nor_a_part_of_one(world):
    tokens = await world.login()
    row = repr(await world.row(tokens["refresh_token"]))
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert not any(segment in row for segment in token.split("."))
        assert claims_of(token)["jti"] not in row


async def test_both_tokens_carry_the_session(world):
    tokens = await world.login()
    access, refresh = claims_of(tokens["access_token"]), claims_of(tokens["refresh_token"])
    assert access["sid"] == refresh["sid"]
    assert "gen" not in access


async def test_says_for_how_long_the_tokens_live(world):
    tokens = await world.login()
    assert (tokens["expires_in"], tokens["refresh_expires_in"]) == (900, REFRESH_LIFE)
    assert tokens["token_type"] == "bearer"


async def test_the_access_token_is_fresh_unless_asked_otherwise(world):
    assert claims_of((await world.login())["access_token"])["fresh"] is True
    assert claims_of((await world.login(fresh=False))["access_token"])["fresh"] is False


async def test_what_the_application_says_is_in_both_tokens(make_world):
    world = await make_world(JWT_DECODE_AUDIENCE=["shop"])
    tokens = await world.login(
        data={"tenant": "red"}, scopes=["read"], audience=["shop"], headers={"typ": "at+jwt", "part": "7"}
    )
    for token in (tokens["access_token"], tokens["refresh_token"]):
        claims = claims_of(token)
        assert (claims["tenant"], claims["scopes"], claims["aud"]) == ("red", ["read"], ["shop"])
        assert (header_of(token)["typ"], header_of(token)["part"]) == ("at+jwt", "7")


@pytest.mark.parametrize("name", ["sid", "gen", "sub", "exp", "type", "csrf", "cnf"])
async def test_claims_of_the_protocol_cannot_be_set_and_nothing_begins(world, name):
    world.options = {"data": {name: "mine"}}
    with pytest.raises(TypeError, match=name):
        await world.http.post("/enter/alice")
    assert world.writes() == 0


@pytest.mark.parametrize("uid", ["a" * 256, "a\0b"])
async def test_a_subject_that_cannot_stand_in_a_token_begins_nothing(world, uid):
    with pytest.raises(ValueError, match="uid"):
        await world.http.post("/enter/" + uid.replace("\0", "%00"))
    assert world.writes() == 0


async def test_a_device_note_of_two_kibibytes_is_kept(world):
    note = {"name": "x" * (2048 - len('{"name":""}'))}
    tokens = await world.login(device_info=note)
    (session,) = await world.auth.list_sessions("alice")
    assert session.device_info == note
    assert session.session_id == sid_of(tokens["refresh_token"])


async def test_a_longer_device_note_is_refused_and_nothing_begins(world):
    world.options = {"device_info": {"name": "x" * (2049 - len('{"name":""}'))}}
    with pytest.raises(ValueError, match="2049"):
        await world.http.post("/enter/alice")
    assert world.writes() == 0


async def test_ends_the_session_that_the_request_carries(world):
    before = await world.login()
    world.options = {}
    await world.http.post("/enter/alice", headers=bearer(before["refresh_token"]))
    assert (await world.refresh(before["refresh_token"])).json()["code"] == "session_revoked"
    assert await world.knock(before["access_token"]) == 401


async def test_ends_the_session_of_an_access_token_that_has_expired(world):
    before = await world.login()
    world.clock.advance(3600)
    await world.http.post("/enter/alice", headers=bearer(before["access_token"]))
    assert (await world.refresh(before["refresh_token"])).json()["code"] == "session_revoked"


async def test_ends_the_session_of_another_user_who_was_logged_in_here(world):
    before = await world.login("bob")
    await world.http.post("/enter/alice", headers=bearer(before["access_token"]))
    assert await world.knock(before["access_token"]) == 401


async def test_ends_the_session_that_the_cookies_carry(site):
    await site.login()
    before = dict(site.http.cookies)
    await site.login()
    site.http.cookies.clear()
    again = await site.http.get("/door", headers={"Cookie": f"access_token_cookie={before['access_token_cookie']}"})
    assert again.json()["code"] == "session_revoked"


async def test_ends_a_carried_session_that_has_no_row_yet(world):
    access, refresh = world.create_pair()
    await world.http.post("/enter/alice", headers=bearer(refresh))
    assert await world.knock(access) == 401
    assert (await world.refresh(refresh)).json()["code"] == "session_revoked"


async def test_ends_the_session_of_a_carried_token_that_authx_issued(world):
    carried = foreign_token(world.clock)
    first = await world.refreshed(carried)
    await world.http.post("/enter/alice", headers=bearer(carried))
    assert (await world.refresh(first["refresh_token"])).json()["code"] == "session_revoked"


async def test_a_carried_token_of_somebody_else_s_key_ends_nothing(world):
    tokens = await world.login()
    header, payload, _ = tokens["refresh_token"].split(".")
    answer = await world.http.post("/enter/alice", headers=bearer(f"{header}.{payload}.{'A' * 43}"))
    assert answer.status_code == 200
    assert (await world.row(tokens["refresh_token"])).revoked_at is None


async def test_other_sessions_of_the_user_live_on(world):
    first, second = await world.login(), await world.login()
    await world.http.post("/enter/alice", headers=bearer(second["refresh_token"]))
    assert await world.knock(first["access_token"]) == 200


async def test_the_new_session_is_later_than_a_cutoff_of_this_very_moment(world):
    await world.auth.revoke_all_sessions("alice")
    tokens = await world.login()
    assert await world.knock(tokens["access_token"]) == 200
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_the_new_session_is_later_than_a_cutoff_that_another_clock_set(make_process):
    here, there = await make_process(), await make_process()
    there.clock.advance(20)
    await there.auth.revoke_all_sessions("alice")
    tokens = await here.login()
    assert session_created_at(sid_of(tokens["access_token"])) >= int(there.clock.now * 1000)
    assert await here.knock(tokens["access_token"]) == 200
    assert (await here.refresh(tokens["refresh_token"])).status_code == 200
    assert await there.knock(tokens["access_token"]) == 200


async def test_a_second_login_after_a_cutoff_lives_too(world):
    for _ in range(3):
        await world.auth.revoke_all_sessions("alice")
        tokens = await world.login()
        assert await world.knock(tokens["access_token"]) == 200
        assert (await world.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("operation", ["create", "get"])
async def test_a_store_that_does_not_answer_gives_503_and_no_cookie(site, operation):
    site.store.fail(operation)
    answer = await site.http.post("/enter/alice")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "set-cookie" not in answer.headers


async def test_a_login_that_cannot_end_the_carried_session_gives_503(world):
    before = await world.login()
    world.store.fail("revoke")
    answer = await world.http.post("/enter/alice", headers=bearer(before["refresh_token"]))
    assert answer.status_code == 503
    again = await world.http.post("/enter/alice", headers=bearer(before["refresh_token"]))
    assert again.status_code == 200
    assert await world.knock(before["access_token"]) == 401


async def test_outside_a_request_errors_reach_the_caller(world):
    world.store.fail("list")
    with pytest.raises(StoreUnavailableError):
        await world.auth.list_sessions("alice")


async def test_tokens_of_a_login_are_not_to_be_cached(world):
    answer = await world.http.post("/enter/alice")
    assert answer.headers["cache-control"] == "no-store"


async def test_cookies_only_leaves_the_tokens_out_of_the_body(site):
    body = await site.login()
    assert set(body) == {"token_type", "expires_in", "refresh_expires_in", "csrf_token", "refresh_csrf_token"}
    assert body["csrf_token"] == site.http.cookies["csrf_access_token"]
    assert body["refresh_csrf_token"] == site.http.cookies["csrf_refresh_token"]


async def test_a_token_is_in_the_body_where_another_location_could_take_it(make_world):
    world = await make_world(JWT_TOKEN_LOCATION=["headers"], JWT_REFRESH_TOKEN_LOCATION=["cookies"])
    body = await world.login()
    assert "access_token" in body
    assert "refresh_token" not in body
    assert "csrf_token" not in body
    assert set(world.http.cookies) == {"refresh_token_cookie", "csrf_refresh_token"}


async def test_cookies_of_an_access_token_last_as_long_as_the_refresh_token(make_world):
    site = await make_world(JWT_TOKEN_LOCATION=["cookies"], JWT_SESSION_COOKIE=False)
    answer = await site.http.post("/enter/alice")
    lines = answer.headers.get_list("set-cookie")
    assert len(lines) == 4
    assert all(f"Max-Age={REFRESH_LIFE}" in line for line in lines)
