"""The revocation feed: kept current from a store, whatever the store and the writers do."""

import asyncio
import random
import sqlite3
from contextlib import asynccontextmanager, closing, suppress
from hashlib import sha256
from math import inf

import pytest
from tests.support.waiting import until

from authx.core.ids import session_id
from authx.core.session import Revocation
from authx.exceptions import RevokedTokenError, SessionRevoked, StoreUnavailableError
from authx.sessions.feed import RevocationFeed
from authx.stores import open_store
from authx.testing import Clock, FaultyStore
from authx.tokens.verifier import Verified

pytestmark = pytest.mark.anyio

WINDOW = 960.0


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def monotonic():
    return Clock(1000.0)


@pytest.fixture
async def open_one(store_url):
    """Opens stores; on one file where that is what they are."""
    stores = []

    async def make():
        # What is in memory is in one object.
        store = stores[0] if stores and store_url == "memory://" else open_store(store_url)
        stores.append(store)
        await store.open()
        await store.create_schema()
        return store

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
async def store(open_one):
    return FaultyStore(await open_one())


@pytest.fixture
def make_feed(clock, monotonic):
    def make(store, **more):
        return RevocationFeed(
            store,
            clock,
            **{"window": WINDOW, "poll_interval": 0.002, "max_staleness": 30.0, "monotonic": monotonic} | more,
        )

    return make


@pytest.fixture
def feed(make_feed, store):
    return make_feed(store)


@asynccontextmanager
async def following(feed):
    task = asyncio.create_task(feed.follow())
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def make_sid(clock, number=0, uid="alice"):
    return session_id(uid, int(clock.now * 1000) - 1, sha256(str(number).encode()).digest())


def claims(clock, sid, jti="one", uid="alice", iat=None):
    return {"sub": uid, "sid": sid, "jti": jti, "iat": clock.now if iat is None else iat}


def verified(token):
    """The token as it is remembered."""
    return Verified(token, inf, 0.0)


def passes(feed, token):
    """Whether the feed lets a token pass."""
    try:
        feed.check(token)
    except (SessionRevoked, RevokedTokenError, StoreUnavailableError):
        return False
    return True


def end_session(clock, sid, until=WINDOW):
    now = int(clock.now * 1000)
    return Revocation(kind="session", key=sid, at=now, until=now + int(until * 1000), sub="alice")


def end_token(clock, jti, until=WINDOW):
    now = int(clock.now * 1000)
    return Revocation(kind="token", key=jti, at=now, until=None if until is None else now + int(until * 1000))


def end_subject(clock, sub, spared=None):
    now = int(clock.now * 1000)
    return Revocation(kind="subject", key=sub, at=now, until=now + int(WINDOW * 1000), sub=sub, spared=spared)


def end_everyone(clock):
    return Revocation(kind="everyone", key="", at=int(clock.now * 1000), until=None)


# What requests ask


async def test_before_it_is_loaded_nothing_is_trusted(feed, clock):
    assert not feed.loaded
    with pytest.raises(StoreUnavailableError):
        feed.check(claims(clock, make_sid(clock)))


async def test_a_session_that_was_ended_is_refused(feed, store, clock):
    await feed.load()
    token = claims(clock, make_sid(clock))
    feed.check(token)
    feed.apply(await store.revoke(end_session(clock, token["sid"])))
    with pytest.raises(SessionRevoked):
        feed.check(token)


async def test_a_token_that_was_ended_is_refused(feed, store, clock):
    await feed.load()
    feed.apply(await store.revoke(end_token(clock, "one")))
    with pytest.raises(RevokedTokenError):
        feed.check(claims(clock, make_sid(clock)))
    feed.check(claims(clock, make_sid(clock), "two"))


