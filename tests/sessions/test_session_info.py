"""Listing sessions, making them by hand, and stores written for AuthX."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import Request
from tests.sessions.world import AGENT, HOME, MAX_AGE, sid_of
from tests.support.tokens import bearer, claims_of

from authx.core.ids import is_session_id
from authx.schema import SessionInfo
from authx.sessions.authx_store import InMemorySessionStore

pytestmark = pytest.mark.anyio


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


async def test_a_session_shows_what_its_row_knows(world):
    began = world.clock.now
    tokens = await world.login(device_info={"name": "phone", "os": {"version": 7}})
    world.clock.advance(90)
    tokens = await world.refreshed(tokens["refresh_token"])
    (session,) = await world.auth.list_sessions("alice")
    assert session == SessionInfo(
        session_id=sid_of(tokens["access_token"]),
        uid="alice",
        created_at=moment(began),
        last_active=moment(began + 90),
        ip_address=HOME,
        user_agent=AGENT,
        device_info={"name": "phone", "os": {"version": 7}},
        is_active=True,
        expires_at=moment(claims_of(tokens["refresh_token"])["exp"]),
        current=False,
    )


async def test_address_and_user_agent_are_those_of_the_last_refresh(world):
    token = (await world.login())["refresh_token"]
    async with world.client("203.0.113.9") as elsewhere:
        await elsewhere.post("/auth/refresh", headers=bearer(token) | {"User-Agent": "browser/2.0"})
    (session,) = await world.auth.list_sessions("alice")
    assert (session.ip_address, session.user_agent) == ("203.0.113.9", "browser/2.0")


@pytest.mark.parametrize("agent", ["x" * 5000, "\u00e9" * 600, "a\x01b"])
async def test_a_user_agent_of_any_kind_does_no_harm(world, agent):
    await world.http.post("/enter/alice", headers=[("User-Agent", agent.encode("latin-1"))])
    (session,) = await world.auth.list_sessions("alice")
    assert len(session.user_agent) <= 512


async def test_sessions_are_listed_newest_first(world):
    sids = []
    for _ in range(5):
        sids.append(sid_of((await world.login())["access_token"]))
        world.clock.advance(1)
    assert [one.session_id for one in await world.auth.list_sessions("alice")] == sids[::-1]


async def test_a_hundred_sessions_are_listed_at_most(world):
    for _ in range(103):
        await world.auth.create_session("alice")
        world.clock.advance(1)
    assert len(await world.auth.list_sessions("alice")) == 100


async def test_only_live_sessions_are_listed(world):
    kept, ended, expired = (
        await world.login(),
        await world.login(),
        await world.login(refresh_expiry=timedelta(minutes=1)),
    )
    await world.auth.revoke_session(sid_of(ended["access_token"]))
    world.clock.advance(60)
    assert [one.session_id for one in await world.auth.list_sessions("alice")] == [sid_of(kept["access_token"])]
    assert sid_of(expired["access_token"]) != sid_of(kept["access_token"])


async def test_sessions_ended_by_a_cutoff_are_not_listed(world):
    await world.login()
    await world.auth.revoke_all_sessions("alice")
    new = await world.login()
    assert [one.session_id for one in await world.auth.list_sessions("alice")] == [sid_of(new["access_token"])]


async def test_other_users_sessions_are_not_listed(world):
    await world.login("bob")
    assert await world.auth.list_sessions("alice") == []


async def test_a_session_that_was_ended_can_be_found_and_is_not_active(world):
    tokens = await world.login()
    sid = sid_of(tokens["access_token"])
    assert (await world.auth.get_session(sid)).is_active is True
    await world.auth.revoke_session(sid)
    assert (await world.auth.get_session(sid)).is_active is False


async def test_a_session_that_has_expired_is_not_active(world):
    tokens = await world.login(refresh_expiry=timedelta(minutes=1))
    world.clock.advance(60)
    assert (await world.auth.get_session(sid_of(tokens["access_token"]))).is_active is False


async def test_a_session_ended_by_a_cutoff_is_not_active(world):
    one, two = await world.login(), await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(two["access_token"]))
    assert (await world.auth.get_session(sid_of(one["access_token"]))).is_active is False
    assert (await world.auth.get_session(sid_of(two["access_token"]))).is_active is True
    await world.auth.revoke_everyone()
    assert (await world.auth.get_session(sid_of(two["access_token"]))).is_active is False


async def test_a_session_older_than_its_absolute_age_is_not_active(make_world):
    world = await make_world(JWT_REFRESH_TOKEN_EXPIRES=None, JWT_SESSION_MAX_AGE=timedelta(days=1))
    tokens = await world.login()
    world.clock.advance(86_400)
    assert (await world.auth.get_session(sid_of(tokens["access_token"]))).is_active is False
    assert await world.auth.list_sessions("alice") == []


async def test_a_session_nobody_began_is_not_found(world):
    access, _ = world.create_pair()
    assert await world.auth.get_session(sid_of(access)) is None


# Made by hand


async def test_a_session_made_by_hand_is_a_row_of_generation_zero(world):
    session = await world.auth.create_session("alice", device_info={"name": "tv"})
    row = await world.row(session.session_id)
    assert (row.sub, row.generation, row.device) == ("alice", 0, '{"name":"tv"}')
    assert row.expires_at == int(world.clock.now + MAX_AGE) * 1000
    assert is_session_id(session.session_id)
    assert await world.auth.get_session(session.session_id) == session


async def test_address_and_user_agent_come_from_the_request(world):
    @world.app.post("/make")
    async def make(request: Request) -> SessionInfo:
        return await world.auth.create_session("alice", request, {"name": "tv"})

    answer = (await world.http.post("/make")).json()
    assert (answer["ip_address"], answer["user_agent"], answer["device_info"]) == (HOME, AGENT, {"name": "tv"})


async def test_access_tokens_are_tied_to_it_and_die_with_it(world):
    session = await world.auth.create_session("alice")
    token = world.auth.create_access_token("alice", sid=session.session_id)
    assert await world.knock(token) == 200
    await world.auth.revoke_session(session.session_id)
    assert await world.knock(token) == 401


async def test_it_lives_after_a_cutoff_of_the_same_moment(world):
    await world.auth.revoke_all_sessions("alice")
    session = await world.auth.create_session("alice")
    assert await world.knock(world.auth.create_access_token("alice", sid=session.session_id)) == 200
    assert [one.session_id for one in await world.auth.list_sessions("alice")] == [session.session_id]


@pytest.mark.parametrize("uid", ["", "a\0b", "a" * 256, "\ud800", True, None])
async def test_a_subject_that_cannot_stand_in_a_token_is_an_error(world, uid):
    with pytest.raises(ValueError if isinstance(uid, str) else TypeError, match="uid"):
        await world.auth.create_session(uid)
    assert world.writes() == 0


@pytest.mark.parametrize(
    ("note", "error"),
    [
        ({"x": "y" * 2048}, ValueError),
        ({"x": object()}, TypeError),
        ({"x": float("nan")}, ValueError),
        (["x"], (TypeError, ValueError)),
    ],
)
async def test_a_device_note_that_does_not_fit_is_an_error(world, note, error):
    with pytest.raises(error):
        await world.auth.create_session("alice", device_info=note)
    assert world.writes() == 0


# A store written for AuthX


async def test_the_calls_of_authx_go_to_a_store_written_for_it(world):
    theirs = InMemorySessionStore()
    world.auth.set_session_store(theirs)
    session = await world.auth.create_session("alice", device_info={"name": "tv"})
    assert await theirs.get(session.session_id) == session
    assert await world.auth.get_session(session.session_id) == session
    assert [one.session_id for one in await world.auth.list_sessions("alice")] == [session.session_id]
    assert world.store.calls["create"] == 0
    assert await world.store.store.list("alice", int(world.clock.now * 1000)) == []


async def test_revoking_also_reaches_the_own_store(world):
    tokens, other = await world.login(), await world.login("bob")
    theirs = InMemorySessionStore()
    world.auth.set_session_store(theirs)
    session = await world.auth.create_session("alice")
    await world.auth.revoke_session(sid_of(tokens["access_token"]))
    assert await world.knock(tokens["access_token"]) == 401
    await world.auth.revoke_session(session.session_id)
    assert await theirs.get(session.session_id) is None
    await world.auth.create_session("bob")
    await world.auth.revoke_all_sessions("bob")
    assert await theirs.list_by_user("bob") == []
    assert await world.knock(other["access_token"]) == 401


async def test_a_session_of_such_a_store_can_be_ended_through_the_router(world):
    world.auth.set_session_store(InMemorySessionStore())
    session = await world.auth.create_session("alice")
    token = world.auth.create_access_token("alice")
    answer = await world.http.delete(f"/auth/sessions/{session.session_id}", headers=bearer(token))
    assert answer.status_code == 204
    assert await world.auth.list_sessions("alice") == []
