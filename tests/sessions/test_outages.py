"""While the store does not answer, or this process stands still, the grace period stands still too."""

import asyncio
import logging
from datetime import timedelta

import pytest
from tests.sessions.test_retry_keys import K, code, exchanged, refresh
from tests.sessions.world import DAY, GRACE, sid_of
from tests.support.axes import spread
from tests.support.inside import feed_of, outages_of, sessions_of
from tests.support.waiting import until

from authx import AuthX, AuthXConfig
from authx.exceptions import StoreUnavailableError
from authx.sessions import observed
from authx.sessions.observed import observe
from authx.stores import InvalidRowError
from authx.stores.memory import MemoryStore
from authx.testing import Clock, FaultyStore

pytestmark = pytest.mark.anyio

HOUR = 3600


async def answered(world):
    """Wait until the process knows that its store answers again."""

    async def is_known():
        return not outages_of(world.auth).is_silent

    await until(is_known)


async def outage(world, seconds):
    """The store answers nobody for a while; something calls it as that begins."""
    world.store.fail(times=None)
    with pytest.raises(StoreUnavailableError):
        await world.auth.list_sessions("alice")
    world.clock.advance(seconds)
    world.store.heal()
    await answered(world)


async def rotated(world, *keys):
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, *keys)
    return token


@pytest.mark.parametrize(("later", "expected"), [(15, 200), (20, 200), (20.001, "refresh_reused")])
async def test_an_outage_pauses_the_grace_period(world, later, expected):
    token = await rotated(world, K)
    world.clock.advance(10)
    await outage(world, 100)
    world.clock.advance(later)
    assert await code(world, token) == expected


async def test_an_outage_does_not_restart_a_grace_period_that_is_over(world):
    token = await rotated(world)
    world.clock.advance(GRACE + 1)
    await outage(world, 100)
    world.clock.advance(1)
    assert await code(world, token) == "refresh_reused"


async def test_a_replay_that_passes_only_for_an_outage_is_told_as_such(world, caplog):
    token = await rotated(world)
    world.clock.advance(10)
    await outage(world, 100)
    caplog.set_level(logging.INFO, "authx.security")
    caplog.clear()
    world.told.clear()
    assert await code(world, token) == 200
    assert [(event.event, event.cause) for event in world.told] == [("replay", "outage")]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(("later", "expected"), [(30, 200), (30.001, "refresh_reused")])
async def test_an_outage_that_begins_with_the_lost_answer_costs_nothing(make_world, later, expected):
    world = await make_world()
    token = (await world.login())["refresh_token"]
    world.store.fail(times=None)
    world.store.fail("advance", after_commit=True, times=1)
    assert (await refresh(world, token)).status_code == 503
    world.store.fail(times=None)
    world.clock.advance(HOUR)
    world.store.heal()
    await answered(world)
    world.clock.advance(later)
    assert await code(world, token) == expected


async def one_failed_statement(world):
    world.store.fail("list")
    with pytest.raises(StoreUnavailableError):
        await world.auth.list_sessions("alice")
    await answered(world)


async def a_stall_of_three_seconds(world):
    outages_of(world.auth).stalled(3000, int(world.clock.now * 1000))


async def an_outage_of_three_seconds(world):
    await outage(world, 3)


async def eight_lost_races(world):
    token = (await world.login("bob"))["refresh_token"]
    store, advance = world.store.store, world.store.store.advance

    async def lose(rotation):
        world.clock.advance(1)
        return

    store.advance = lose
    try:
        assert (await refresh(world, token)).status_code == 503
    finally:
        store.advance = advance


async def an_unreadable_row(world):
    token = (await world.login("bob"))["refresh_token"]
    store, advance = world.store.store, world.store.store.advance

    async def fail(rotation):
        world.clock.advance(10)
        raise InvalidRowError(rotation.sid)

    store.advance = fail
    try:
        assert (await refresh(world, token)).status_code == 401
    finally:
        store.advance = advance