async def test_a_subject_s_cutoff_is_obeyed_and_its_spared_session_passes(feed, store, clock):
    await feed.load()
    mine, other = make_sid(clock, 1), make_sid(clock, 2)
    feed.apply(await store.revoke(end_subject(clock, "alice", mine)))
    feed.check(claims(clock, mine))
    with pytest.raises(SessionRevoked):
        feed.check(claims(clock, other))
    bob = make_sid(clock, 3, "bob")
    feed.check(claims(clock, bob, uid="bob"))


async def test_the_cutoff_of_everyone_is_obeyed(feed, store, clock):
    await feed.load()
    assert feed.everyone_at == 0
    feed.apply(await store.revoke(end_everyone(clock)))
    with pytest.raises(SessionRevoked):
        feed.check(claims(clock, make_sid(clock)))
    assert feed.everyone_at == int(clock.now * 1000)


async def test_new_sessions_come_after_the_latest_cutoff(feed, store, clock):
    await feed.load()
    assert feed.newest_cutoff("alice") == 0
    feed.apply(await store.revoke(end_everyone(clock)))
    assert feed.newest_cutoff("alice") == int(clock.now * 1000)
    clock.advance(5)
    feed.apply(await store.revoke(end_subject(clock, "alice")))
    assert feed.newest_cutoff("alice") == int(clock.now * 1000)
    assert feed.newest_cutoff("bob") == int(clock.now * 1000) - 5000


@pytest.mark.parametrize(("age", "covered"), [(0, True), (WINDOW - 1, True), (WINDOW, False), (WINDOW + 1, False)])
async def test_it_answers_for_tokens_issued_within_its_window(feed, clock, age, covered):
    await feed.load()
    token = verified(claims(clock, make_sid(clock), iat=clock.now - age))
    assert feed.covers(token, clock.now) is covered
    assert feed.clears(token, clock.now) is covered


async def test_it_clears_at_once_only_what_the_check_lets_pass(feed, store, clock, monotonic):
    sids = [make_sid(clock, number) for number in range(4)]
    jtis = ["a", "b"]
    kept = {(sid, jti): verified(claims(clock, sid, jti)) for sid in sids for jti in jtis}

    def agree():
        tokens = [claims(clock, sid, jti) for sid in sids for jti in jtis]
        verdicts = [passes(feed, token) for token in tokens]
        assert [feed.clears(verified(token), clock.now) for token in tokens] == verdicts
        # Those that are remembered know what was said of them before.
        assert [feed.clears(kept[sid, jti], clock.now) for sid in sids for jti in jtis] == verdicts
        return verdicts.count(True)

    assert agree() == 0
    await feed.load()
    assert agree() == 8
    feed.apply(await store.revoke(end_session(clock, sids[0])))
    feed.apply(await store.revoke(end_token(clock, "a")))
    assert agree() == 3
    feed.apply(await store.revoke(end_subject(clock, "alice", sids[1])))
    assert agree() == 1
    feed.apply(await store.revoke(end_everyone(clock)))
    assert agree() == 0
    monotonic.now += 31
    assert agree() == 0


@pytest.mark.parametrize("bound", [0.5, 30.0, None])
async def test_a_store_that_is_silent_for_too_long_is_not_trusted(make_feed, store, clock, monotonic, bound):
    feed = make_feed(store, max_staleness=bound)
    await feed.load()
    token = claims(clock, make_sid(clock))
    monotonic.now += bound or 10_000
    feed.check(token)
    monotonic.now += 0.001
    assert passes(feed, token) is (bound is None)
    feed.note_answer()
    feed.check(token)


# Loading


async def test_it_loads_what_is_live(feed, store, clock):
    sids = [make_sid(clock, number) for number in range(700)]
    for sid in sids[:600]:
        await store.store.revoke(end_session(clock, sid, WINDOW))
    await feed.load()
    assert len(feed) == 600
    assert [passes(feed, claims(clock, sid)) for sid in sids] == [False] * 600 + [True] * 100


