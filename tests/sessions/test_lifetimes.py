"""How long sessions and their tokens last."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.sessions.world import ACCESS_LIFE, DAY, MAX_AGE, REFRESH_LIFE, foreign_token, sid_of
from tests.support.tokens import bearer, claims_of

from authx.core.ids import session_created_at

pytestmark = pytest.mark.anyio


async def test_a_refresh_token_s_end_slides_at_each_rotation(world):
    token = (await world.login())["refresh_token"]
    for _ in range(3):
        world.clock.advance(5 * DAY)
        token = (await world.refreshed(token))["refresh_token"]
        assert claims_of(token)["exp"] == world.clock.now + REFRESH_LIFE
        assert (await world.row(token)).expires_at == claims_of(token)["exp"] * 1000


async def test_a_refresh_token_left_alone_expires(world):
    token = (await world.login())["refresh_token"]
    world.clock.advance(REFRESH_LIFE)
    answer = await world.refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_expired")


async def test_an_expired_refresh_token_clears_the_cookies(site):
    body = await site.login()
    site.clock.advance(REFRESH_LIFE)
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    assert answer.json()["code"] == "refresh_expired"
    assert len(answer.headers.get_list("set-cookie")) == 4


async def test_a_session_ends_at_its_absolute_age(world):
    tokens = await world.login()
    began = session_created_at((claims_of(tokens["refresh_token"]))["sid"]) // 1000
    for _ in range(8):
        world.clock.advance(11 * DAY)
        tokens = await world.refreshed(tokens["refresh_token"])
    assert claims_of(tokens["refresh_token"])["exp"] == began + MAX_AGE
    assert (await world.row(tokens["refresh_token"])).expires_at == (began + MAX_AGE) * 1000
    world.clock.now = began + MAX_AGE - 1
    last = await world.refreshed(tokens["refresh_token"])
    assert claims_of(last["refresh_token"])["exp"] == claims_of(last["access_token"])["exp"] == began + MAX_AGE
    assert (last["expires_in"], last["refresh_expires_in"]) == (1, 1)
    world.clock.now = began + MAX_AGE
    assert (await world.refresh(last["refresh_token"])).json()["code"] == "refresh_expired"
    assert await world.knock(last["access_token"]) == 401


async def test_another_absolute_age_is_obeyed(make_world):
    world = await make_world(JWT_SESSION_MAX_AGE=timedelta(hours=1))
    token = (await world.login())["refresh_token"]
    assert claims_of(token)["exp"] == world.clock.now + 3600
    world.clock.advance(3599)
    token = (await world.refreshed(token))["refresh_token"]
    world.clock.advance(1)
    assert (await world.refresh(token)).json()["code"] == "refresh_expired"


async def test_no_absolute_age_never_ends_a_session_that_is_used(make_world):
    world = await make_world(JWT_SESSION_MAX_AGE=None)
    token = (await world.login())["refresh_token"]
    for _ in range(60):
        world.clock.advance(10 * DAY)
        token = (await world.refreshed(token))["refresh_token"]
    assert claims_of(token)["exp"] == world.clock.now + REFRESH_LIFE


async def test_an_expiry_given_at_login_is_cut_to_the_absolute_age(world):
    tokens = await world.login(refresh_expiry=timedelta(days=365), access_expiry=timedelta(days=365))
    assert {claims_of(tokens[name])["exp"] for name in ("access_token", "refresh_token")} == {world.clock.now + MAX_AGE}


async def test_a_refresh_token_slides_by_its_own_life(world):
    token = (await world.login(refresh_expiry=timedelta(hours=2)))["refresh_token"]
    for _ in range(3):
        world.clock.advance(3600)
        token = (await world.refreshed(token))["refresh_token"]
        assert claims_of(token)["exp"] == world.clock.now + 7200


async def test_a_refresh_token_given_a_moment_slides_by_the_time_until_then(world):
    end = datetime.fromtimestamp(world.clock.now, UTC) + timedelta(days=3)
    token = (await world.login(refresh_expiry=end))["refresh_token"]
    world.clock.advance(DAY)
    assert claims_of((await world.refreshed(token))["refresh_token"])["exp"] == world.clock.now + 3 * DAY


async def test_an_access_token_never_outlives_the_refresh_token_of_its_login(world):
    tokens = await world.login(refresh_expiry=timedelta(minutes=5))
    assert claims_of(tokens["access_token"])["exp"] == world.clock.now + 300


async def test_the_end_of_a_row_never_moves_back(make_process):
    world = await make_process()
    token = (await world.login(refresh_expiry=timedelta(days=30)))["refresh_token"]
    before = (await world.row(token)).expires_at
    world.clock.advance(-5)
    await world.refreshed(token)
    assert (await world.row(token)).expires_at >= before


async def test_tokens_without_an_end_stay_without(make_world):
    world = await make_world(JWT_REFRESH_TOKEN_EXPIRES=None)
    tokens = await world.login()
    assert "exp" not in claims_of(tokens["refresh_token"])
    assert "refresh_expires_in" not in tokens
    world.clock.advance(50 * DAY)
    tokens = await world.refreshed(tokens["refresh_token"])
    assert "exp" not in claims_of(tokens["refresh_token"])
    assert (await world.row(tokens["refresh_token"])).expires_at is None


async def test_the_absolute_age_ends_tokens_without_an_end(make_world):
    world = await make_world(JWT_REFRESH_TOKEN_EXPIRES=None)
    tokens = await world.login()
    world.clock.advance(MAX_AGE - 60)
    tokens = await world.refreshed(tokens["refresh_token"])
    assert claims_of(tokens["access_token"])["exp"] == world.clock.now + 60
    world.clock.advance(60)
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "refresh_expired"


@pytest.mark.parametrize("kind", ["login", "pair"])
async def test_a_replay_of_a_token_without_an_end_is_the_same(make_world, kind):
    world = await make_world(JWT_REFRESH_TOKEN_EXPIRES=None, JWT_SESSION_MAX_AGE=None)
    token = (await world.login())["refresh_token"] if kind == "login" else world.create_pair()[1]
    first = await world.refreshed(token)
    world.clock.advance(9)
    assert (await world.refreshed(token))["refresh_token"] == first["refresh_token"]


async def test_access_tokens_without_an_end_end_with_the_session(make_world):
    world = await make_world(JWT_ACCESS_TOKEN_EXPIRES=None)
    tokens = await world.login()
    assert claims_of(tokens["access_token"])["exp"] == claims_of(tokens["refresh_token"])["exp"]
    world.clock.advance(60)
    tokens = await world.refreshed(tokens["refresh_token"])
    assert claims_of(tokens["access_token"])["exp"] == claims_of(tokens["refresh_token"])["exp"]


@pytest.mark.parametrize("life", [timedelta(minutes=15), None])
@pytest.mark.parametrize(
    "expiry", [timedelta(days=400), datetime(2050, 1, 1, tzinfo=UTC), None], ids=["duration", "moment", "none"]
)
async def test_an_access_token_never_outlives_the_absolute_age(make_world, life, expiry):
    world = await make_world(JWT_ACCESS_TOKEN_EXPIRES=life)
    end = world.clock.now + MAX_AGE
    alone = claims_of(world.auth.create_access_token("alice", expiry=expiry))
    assert alone["exp"] == (end if expiry or not life else world.clock.now + ACCESS_LIFE)
    sid = sid_of((await world.login())["access_token"])
    world.clock.advance(30 * DAY)
    tied = claims_of(world.auth.create_access_token("alice", sid=sid, expiry=expiry))
    assert tied["exp"] == (end if expiry or not life else world.clock.now + ACCESS_LIFE)


@pytest.mark.parametrize("check", ["feed", "store", "none"])
async def test_an_access_token_of_a_session_past_its_absolute_age_is_refused(make_process, check):
    """Made by another configuration, or before the settings changed."""
    endless = {"JWT_SESSION_MAX_AGE": None, "JWT_ACCESS_TOKEN_EXPIRES": None, "JWT_REFRESH_TOKEN_EXPIRES": None}
    longer = await make_process(**endless)
    world = await make_process(JWT_ACCESS_TOKEN_EXPIRES=None, JWT_REVOCATION_CHECK=check)
    tokens = [
        longer.auth.create_access_token("alice", expiry=timedelta(days=400)),
        longer.auth.create_access_token("alice"),
        (await longer.login())["access_token"],
    ]
    world.clock.advance(MAX_AGE - 1)
    assert [await world.knock(token) for token in tokens] == [200, 200, 200]
    world.clock.advance(1)
    longer.clock.advance(MAX_AGE)
    for token in tokens:
        answer = await world.http.get("/door", headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
        assert await longer.knock(token) == 200


async def test_where_nothing_ends_nothing_has_an_end(make_world):
    world = await make_world(JWT_ACCESS_TOKEN_EXPIRES=None, JWT_REFRESH_TOKEN_EXPIRES=None, JWT_SESSION_MAX_AGE=None)
    tokens = await world.login()
    for _ in range(2):
        assert not {"expires_in", "refresh_expires_in"} & set(tokens)
        assert "exp" not in claims_of(tokens["access_token"])
        world.clock.advance(1000 * DAY)
        assert await world.knock(tokens["access_token"]) == 200
        tokens = await world.refreshed(tokens["refresh_token"])


async def test_a_pair_without_row_that_has_expired_begins_nothing(world):
    _, token = world.create_pair()
    world.clock.advance(REFRESH_LIFE)
    assert (await world.refresh(token)).json()["code"] == "refresh_expired"
    assert world.writes() == 0


async def test_a_pair_without_row_past_its_absolute_age_begins_nothing(make_world):
    world = await make_world(JWT_SESSION_MAX_AGE=timedelta(days=1))
    token = foreign_token(world.clock)
    world.clock.advance(DAY)
    assert (await world.refresh(token)).json()["code"] == "refresh_expired"
    assert world.writes() == 0


async def test_ten_seconds_of_difference_between_clocks_do_no_harm(make_process):
    ahead, behind = await make_process(), await make_process()
    ahead.clock.advance(10)
    tokens = await ahead.login()
    assert await behind.knock(tokens["access_token"]) == 200
    tokens = await behind.refreshed(tokens["refresh_token"])
    assert await ahead.knock(tokens["access_token"]) == 200
    assert (await ahead.refresh(tokens["refresh_token"])).status_code == 200


async def test_the_access_token_of_a_refresh_lives_its_usual_time(world):
    tokens = await world.refreshed((await world.login())["refresh_token"])
    assert claims_of(tokens["access_token"])["exp"] == world.clock.now + ACCESS_LIFE
