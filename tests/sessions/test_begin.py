"""Sessions that begin without a write: tokens made synchronously, and tokens that AuthX issued."""

from datetime import timedelta
from uuid import UUID

import pytest
from tests.sessions.world import ACCESS_LIFE, DAY, MAX_AGE, REFRESH_LIFE, SECRET, foreign_token, sid_of
from tests.support.axes import pairwise, spread
from tests.support.tokens import claims_of

from authx import AuthX, AuthXConfig
from authx.core.ids import session_created_at
from authx.testing import Clock

pytestmark = pytest.mark.anyio


async def test_a_refresh_token_made_alone_has_generation_zero_and_no_row(world):
    token = world.auth.create_refresh_token("alice")
    assert claims_of(token)["gen"] == 0
    assert await world.store.store.get(sid_of(token)) == (None, None)
    assert world.writes() == 0


async def test_a_pair_is_one_session(world):
    access, refresh = world.create_pair()
    assert sid_of(access) == sid_of(refresh)
    assert world.writes() == 0


async def test_two_tokens_made_separately_are_two_sessions(world):
    access, refresh = world.auth.create_access_token("alice"), world.auth.create_refresh_token("alice")
    assert sid_of(access) != sid_of(refresh)


async def test_the_first_rotation_inserts_the_row_at_generation_one(world):
    _, token = world.create_pair()
    world.clock.advance(100)
    second = await world.refreshed(token)
    row = await world.row(token)
    assert (row.sub, row.generation, claims_of(second["refresh_token"])["gen"]) == ("alice", 1, 1)
    assert (row.created_at, row.rotated_at) == (session_created_at(sid_of(token)), int(world.clock.now * 1000))
    assert (world.store.calls["create"], world.store.calls["revoke"]) == (1, 0)


async def test_the_second_rotation_moves_the_same_row(world):
    _, token = world.create_pair()
    second = await world.refreshed(token)
    third = await world.refreshed(second["refresh_token"])
    assert (await world.row(token)).generation == claims_of(third["refresh_token"])["gen"] == 2
    assert world.store.calls["create"] == 1


async def test_a_rotation_in_the_common_case_is_one_call_of_the_store(world):
    token = (await world.refreshed(world.create_pair()[1]))["refresh_token"]
    world.store.calls.clear()
    await world.refresh(token)
    calls = {name: count for name, count in world.store.calls.items() if name not in ("wait", "revocations")}
    assert calls == {"advance": 1}


async def test_the_row_outlives_the_first_token(world):
    _, token = world.create_pair(refresh_expiry=timedelta(days=60))
    world.clock.advance(100)
    await world.refreshed(token)
    assert (await world.row(token)).expires_at >= claims_of(token)["exp"] * 1000


async def test_the_row_outlives_a_first_token_that_outlives_the_absolute_age(world):
    token = foreign_token(world.clock, exp=world.clock.now + 365 * DAY)
    world.clock.advance(60)
    tokens = await world.refreshed(token)
    assert (await world.row(tokens["refresh_token"])).expires_at >= claims_of(token)["exp"] * 1000


async def test_the_lost_answer_of_a_first_rotation_is_repeated(world):
    _, token = world.create_pair()
    world.store.fail("create", after_commit=True)
    assert (await world.refresh(token)).status_code == 503
    again = await world.refreshed(token)
    assert claims_of(again["refresh_token"])["gen"] == 1
    assert (await world.row(token)).generation == 1


async def test_a_refresh_token_s_life_is_cut_to_the_absolute_age(world):
    token = world.auth.create_refresh_token("alice", expiry=timedelta(days=365))
    assert claims_of(token)["exp"] <= world.clock.now + MAX_AGE


async def test_a_pair_s_lives_are_cut_to_the_absolute_age(world):
    for token in world.create_pair(access_expiry=timedelta(days=365), refresh_expiry=timedelta(days=365)):
        assert claims_of(token)["exp"] <= world.clock.now + MAX_AGE


async def test_an_access_token_tied_to_a_session_ends_with_it_at_the_latest(world):
    tokens = await world.login()
    world.clock.advance(80 * DAY)
    token = world.auth.create_access_token("alice", expiry=timedelta(days=30), sid=sid_of(tokens["access_token"]))
    assert claims_of(token)["exp"] <= world.clock.now + 10 * DAY


async def test_an_access_token_tied_by_hand_dies_with_the_session(world):
    tokens = await world.login()
    tied = world.auth.create_access_token("alice", sid=sid_of(tokens["access_token"]))
    assert await world.knock(tied) == 200
    await world.auth.revoke_session(sid_of(tied))
    assert await world.knock(tied) == 401


@pytest.mark.parametrize(
    ("sid", "error"),
    [
        ("", ValueError),
        ("no id", ValueError),
        ("01ba60d3-3800-7293-8e2f-3738899c0000", ValueError),
        (7, TypeError),
        (UUID("01ba60d3-3800-7293-8e2f-3738899c0000"), TypeError),
    ],
)
async def test_an_access_token_cannot_be_tied_to_what_is_no_session_of_the_subject(world, sid, error):
    with pytest.raises(error, match="sid="):
        world.auth.create_access_token("alice", sid=sid)