async def test_what_has_been_over_for_a_while_is_not_loaded(feed, store, clock):
    await store.revoke(end_session(clock, make_sid(clock), 10))
    await store.revoke(end_token(clock, "one", 10))
    clock.advance(130)
    await feed.load()
    assert len(feed) == 0


class Slow:
    """A store whose list arrives late; what happens meanwhile is not in it."""

    def __init__(self, store):
        self._store = store
        self.read = asyncio.Event()
        self.go = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def revocations(self, cursor):
        listed = await self._store.revocations(cursor)
        self.read.set()
        await self.go.wait()
        return listed


async def test_what_is_revoked_while_it_loads_is_in_what_was_loaded(make_feed, store, clock):
    slow = Slow(store)
    feed = make_feed(slow)
    before, during = make_sid(clock, 1), make_sid(clock, 2)
    await store.revoke(end_session(clock, before))
    loading = asyncio.create_task(feed.load())
    await slow.read.wait()
    feed.apply(await store.revoke(end_session(clock, during)))
    slow.go.set()
    await loading
    assert not passes(feed, claims(clock, before))
    assert not passes(feed, claims(clock, during))


async def test_until_the_new_is_complete_the_old_is_asked(make_feed, store, clock):
    slow = Slow(store)
    feed = make_feed(slow)
    known, during = make_sid(clock, 1), make_sid(clock, 2)
    slow.go.set()
    await store.revoke(end_session(clock, known))
    await feed.load()
    slow.go.clear()
    slow.read.clear()
    loading = asyncio.create_task(feed.load())
    await slow.read.wait()
    assert not passes(feed, claims(clock, known))
    feed.apply(await store.revoke(end_session(clock, during)))
    assert not passes(feed, claims(clock, during))
    slow.go.set()
    await loading
    assert not passes(feed, claims(clock, known))
    assert not passes(feed, claims(clock, during))


class Long:
    """A store with a long list."""

    def __init__(self, store, listed):
        self._store = store
        self._listed = listed

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def revocations(self, cursor):
        _, newest = await self._store.revocations(cursor)
        return self._listed, newest


async def test_a_load_lets_requests_in_between(make_feed, store, clock):
    feed = make_feed(Long(store, [end_token(clock, str(number)) for number in range(10_000)]))
    turns = 0

    async def request():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(request())
    await feed.load()
    task.cancel()
    assert len(feed) == 10_000
    assert turns >= 10


async def test_a_load_that_fails_leaves_everything_as_it_was(feed, store, clock):
    sid = make_sid(clock)
    await store.revoke(end_session(clock, sid))
    await feed.load()
    for after_commit in (False, True):
        store.fail("revocations", after_commit=after_commit)
        with pytest.raises(StoreUnavailableError):
            await feed.load()
        assert not passes(feed, claims(clock, sid))


# Following


async def test_it_hears_of_what_another_process_ends(make_feed, open_one, clock):
    here, there = await open_one(), await open_one()
    feed = make_feed(here)
    await feed.load()
    async with following(feed):
        sid = make_sid(clock)
        await there.revoke(end_session(clock, sid))
        await until(lambda: not passes(feed, claims(clock, sid)))


@pytest.mark.parametrize("operation", ["wait", "revocations"])
async def test_it_survives_a_store_that_does_not_answer(feed, store, clock, operation, caplog):
    await feed.load()
    async with following(feed):
        store.fail(operation, times=2)
        await until(lambda: "does not answer" in caplog.text)
        sid = make_sid(clock)
        await store.revoke(end_session(clock, sid))
        await until(lambda: not passes(feed, claims(clock, sid)))
    assert caplog.text.count("does not answer") == 1


class Broken:
    """A store with a mistake in it."""

    def __init__(self, store):
        self._store = store
        self.failures = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def wait(self, cursor, timeout):  # noqa: ASYNC109 - the protocol's own argument
        if self.failures < 2:
            self.failures += 1
            raise ZeroDivisionError("a mistake")
        await self._store.wait(cursor, timeout)