@pytest.mark.parametrize(
    ("event", "age"),
    [
        *spread(
            [
                one_failed_statement,
                a_stall_of_three_seconds,
                an_outage_of_three_seconds,
                eight_lost_races,
                an_unreadable_row,
            ],
            [GRACE + 0.001],
        ),
        (an_outage_of_three_seconds, 10 * DAY),
    ],
)
async def test_what_is_no_outage_helps_no_used_token(world, event, age):
    token = await rotated(world)
    world.clock.advance(age - 20)
    await event(world)
    world.clock.advance(20)
    assert await code(world, token) == "refresh_reused"


async def test_the_request_that_ends_a_silence_counts_it_first(make_world, monkeypatch):
    world = await make_world()

    async def never(self):
        return

    # Nobody else calls the store again.
    monkeypatch.setattr(observed.ObservedStore, "_probe", never)
    token = await rotated(world)
    world.store.fail(times=None)
    assert (await refresh(world, token)).status_code == 503
    world.clock.advance(HOUR)
    world.store.heal()
    assert await code(world, token) == 200


async def test_a_store_that_failed_is_called_again_at_once(make_world):
    # However seldom it is asked otherwise.
    world = await make_world(
        JWT_REVOCATION_POLL_INTERVAL=timedelta(hours=1), JWT_REVOCATION_MAX_STALENESS=timedelta(hours=3)
    )
    world.store.fail("list")
    calls = world.store.calls["get"]
    with pytest.raises(StoreUnavailableError):
        await world.auth.list_sessions("alice")
    await answered(world)
    assert world.store.calls["get"] == calls + 1


async def test_a_store_that_keeps_failing_is_called_again_once_a_second(make_world, monkeypatch):
    monkeypatch.setattr(observed, "_SECOND", 0.01)
    world = await make_world(
        JWT_REVOCATION_POLL_INTERVAL=timedelta(hours=1), JWT_REVOCATION_MAX_STALENESS=timedelta(hours=3)
    )
    world.store.fail(times=None)
    with pytest.raises(StoreUnavailableError):
        await world.auth.list_sessions("alice")

    async def asked_often():
        return world.store.calls["get"] >= 5

    await until(asked_often)
    world.store.heal()
    await answered(world)
    calls = world.store.calls["get"]
    await asyncio.sleep(0.05)
    assert world.store.calls["get"] == calls


async def test_a_store_that_was_closed_is_not_called_again(make_world):
    world = await make_world()
    sessions = sessions_of(world.auth)
    world.store.fail(times=None)
    with pytest.raises(StoreUnavailableError):
        await sessions.store.list("alice", 0)
    await world.auth.close()
    assert sessions.store._probing is None
    # A call that was under way as the store was closed.
    sessions.store._failed(0)
    assert sessions.store._probing is None


# Stalls


@pytest.fixture
def monotonic(monkeypatch):
    """The clock by which stalls are measured."""
    clock = Clock(1000.0)
    monkeypatch.setattr(observed, "monotonic", clock)
    return clock


async def test_a_request_notices_a_stall_before_the_timer_does(monotonic, make_world):
    world = await make_world(JWT_REFRESH_GRACE_PERIOD=timedelta(seconds=5))
    token = await rotated(world)
    monotonic.now += 1 + 10
    world.clock.advance(10)
    # Right away, so neither the timer nor the feed has had a turn.
    assert await code(world, token) == 200
    world.clock.advance(5.001)
    assert await code(world, token) == "refresh_reused"


async def test_the_timer_notices_a_stall_by_itself(monotonic, make_world, monkeypatch):
    monkeypatch.setattr(observed, "_SECOND", 0.01)
    world = await make_world()
    token = await rotated(world)
    monotonic.now += HOUR
    world.clock.advance(HOUR)

    async def is_known():
        return outages_of(world.auth).stood_still(0, 10**15) > 0

    await until(is_known)
    assert await code(world, token) == 200


async def test_a_clock_that_is_set_is_no_stall(monotonic, make_world):
    world = await make_world()
    token = await rotated(world)
    world.clock.advance(HOUR)
    assert await code(world, token) == "refresh_reused"