CALLS = ["create_access_token", "create_refresh_token", "create_token_pair"]


@pytest.mark.parametrize(("name", "make"), pairwise(["sid", "gen", "cnf"], CALLS))
async def test_claims_of_the_protocol_cannot_be_set(world, make, name):
    with pytest.raises(TypeError, match=name):
        getattr(world.auth, make)("alice", data={name: 1})


@pytest.mark.parametrize(
    ("data", "make"),
    spread([{"jti": 7}, {"jti": ""}, {"jti": "x" * 256}, {"iat": "now"}, {"iat": -1}, {"iat": 1e300}], CALLS),
    ids=str,
)
def test_no_token_is_made_that_would_be_refused(make, data):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), clock=Clock())
    (name,) = data
    with pytest.raises((TypeError, ValueError), match=name):
        getattr(auth, make)("alice", data=data)


async def test_a_token_of_authx_is_refreshed(world):
    token = foreign_token(world.clock)
    world.clock.advance(5)
    tokens = await world.refreshed(token)
    claims = claims_of(tokens["refresh_token"])
    assert (claims["sub"], claims["gen"], claims["type"]) == ("alice", 1, "refresh")
    assert await world.knock(tokens["access_token"]) == 200
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_token_of_authx_with_fractions_in_its_times_is_refreshed(world):
    world.clock.advance(0.7391)
    token = foreign_token(world.clock)
    world.clock.advance(5.25)
    claims = claims_of((await world.refreshed(token))["refresh_token"])
    assert type(claims["exp"]) is int
    assert REFRESH_LIFE <= claims["exp"] - claims["iat"] <= REFRESH_LIFE + 1


async def test_the_session_of_a_token_of_authx_began_when_the_token_was_issued(world):
    token = foreign_token(world.clock)
    issued = int(world.clock.now * 1000)
    world.clock.advance(3600)
    tokens = await world.refreshed(token)
    assert session_created_at(sid_of(tokens["refresh_token"])) == issued


async def test_a_token_of_authx_is_answered_with_the_same_successor_again(world):
    token = foreign_token(world.clock)
    world.clock.advance(5)
    first = await world.refreshed(token)
    world.clock.advance(20)
    assert (await world.refreshed(token))["refresh_token"] == first["refresh_token"]
    assert world.store.calls["create"] == 1


async def test_a_token_of_authx_is_answered_alike_by_another_process(make_process):
    here, there = await make_process(), await make_process()
    token = foreign_token(here.clock)
    assert (await here.refreshed(token))["refresh_token"] == (await there.refreshed(token))["refresh_token"]


async def test_two_tokens_of_authx_issued_at_the_same_moment_are_two_sessions(world):
    first, second = foreign_token(world.clock), foreign_token(world.clock, jti="another")
    one, two = await world.refreshed(first), await world.refreshed(second)
    assert sid_of(one["refresh_token"]) != sid_of(two["refresh_token"])


async def test_a_token_of_authx_used_again_after_the_grace_period_ends_its_session(world):
    token = foreign_token(world.clock)
    first = await world.refreshed(token)
    world.clock.advance(31)
    assert (await world.refresh(token)).json()["code"] == "refresh_reused"
    assert await world.knock(first["access_token"]) == 401


async def test_a_token_of_authx_keeps_its_custom_claims(world):
    tokens = await world.refreshed(foreign_token(world.clock, tenant="red", scopes=["read"]))
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert (claims_of(token)["tenant"], claims_of(token)["scopes"]) == ("red", ["read"])


async def test_a_token_of_authx_without_csrf_is_refreshed_in_the_header(world):
    assert (await world.refresh(foreign_token(world.clock, csrf=None))).status_code == 200


async def test_an_access_token_of_authx_is_accepted(world):
    assert await world.knock(foreign_token(world.clock, "access")) == 200


async def test_a_token_of_authx_older_than_the_absolute_age_is_expired(world):
    token = foreign_token(world.clock, exp=world.clock.now + 365 * DAY)
    world.clock.advance(MAX_AGE + 1)
    answer = await world.refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_expired")


async def test_adding_a_store_logs_nobody_out(make_world):
    world = await make_world()
    before = type(world.auth)(world.auth.config, clock=world.clock)
    access, refresh = before.create_access_token("alice"), before.create_refresh_token("alice")
    world.clock.advance(60)
    assert await world.knock(access) == 200
    assert (await world.refresh(refresh)).status_code == 200


async def test_the_access_token_of_a_refresh_lives_as_configured(world):
    _, token = world.create_pair()
    access = claims_of((await world.refreshed(token))["access_token"])
    assert access["exp"] - access["iat"] == ACCESS_LIFE
