"""How an access token is checked: against the feed, against the store, or not at all."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import jwt
import pytest
from fastapi import Depends
from tests.sessions.world import ACCESS_LIFE, SECRET, foreign_token, sid_of
from tests.support.inside import feed_of
from tests.support.tokens import bearer, claims_of
from tests.support.waiting import until

from authx.exceptions import (
    CSRFError,
    FreshTokenRequiredError,
    RevokedTokenError,
    SessionRevoked,
    StoreUnavailableError,
)
from authx.schema import RequestToken
from authx.testing import Clock

pytestmark = pytest.mark.anyio

SOON = timedelta(milliseconds=5)


async def test_the_check_asks_the_store_nothing(world):
    token = (await world.login())["access_token"]
    before = dict(world.store.calls)
    for _ in range(5):
        assert await world.knock(token) == 200
    asked = {name: count for name, count in world.store.calls.items() if name not in ("wait", "revocations")}
    assert asked == {name: count for name, count in before.items() if name not in ("wait", "revocations")}


async def test_in_the_process_that_ended_it_a_session_is_dead_at_once(world):
    token = (await world.login())["access_token"]
    assert await world.knock(token) == 200
    await world.auth.revoke_session(sid_of(token))
    assert await world.knock(token) == 401


async def test_in_another_process_it_is_dead_soon(make_process):
    here, there = await make_process(), await make_process(JWT_REVOCATION_POLL_INTERVAL=SOON)
    token = (await here.login())["access_token"]
    assert await there.knock(token) == 200
    await here.auth.revoke_session(sid_of(token))

    async def dead():
        return await there.knock(token) == 401

    await until(dead, 1.0)


async def test_asking_the_store_is_dead_at_once_in_every_process(make_process):
    here = await make_process()
    there = await make_process(store=_Deaf, JWT_REVOCATION_CHECK="store")
    one, two, three = [await here.login() for _ in range(3)]
    await here.auth.revoke_session(sid_of(one["access_token"]))
    assert await there.knock(one["access_token"]) == 401
    assert await there.knock(two["access_token"]) == 200
    await here.auth.revoke_all_sessions("alice", except_session=sid_of(three["access_token"]))
    assert await there.knock(two["access_token"]) == 401
    assert await there.knock(three["access_token"]) == 200


async def test_asking_the_store_sees_the_cutoff_of_everyone_at_once(make_process):
    here = await make_process()
    there = await make_process(store=_Deaf, JWT_REVOCATION_CHECK="store")
    token = (await here.login())["access_token"]
    await here.auth.revoke_everyone()
    assert await there.knock(token) == 401


async def test_asking_the_store_sees_an_ended_token_at_once(make_process):
    here = await make_process()
    there = await make_process(store=_Deaf, JWT_REVOCATION_CHECK="store")
    token = (await here.login())["access_token"]
    await here.auth.revoke_token(token)
    assert await there.knock(token) == 401


class _Deaf:
    """A store that never tells of news: what a process knows of others' revocations, it has to look up."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def wait(self, cursor, timeout):  # noqa: ASYNC109 - the protocol's own argument
        await asyncio.sleep(3600)


async def test_asking_the_store_that_does_not_answer_gives_503(make_world):
    world = await make_world(JWT_REVOCATION_CHECK="store")
    token = (await world.login())["access_token"]
    world.store.fail("get")
    answer = await world.http.get("/door", headers=bearer(token))
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["action"]) == (503, "1", "retry")
    assert await world.knock(token) == 200


async def test_no_check_lets_a_revoked_session_s_access_token_live_out_its_life(make_world):
    world = await make_world(JWT_REVOCATION_CHECK="none")
    tokens = await world.login()
    await world.auth.revoke_all_sessions("alice")
    assert await world.knock(tokens["access_token"]) == 200
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"


async def test_no_check_still_obeys_the_cutoff_of_everyone_at_refresh(make_world):
    world = await make_world(JWT_REVOCATION_CHECK="none")
    tokens = await world.login()
    await world.auth.revoke_everyone()
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"


async def test_no_check_serves_on_without_the_store(make_world):
    world = await make_world(JWT_REVOCATION_CHECK="none")
    token = (await world.login())["access_token"]
    world.store.fail(times=None)
    assert await world.knock(token) == 200


# Beyond the feed's window


@pytest.mark.parametrize("how", ["session", "subject", "everyone"])
async def test_a_token_older_than_the_window_is_looked_up_in_the_store(make_process, how):
    world = await make_process()
    token = world.auth.create_access_token("alice", expiry=timedelta(days=30))
    if how == "session":
        await world.auth.revoke_session(sid_of(token))
    elif how == "subject":
        await world.auth.revoke_all_sessions("alice")
    else:
        await world.auth.revoke_everyone()
    later = await make_process()
    later.clock.advance(5 * 86_400)
    assert await later.knock(token) == 401


