"""Processes with different lifetimes and the command line share a store: each holds what the store counts."""

import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from math import inf
from pathlib import Path

import pytest

from authx.cli.stores import Place, operate
from authx.core.ids import session_id
from authx.core.session import Revocation
from authx.sessions.feed import RevocationFeed
from authx.stores import Store, open_store
from authx.stores.memory import MemoryStore
from authx.testing import Clock, FaultyStore
from authx.tokens.verifier import Verified

pytestmark = pytest.mark.anyio

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SHORT = 16 * MINUTE
LONG = HOUR + MINUTE


@pytest.fixture(params=["memory", "sqlite", "postgresql", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URL and prefix of a store that nobody else uses."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_prefix")
    if request.param == "redis":
        return request.getfixturevalue("redis_url"), f"t{secrets.token_hex(6)}_"
    return {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/auth.db"}[request.param], "authx_"


class Processes:
    """Feeds of processes whose access tokens live for different times, on stores of the same data."""

    def __init__(self, shared: tuple[str, str]) -> None:
        self.url, self.prefix = shared
        self.clock = Clock()
        self.memory = MemoryStore()
        self.monotonic = 1000.0
        self.feeds: dict[RevocationFeed, FaultyStore] = {}
        self.loads: dict[RevocationFeed, int] = {}
        self.stack = AsyncExitStack()

    @property
    def now(self) -> int:
        return int(self.clock.now * 1000)

    async def open(self) -> Store:
        store = self.memory if self.url == "memory://" else open_store(self.url, self.prefix)
        self.stack.push_async_callback(store.close)
        await store.open()
        await store.create_schema()
        return store

    async def start(self, window: float) -> RevocationFeed:
        store = FaultyStore(await self.open())
        feed = RevocationFeed(
            store,
            self.clock,
            window=window,
            poll_interval=0.5,
            max_staleness=30.0,
            monotonic=lambda: self.monotonic,
        )
        load = feed.load

        async def counted() -> None:
            self.loads[feed] += 1
            await load()

        feed.load = counted  # type: ignore[method-assign]
        self.loads[feed] = -1
        self.feeds[feed] = store
        await feed.load()
        return feed

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and every process look at the store and compare, as it does once a minute."""
        while seconds > 0:
            step = min(seconds, 10 * MINUTE)
            self.clock.advance(step)
            self.monotonic += step
            seconds -= step
            for feed in self.feeds:
                feed.note_answer()
        for feed in self.feeds:
            await feed.catch_up()
            await feed._compare()

    async def revoke(self, window: float | None, kind: str, key: str, spared: str | None = None) -> None:
        """Revoke as a process does whose window is this."""
        store = next(iter(self.feeds.values()))
        until = None if window is None else self.now + int(window * 1000)
        one = Revocation(kind=kind, key=key, at=self.now, until=until, spared=spared)  # type: ignore[arg-type]
        await store.revoke(one)

    def token(self, uid: str = "alice", age: float = 1.0) -> Verified:
        issued = self.clock.now - age
        sid = session_id(uid, int(issued * 1000), os.urandom(8))
        return Verified({"sub": uid, "sid": sid, "jti": secrets.token_hex(8), "iat": issued}, inf, 0.0)


@pytest.fixture
async def processes(shared: tuple[str, str]) -> AsyncIterator[Processes]:
    processes = Processes(shared)
    async with processes.stack:
        yield processes


AFTERWARDS = (30, MINUTE, 15 * MINUTE, 2 * MINUTE, 45 * MINUTE, 5 * MINUTE, DAY, 60 * DAY, 40 * DAY)


async def test_no_process_loads_again_what_another_keeps_longer(processes: Processes):
    for window in (SHORT, LONG, DAY):
        await processes.start(window)
    sid = processes.token().claims["sid"]
    for window in (SHORT, LONG, DAY, 90 * DAY):
        await processes.revoke(window, "subject", f"user of {window}")
        await processes.revoke(window, "session", str(processes.token().claims["sid"]))
        await processes.revoke(window, "token", f"jti of {window}")
        # The same again, kept for another time.
        await processes.revoke(window, "subject", "alice", spared=str(sid))
        processes.clock.advance(7)
    await processes.revoke(SHORT, "subject", "alice")
    await processes.revoke(None, "everyone", "")
    await processes.revoke(None, "token", "endless")
    for seconds in AFTERWARDS:
        await processes.pass_time(seconds)
        await processes.start(SHORT)
        assert set(processes.loads.values()) == {0}
        lengths = {len(feed) for feed in processes.feeds}
        assert len(lengths) == 1
    assert lengths == {2}


async def test_no_process_loads_again_what_the_command_line_revoked(processes: Processes):
    if processes.url == "memory://":
        pytest.skip("no command reaches memory://")
    # The command has no other clock.
    processes.clock.now = time.time()
    for window in (SHORT, LONG):
        await processes.start(window)
    victims = [processes.token("alice", age=5), processes.token("bob", age=5)]
    async with operate(Place(processes.url, processes.prefix, None, None)) as sessions:
        await sessions.end_subject("alice")
        await sessions.end(str(victims[1].claims["sid"]))
    for seconds in AFTERWARDS[:-2]:
        await processes.pass_time(seconds)
        assert set(processes.loads.values()) == {0}
        assert not any(feed.clears(token, processes.clock.now) for feed in processes.feeds for token in victims)


async def test_what_a_process_of_short_lives_revokes_stays_so_in_one_of_long_lives(processes: Processes):
    short, long = await processes.start(SHORT), await processes.start(DAY)
    victim = processes.token(age=MINUTE)
    processes.clock.advance(10)
    await processes.revoke(SHORT, "session", str(victim.claims["sid"]))
    innocent = processes.token("bob", age=1)
    for seconds in AFTERWARDS:
        if processes.clock.now - victim.known_at > DAY:
            break
        await processes.pass_time(seconds)
        late = await processes.start(DAY)
        for feed in (short, long, late):
            # Where the feed does not clear a token, the store is asked.
            assert not feed.clears(victim, processes.clock.now)
    assert not long.covers(innocent, processes.clock.now)


async def test_where_all_lives_are_as_long_nothing_is_looked_up(processes: Processes):
    feed = await processes.start(DAY)
    await processes.revoke(DAY, "session", str(processes.token().claims["sid"]))
    token = processes.token(age=0)
    for seconds in (MINUTE, 17 * MINUTE, 20 * HOUR):
        await processes.pass_time(seconds)
        assert feed.clears(token, processes.clock.now)


async def test_a_process_that_starts_answers_for_no_token_older_than_what_every_other_keeps(processes: Processes):
    old, young = processes.token(age=17 * MINUTE), processes.token(age=15 * MINUTE)
    feed = await processes.start(DAY)
    assert not feed.covers(old, processes.clock.now)
    assert feed.covers(young, processes.clock.now)
    # As after an answer of the store.
    old.known_at = processes.clock.now
    for _ in range(3):
        await processes.pass_time(HOUR)
        assert feed.clears(old, processes.clock.now)


async def test_a_process_that_slept_answers_for_no_token_from_before(processes: Processes):
    feed, token = await processes.start(DAY), processes.token()
    await processes.pass_time(HOUR)
    assert feed.clears(token, processes.clock.now)
    processes.clock.advance(17 * MINUTE)
    await feed.catch_up()
    assert not feed.clears(token, processes.clock.now)
    assert feed.clears(processes.token(), processes.clock.now)
