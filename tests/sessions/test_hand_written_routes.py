"""`refresh_token_required` with a store: it decides, and leaves everything as it is."""

import pytest
from fastapi import Depends
from tests.sessions.test_reuse import lose, rotated
from tests.sessions.world import AGENT, GRACE, HOME, sid_of
from tests.support.tokens import bearer, claims_of

pytestmark = pytest.mark.anyio


async def by_hand(world, token):
    return await world.refresh(token, "/hand")


async def test_the_first_token_of_a_session_without_row_passes_without_write_and_event(world):
    _, token = world.create_pair()
    for _ in range(2):
        assert (await by_hand(world, token)).status_code == 200
    assert world.writes() == 0
    assert world.told == []


async def test_the_newest_token_passes_again_and_again_without_write_and_event(world):
    token = (await world.login())["refresh_token"]
    writes, _ = world.writes(), world.names()
    for _ in range(3):
        world.clock.advance(3600)
        assert (await by_hand(world, token)).status_code == 200
    assert world.writes() == writes
    assert world.told == []
    assert (await world.row(token)).generation == 1


async def test_the_predecessor_passes_in_the_grace_period_without_write_and_event(world):
    token = (await world.login())["refresh_token"]
    await world.refreshed(token)
    writes, _ = world.writes(), world.names()
    world.clock.advance(GRACE)
    assert (await by_hand(world, token)).status_code == 200
    assert world.writes() == writes
    assert world.told == []


async def test_a_token_newer_than_the_row_passes_without_write_and_event(world):
    chain, _ = await rotated(world, 3)
    await lose(world, chain[0], 2)
    writes, _ = world.writes(), world.names()
    assert (await by_hand(world, chain[-1])).status_code == 200
    assert world.writes() == writes
    assert world.told == []


async def test_an_older_token_is_refused_and_ends_its_session(world):
    chain, access = await rotated(world, 3)
    answer = await by_hand(world, chain[0])
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_reused")
    assert await world.knock(access) == 401
    assert (await by_hand(world, chain[-1])).json()["code"] == "session_revoked"


async def test_reuse_is_told_with_address_and_user_agent(world):
    chain, _ = await rotated(world, 3)
    world.told.clear()
    await by_hand(world, chain[0])
    (event,) = world.told
    assert (event.event, event.distance, event.ip_address, event.user_agent) == ("refresh_reused", 3, HOME, AGENT)


async def test_reuse_clears_the_cookies(site):
    body = await site.login()
    old = site.http.cookies["refresh_token_cookie"]
    for _ in range(2):
        await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    site.http.cookies.clear()
    headers = {"X-CSRF-TOKEN": body["refresh_csrf_token"], "Cookie": f"refresh_token_cookie={old}"}
    answer = await site.http.post("/hand", headers=headers)
    assert answer.json()["code"] == "refresh_reused"
    assert len(answer.headers.get_list("set-cookie")) == 4


async def test_a_revoked_session_is_refused(world):
    token = (await world.login())["refresh_token"]
    await world.auth.revoke_session(sid_of(token))
    assert (await by_hand(world, token)).json()["code"] == "session_revoked"


async def test_a_session_without_row_is_refused_after_logout_everywhere(world):
    _, token = world.create_pair()
    await world.auth.revoke_all_sessions("alice")
    assert (await by_hand(world, token)).json()["code"] == "session_revoked"


async def test_the_access_token_it_makes_belongs_to_the_session(world):
    token = (await world.login())["refresh_token"]
    access = (await by_hand(world, token)).json()["access_token"]
    assert await world.knock(access) == 200
    await world.auth.revoke_session(sid_of(token))
    assert await world.knock(access) == 401


async def test_a_store_that_does_not_answer_gives_503(world):
    token = (await world.login())["refresh_token"]
    world.store.fail("get")
    answer = await by_hand(world, token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (await by_hand(world, token)).status_code == 200


@pytest.mark.parametrize("pause", [0, 1, 3600])
async def test_a_refresh_in_the_same_request_goes_by_the_same_moment(world, pause):
    token = (await world.login())["refresh_token"]
    await world.refreshed(token)
    world.clock.advance(GRACE)
    world.pause = pause
    answer = await world.refresh(token, "/both")
    assert answer.status_code == 200
    assert claims_of(answer.json()["refresh_token"])["gen"] == 2


async def test_a_refresh_in_the_same_request_stamps_the_moment_the_request_began(world):
    token = (await world.login())["refresh_token"]
    began = int(world.clock.now)
    world.pause = 600
    answer = await world.refresh(token, "/both")
    assert claims_of(answer.json()["refresh_token"])["iat"] == began
    assert (await world.row(token)).rotated_at == began * 1000


async def test_a_token_that_expires_during_the_request_is_still_refreshed(world):
    token = (await world.login())["refresh_token"]
    world.clock.now = claims_of(token)["exp"] - 1
    world.pause = 5
    assert (await world.refresh(token, "/both")).status_code == 200


async def test_guards_that_do_not_look_at_the_type_decide_as_well(world):
    loose = Depends(world.auth.token_required(verify_type=False))

    @world.app.get("/loose")
    async def route(payload=loose):
        return payload.sub

    chain, _ = await rotated(world, 3)
    assert await world.knock(chain[-1], "/loose") == 200
    assert await world.knock(chain[0], "/loose") == 401
    assert (await world.refresh(chain[-1])).json()["code"] == "session_revoked"


async def test_without_a_store_only_the_signature_and_the_callbacks_count(world):
    token = (await world.login())["refresh_token"]
    for _ in range(2):
        await world.refreshed(token)
    plain = type(world.auth)(world.auth.config, clock=world.clock)

    @world.app.post("/plain")
    async def route(payload=plain.REFRESH_REQUIRED):
        return payload.sub

    world.clock.advance(3600)
    assert (await world.http.post("/plain", headers=bearer(token))).status_code == 200