async def test_a_token_older_than_the_window_passes_if_nothing_ended_it(world):
    token = world.auth.create_access_token("alice", expiry=timedelta(days=30))
    world.clock.advance(5 * 86_400)
    world.store.calls.clear()
    assert await world.knock(token) == 200
    assert world.store.calls["get"] == 1


async def test_a_token_within_the_window_is_not_looked_up(world):
    token = world.auth.create_access_token("alice", expiry=timedelta(days=30))
    world.clock.advance(15 * 60 + 59)
    world.store.calls.clear()
    assert await world.knock(token) == 200
    assert world.store.calls["get"] == 0


async def test_an_old_token_of_authx_is_looked_up_too(world):
    token = foreign_token(world.clock, "access", exp=world.clock.now + 30 * 86_400)
    world.clock.advance(86_400)
    assert await world.knock(token) == 200
    await world.auth.revoke_all_sessions("alice")
    world.clock.advance(86_400)
    assert await world.knock(token) == 401


async def test_an_ended_token_older_than_the_window_is_remembered_by_the_feed(make_process):
    world = await make_process()
    token = world.auth.create_access_token("alice", expiry=timedelta(days=30))
    await world.auth.revoke_token(token)
    later = await make_process()
    later.clock.advance(5 * 86_400)
    assert await later.knock(token) == 401


async def test_a_store_that_does_not_answer_for_an_old_token_gives_503(world):
    token = world.auth.create_access_token("alice", expiry=timedelta(days=30))
    world.clock.advance(86_400)
    world.store.fail("get")
    assert await world.knock(token) == 503
    assert await world.knock(token) == 200


# A store that is silent


def stop_hearing(world):
    """Lets the feed's own time be moved, and its store be silent."""
    feed = feed_of(world.auth)
    time = feed._monotonic = Clock(1000.0)
    feed.note_answer()
    world.store.fail("wait", "revocations", "count_live", times=None)
    return time


async def test_a_feed_that_is_too_old_gives_503_and_recovers(make_world):
    world = await make_world(JWT_REVOCATION_POLL_INTERVAL=SOON)
    token = (await world.login())["access_token"]
    time = stop_hearing(world)
    time.now += 30
    assert await world.knock(token) == 200
    time.now += 0.001
    answer = await world.http.get("/door", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "auth_unavailable", "1")
    world.store.heal()

    async def served():
        return await world.knock(token) == 200

    await until(served)


async def test_a_feed_that_is_too_old_says_so_before_anything_about_the_token(make_world):
    world = await make_world()
    token = (await world.login())["access_token"]
    await world.auth.revoke_session(sid_of(token))
    stop_hearing(world).now += 31
    assert await world.knock(token) == 503


async def test_a_token_that_is_bad_in_itself_is_refused_all_the_same(world):
    await world.login()
    stop_hearing(world).now += 31
    assert await world.knock("nonsense") == 401


async def test_another_bound_is_obeyed(make_world):
    world = await make_world(JWT_REVOCATION_MAX_STALENESS=timedelta(seconds=5))
    token = (await world.login())["access_token"]
    time = stop_hearing(world)
    time.now += 5
    assert await world.knock(token) == 200
    time.now += 0.1
    assert await world.knock(token) == 503


async def test_without_a_bound_it_is_served_on(make_world):
    world = await make_world(JWT_REVOCATION_MAX_STALENESS=None)
    token = (await world.login())["access_token"]
    stop_hearing(world).now += 10_000
    assert await world.knock(token) == 200


@pytest.mark.parametrize("operation", ["open", "create_schema", "revocations"])
@pytest.mark.parametrize("bound", [timedelta(seconds=30), None])
async def test_until_the_first_load_succeeds_it_is_503(make_world, operation, bound):
    world = await make_world(opened=False, JWT_REVOCATION_MAX_STALENESS=bound)
    token = world.auth.create_access_token("alice")
    world.store.fail(operation, times=2)
    for _ in range(2):
        answer = await world.http.get("/door", headers=bearer(token))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await world.knock(token) == 200


async def test_it_starts_by_itself_at_the_first_protected_request(make_world):
    world = await make_world(opened=False)
    token = world.auth.create_access_token("alice")
    assert world.store.calls["open"] == 0
    assert await world.knock(token) == 200
    assert world.store.calls["open"] == 1


async def test_many_first_requests_start_it_once(make_world):
    world = await make_world(opened=False)
    token = world.auth.create_access_token("alice")
    assert set(await asyncio.gather(*(world.knock(token) for _ in range(20)))) == {200}
    assert (world.store.calls["open"], world.store.calls["create_schema"]) == (1, 1)


async def test_it_starts_with_what_was_revoked_before(make_process):
    here = await make_process()
    ended, spared = await here.login(), await here.login()
    alone = here.auth.create_access_token("bob")
    await here.auth.revoke_all_sessions("alice", except_session=sid_of(spared["access_token"]))
    await here.auth.revoke_token(alone)
    there = await make_process()
    statuses = [await there.knock(token) for token in (ended["access_token"], spared["access_token"], alone)]
    assert statuses == [401, 200, 401]