async def test_it_survives_any_exception(make_feed, store, clock, caplog):
    feed = make_feed(Broken(store))
    await feed.load()
    sid = make_sid(clock)
    async with following(feed) as task:
        await until(lambda: caplog.text.count("ZeroDivisionError") >= 2)
        await store.revoke(end_session(clock, sid))
        await until(lambda: not passes(feed, claims(clock, sid)))
        assert not task.done()


class Listening:
    """A store that notes which cursors it was asked about."""

    def __init__(self, store):
        self._store = store
        self.cursors = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def revocations(self, cursor):
        self.cursors.append(cursor)
        return await self._store.revocations(cursor)


async def test_after_a_break_it_loads_instead_of_trusting_its_cursor(make_feed, store, caplog):
    listening = Listening(store)
    feed = make_feed(listening)
    await feed.load()
    async with following(feed):
        await until(lambda: len(listening.cursors) > 2)
        assert "" not in listening.cursors[1:]
        store.fail("wait")
        await until(lambda: "does not answer" in caplog.text)
        listening.cursors.clear()
        await until(lambda: listening.cursors)
    assert listening.cursors[0] == ""


async def test_it_ends_when_it_is_told_to(feed):
    await feed.load()
    async with following(feed) as task:
        await asyncio.sleep(0)
    assert task.cancelled()


# Once a minute


async def pass_a_minute(feed, store, monotonic):
    before = store.calls["prune"]
    monotonic.now += 61
    feed.note_answer()
    await until(lambda: store.calls["prune"] > before)


async def test_what_got_lost_is_found_once_a_minute(feed, store, clock, monotonic):
    await feed.load()
    sid = make_sid(clock)
    await store.revoke(end_session(clock, sid))
    async with following(feed):
        await until(lambda: not passes(feed, claims(clock, sid)))
        feed._revoked.sessions.clear()
        assert passes(feed, claims(clock, sid))
        await pass_a_minute(feed, store, monotonic)
        await until(lambda: not passes(feed, claims(clock, sid)))


@pytest.mark.parametrize("seconds", [1, 30, 59, 61, 100])
async def test_where_nothing_got_lost_nothing_is_loaded_again(feed, store, clock, monotonic, seconds):
    # Some of them end within the minute that passes, at whatever second of it the comparison comes.
    await feed.load()
    for number in range(1, 100):
        await store.revoke(end_token(clock, f"t{number}", number))
        await store.revoke(end_session(clock, make_sid(clock, number), number))
    await store.revoke(end_subject(clock, "alice"))
    await store.revoke(end_everyone(clock))
    loads = 0
    load = feed.load

    async def counted():
        nonlocal loads
        loads += 1
        await load()

    feed.load = counted
    async with following(feed):
        await until(lambda: len(feed) == 200)
        clock.advance(seconds)
        await pass_a_minute(feed, store, monotonic)
        await asyncio.sleep(0.01)
    assert loads == 0


async def test_what_is_over_is_forgotten_and_deleted(feed, store, clock, monotonic):
    await feed.load()
    started = int(clock.now * 1000)
    for number in range(60):
        await store.revoke(end_token(clock, f"t{number}", 10))
    assert (await store.count_live(started))[0] == 60
    async with following(feed):
        await until(lambda: len(feed) == 60)
        clock.advance(300)
        await pass_a_minute(feed, store, monotonic)
        assert len(feed) == 0

        async def deleted():
            # The newest number may have to stay, for those who read on from it.
            return (await store.count_live(started))[0] <= 1

        await until(deleted)


async def test_rows_that_expired_long_ago_are_deleted(feed, store, clock, monotonic):
    sid = make_sid(clock)
    await store.revoke(
        Revocation(kind="session", key=sid, at=1, until=2, sub="alice", expires_at=int(clock.now * 1000))
    )
    await feed.load()
    async with following(feed):
        clock.advance(86_400 - 1)
        await pass_a_minute(feed, store, monotonic)
        assert (await store.get(sid))[0] is not None
        clock.advance(2)
        await pass_a_minute(feed, store, monotonic)

        async def deleted():
            return (await store.get(sid))[0] is None

        await until(deleted)