async def test_a_timer_that_was_stopped_notices_nothing(monotonic, make_world):
    world = await make_world()
    timer = sessions_of(world.auth)._latest.timer
    await world.auth.close()
    monotonic.now += HOUR
    assert timer.stood_still(0, 10**15) == 0


# Clocks


@pytest.mark.parametrize(("within", "step", "expected"), [(True, HOUR, 200), (False, HOUR, 401), (False, -HOUR, 401)])
@pytest.mark.parametrize("key", [(), (K,)])
async def test_a_clock_that_is_set_during_a_silence_is_not_counted(world, within, step, expected, key):
    token = (await world.login())["refresh_token"]
    # So that it is not from the future after the clock goes back.
    world.clock.advance(2 * HOUR)
    await exchanged(world, token, *key)
    await outage(world, 60 + (step if within else 0))
    world.clock.advance(0 if within else step)
    assert (await refresh(world, token, *key)).status_code == (200 if key else expected)


# Whose they are


async def test_a_process_that_starts_again_knows_of_no_outage(make_process):
    before = await make_process()
    lost, keyed = await rotated(before), await rotated(before, K)
    await outage(before, 100)
    after = await make_process(clock=before.clock)
    assert await code(after, lost) == "refresh_reused"
    assert await code(after, keyed, K) == 200
    assert await code(before, keyed) == 200


async def test_a_changed_setting_forgets_no_outage(world):
    token = await rotated(world)
    await outage(world, 100)
    world.auth.config.JWT_REVOCATION_POLL_INTERVAL = timedelta(seconds=1)
    assert await code(world, token) == 200


async def test_instances_that_share_a_store_share_its_outages():
    store = FaultyStore(MemoryStore())
    config = AuthXConfig(JWT_SECRET_KEY="a secret that is long enough for everybody who shares it")
    sharing = [AuthX(config, store=store, login_type=login_type) for login_type in (None, None, "admin")]
    assert len({id(outages_of(auth)) for auth in sharing}) == 1
    assert outages_of(AuthX(config, store=MemoryStore())) is not outages_of(sharing[0])


def test_a_store_needs_neither_a_hash_nor_weak_references():
    class Slotted:
        __slots__ = ()
        __hash__ = None

    store = Slotted()
    first = observe(store, lambda: 0.0)
    assert observe(store, lambda: 0.0) is first
    assert observe(Slotted(), lambda: 0.0) is not first


# Pruning


async def test_pruning_for_long_is_no_stall(make_world, monkeypatch):
    world = await make_world(JWT_REVOCATION_POLL_INTERVAL=timedelta(seconds=0.01))
    feed = feed_of(world.auth)
    token = await rotated(world)
    slices = 0

    async def prune(now, limit):
        nonlocal slices
        slices += 1
        world.clock.advance(2)
        await asyncio.sleep(0)
        return limit if slices < 10 else 0

    monkeypatch.setattr(world.store, "prune", prune)
    feed._may_prune_more = True

    async def is_done():
        return slices == 10

    await until(is_done)
    world.clock.advance(GRACE + 1 - 20)
    assert await code(world, token) == "refresh_reused"


async def test_what_is_revoked_while_a_backlog_is_pruned_shows_at_once(make_world, monkeypatch):
    world = await make_world(JWT_REVOCATION_POLL_INTERVAL=timedelta(seconds=0.01))
    feed = feed_of(world.auth)
    access = (await world.login())["access_token"]
    is_over = False

    async def prune(now, limit):
        await asyncio.sleep(0)
        return 0 if is_over else limit

    monkeypatch.setattr(world.store, "prune", prune)
    feed._may_prune_more = True
    other = FaultyStore(world.store.store)
    await other.revoke(world_revocation(world, access))

    async def is_refused():
        return await world.knock(access) == 401

    await until(is_refused)
    is_over = True


def world_revocation(world, token):
    from authx.core.session import Revocation

    at = int(world.clock.now * 1000)
    return Revocation(kind="session", key=sid_of(token), at=at, until=at + HOUR * 1000)