async def test_the_schema_is_left_to_migrations_where_asked(make_world):
    world = await make_world(JWT_STORE_CREATE_SCHEMA=False, opened=False)
    assert world.store.calls["create_schema"] == 0
    # What a database without tables says is the stores' tests' concern.
    with suppress(Exception):
        await world.knock(world.auth.create_access_token("alice"))
    assert world.store.calls["create_schema"] == 0


# verify_token, and dependencies that look less closely


async def test_verify_token_asks_the_feed(world):
    token = (await world.login())["access_token"]
    alone = world.auth.create_access_token("alice")

    def verify(text):
        return world.auth.verify_token(RequestToken(token=text, type="access", location="headers"))

    assert verify(token).sub == "alice"
    await world.auth.revoke_session(sid_of(token))
    await world.auth.revoke_token(alone)
    with pytest.raises(SessionRevoked):
        verify(token)
    with pytest.raises(RevokedTokenError):
        verify(alone)


async def test_verify_token_accepts_nothing_as_long_as_the_feed_was_not_loaded(make_world):
    world = await make_world(opened=False)
    token = RequestToken(token=world.auth.create_access_token("alice"), type="access", location="headers")
    with pytest.raises(StoreUnavailableError, match=r"auth\.open\(\)"):
        world.auth.verify_token(token)
    assert sum(world.store.calls.values()) == 0
    await world.auth.open()
    assert world.auth.verify_token(token).sub == "alice"


async def test_verify_token_accepts_nothing_that_is_older_than_what_the_feed_remembers(world):
    long = world.auth.create_access_token("alice", expiry=timedelta(days=60))
    token = RequestToken(token=long, type="access", location="headers")
    assert world.auth.verify_token(token).sub == "alice"
    world.clock.advance(ACCESS_LIFE + 3600)
    with pytest.raises(StoreUnavailableError, match="access_token_required"):
        world.auth.verify_token(token)
    # A dependency can ask the store; after that the feed answers for some time again.
    assert await world.knock(long) == 200
    assert world.auth.verify_token(token).sub == "alice"


async def test_verify_token_checks_in_the_order_in_which_a_dependency_does(world):
    auth = world.auth
    token = (await world.login())["access_token"]
    stale = RequestToken(token=token, csrf="wrong", type="access", location="cookies")
    auth.set_token_blocklist(lambda _: True, inline=True)
    await auth.revoke_session(sid_of(token))
    with pytest.raises(SessionRevoked):
        auth.verify_token(stale, verify_fresh=True)
    blocked = RequestToken(token=auth.create_access_token("bob"), csrf="wrong", type="access", location="cookies")
    with pytest.raises(RevokedTokenError):
        auth.verify_token(blocked, verify_fresh=True)
    auth.set_token_blocklist(None)
    with pytest.raises(FreshTokenRequiredError):
        auth.verify_token(blocked, verify_fresh=True)
    with pytest.raises(CSRFError):
        auth.verify_token(blocked)


async def test_verify_token_does_not_ask_where_nothing_is_checked(make_world):
    world = await make_world(JWT_REVOCATION_CHECK="none")
    token = (await world.login())["access_token"]
    await world.auth.revoke_session(sid_of(token))
    assert world.auth.verify_token(RequestToken(token=token, type="access", location="headers")).sub == "alice"


async def test_a_token_without_type_is_checked_where_the_type_does_not_matter(world):
    loose = Depends(world.auth.token_required(verify_type=False))

    @world.app.get("/loose")
    async def route(payload=loose):
        return payload.sub

    token = (await world.login())["access_token"]
    claims = claims_of(token)
    del claims["type"]
    untyped = jwt.encode(claims, SECRET, "HS256")
    assert await world.knock(untyped, "/loose") == 200
    await world.auth.revoke_session(sid_of(token))
    assert await world.knock(untyped, "/loose") == 401


async def test_every_kind_of_guard_asks_the_feed(world):
    auth = world.auth
    guards = {
        "/fresh": auth.FRESH_REQUIRED,
        "/scopes": Depends(auth.scopes_required("read")),
        "/limited": Depends(auth.rate_limited(1000, 60)),
        "/subject": auth.CURRENT_SUBJECT,
        "/header": Depends(auth.token_required(locations=["headers"])),
    }
    auth.set_subject_getter(lambda uid: uid)
    for path, guard in guards.items():

        def make(guard):
            async def route(found=guard):
                return "in"

            return route

        world.app.add_api_route(path, make(guard))

    token = (await world.login(scopes=["read"]))["access_token"]
    assert [await world.knock(token, path) for path in guards] == [200] * len(guards)
    await world.auth.revoke_session(sid_of(token))
    assert [await world.knock(token, path) for path in guards] == [401] * len(guards)