# Converging


def writers(stores, clock, rng, count):
    """Many writers at once, some slow: the store's truth, and what they wrote."""

    async def write(number):
        store = stores[number % len(stores)]
        await asyncio.sleep(rng.random() * 0.02)
        kind = number % 4
        if kind == 0:
            await store.revoke(end_session(clock, make_sid(clock, number)))
        elif kind == 1:
            await store.revoke(end_token(clock, f"t{number % 40}", WINDOW if number % 3 else None))
        elif kind == 2:
            await store.revoke(end_subject(clock, f"u{number % 10}", None))
        elif number % 8 == 3:
            await store.revoke(end_everyone(clock))

    return asyncio.gather(*(write(number) for number in range(count)))


def held(feed):
    found = feed._revoked
    return set(found.sessions), set(found.tokens), dict(found.cutoffs), dict(found.spared), found.everyone_at


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_it_converges_to_the_store_under_concurrent_writers(make_feed, open_one, clock, seed):
    rng = random.Random(seed)
    stores = [await open_one(), await open_one()]
    feeds = [make_feed(store) for store in stores]
    for feed in feeds:
        await feed.load()
    async with following(feeds[0]), following(feeds[1]):
        await writers(stores, clock, rng, 120)
        fresh = make_feed(stores[0])
        await fresh.load()
        await until(lambda: all(held(feed) == held(fresh) for feed in feeds))
    assert len(fresh) > 20


async def test_it_converges_with_writers_that_are_slow_or_roll_back(make_feed, tmp_path, clock):
    url = f"sqlite:///{tmp_path}/auth.db"
    here, there = open_store(url), open_store(url)
    for store in (here, there):
        await store.open()
        await store.create_schema()
    feed = make_feed(here)
    await feed.load()
    statement = "INSERT INTO authx_revocations (kind, key, at, until, reason) VALUES ('token', ?, ?, NULL, 'test')"
    now = int(clock.now * 1000)
    with closing(sqlite3.connect(tmp_path / "auth.db", isolation_level=None, timeout=5)) as other:
        async with following(feed):
            for number in range(6):
                other.execute("BEGIN IMMEDIATE")
                other.execute(statement, (f"slow{number}", now))
                waiting = asyncio.create_task(there.revoke(end_token(clock, f"behind{number}")))
                await asyncio.sleep(0.01)
                # Nobody sees what is not committed, and whoever comes later gets a later number.
                assert f"slow{number}" not in feed._revoked.tokens
                other.execute("ROLLBACK" if number % 2 else "COMMIT")
                await waiting
            expected = {f"behind{number}" for number in range(6)} | {"slow0", "slow2", "slow4"}
            await until(lambda: set(feed._revoked.tokens) == expected)
    for store in (here, there):
        await store.close()


async def test_a_commit_whose_answer_was_lost_is_heard_of(feed, store, clock):
    await feed.load()
    sid = make_sid(clock)
    async with following(feed):
        store.fail("revoke", after_commit=True)
        with pytest.raises(StoreUnavailableError):
            await store.revoke(end_session(clock, sid))
        await until(lambda: not passes(feed, claims(clock, sid)))


async def test_what_this_process_ended_survives_reading_it_back(feed, store, clock):
    await feed.load()
    mine = make_sid(clock, 1)
    async with following(feed):
        for _ in range(5):
            feed.apply(await store.revoke(end_subject(clock, "alice", mine)))
            feed.apply(await store.revoke(end_session(clock, make_sid(clock, 2))))
            await asyncio.sleep(0.003)
            feed.check(claims(clock, mine))
            assert not passes(feed, claims(clock, make_sid(clock, 2)))
