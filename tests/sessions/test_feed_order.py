"""Whatever the order in which a feed reads, loads, forgets and is told: nothing that was revoked passes."""

import asyncio
import random

import pytest
from tests.sessions.test_feed import (
    WINDOW,
    claims,
    end_everyone,
    end_session,
    end_subject,
    end_token,
    make_sid,
    passes,
    verified,
)

from authx.sessions.feed import RevocationFeed
from authx.stores.memory import MemoryStore
from authx.testing import Clock

pytestmark = pytest.mark.anyio


class Stepped:
    """A store each of whose lists arrives when a test says so; it is read before, or only then."""

    def __init__(self):
        self.store = MemoryStore()
        self.reads_late = False
        self.steps = False
        self.waiting = []

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def revocations(self, cursor):
        if not self.steps:
            return await self.store.revocations(cursor)
        reads_late, listed = self.reads_late, await self.store.revocations(cursor)
        arrival = asyncio.get_running_loop().create_future()
        self.waiting.append(arrival)
        await arrival
        return await self.store.revocations(cursor) if reads_late else listed


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


class World:
    """A feed on such a store, and the tokens that are shown to it."""

    def __init__(self):
        self.clock, self.monotonic, self.store = Clock(), Clock(1000.0), Stepped()
        self.feed = RevocationFeed(
            self.store, self.clock, window=WINDOW, poll_interval=0.5, max_staleness=30.0, monotonic=self.monotonic
        )
        self.sids = [make_sid(self.clock, number, uid) for number in range(2) for uid in ("alice", "bob")]
        self.tokens = [
            verified(claims(self.clock, sid, jti, "alice" if number % 2 == 0 else "bob"))
            for number, sid in enumerate(self.sids)
            for jti in ("one", "two")
        ]

    def revocation(self, rng):
        kind = rng.randrange(8)
        if kind < 3:
            return end_session(self.clock, rng.choice(self.sids), rng.choice([30, WINDOW, 2 * WINDOW]))
        if kind < 5:
            return end_token(self.clock, rng.choice(["one", "two"]), rng.choice([30, WINDOW, None]))
        if kind < 7:
            return end_subject(self.clock, "alice", rng.choice([None, *self.sids[::2]]))
        return end_everyone(self.clock)

    async def refused_by_a_new_feed(self):
        fresh = RevocationFeed(
            self.store.store,
            self.clock,
            window=WINDOW,
            poll_interval=0.5,
            max_staleness=30.0,
            monotonic=self.monotonic,
        )
        await fresh.load()
        return [not passes(fresh, token.claims) for token in self.tokens]

    def refused(self):
        return [not passes(self.feed, token.claims) for token in self.tokens]


def missed(expected, found):
    return [number for number, (one, other) in enumerate(zip(expected, found, strict=True)) if one and not other]


async def test_a_reading_that_began_before_a_load_was_done_does_not_carry_it_past_what_it_did_not_see():
    world = World()
    feed, store = world.feed, world.store
    await feed.load()
    store.steps = True
    loading = asyncio.create_task(feed.load())
    await settle()
    (loaded,) = store.waiting
    store.steps = False
    await store.revoke(end_token(world.clock, "one"))
    await feed.catch_up()
    store.steps = True
    reading = asyncio.create_task(feed.catch_up())
    await settle()
    store.steps = False
    loaded.set_result(None)
    await loading
    store.waiting[-1].set_result(None)
    await reading
    assert not passes(feed, world.tokens[0].claims)
    await feed.catch_up()
    assert not passes(feed, world.tokens[0].claims)


async def test_an_older_list_that_arrives_late_does_not_spare_what_was_ended_here_since():
    world = World()
    feed, store, mine = world.feed, world.store, world.sids[0]
    await feed.load()
    await store.revoke(end_subject(world.clock, "alice", mine))
    store.steps = True
    reading = asyncio.create_task(feed.catch_up())
    await settle()
    feed.apply(await store.revoke(end_subject(world.clock, "alice")))
    assert not passes(feed, world.tokens[0].claims)
    store.waiting[0].set_result(None)
    await reading
    assert not passes(feed, world.tokens[0].claims)


async def test_an_answer_that_arrives_late_does_not_spare_what_another_process_ended_since():
    world = World()
    feed, store, mine = world.feed, world.store, world.sids[0]
    await feed.load()
    answer = await store.revoke(end_subject(world.clock, "alice", mine))
    await store.revoke(end_subject(world.clock, "alice"))
    await feed.catch_up()
    feed.apply(answer)
    assert not passes(feed, world.tokens[0].claims)


class Readers(World):
    """Readings, loads and revocations whose answers arrive in any order."""

    def __init__(self, rng):
        super().__init__()
        self.rng, self.answers, self.readings = rng, [], []
        self.sure = [False] * len(self.tokens)

    async def read(self):
        # What was revoked before somebody begins to read is refused once that is done.
        expected = await self.refused_by_a_new_feed()
        reading = self.rng.choice([self.feed.load, self.feed.catch_up])
        self.readings.append((asyncio.create_task(reading()), expected))

    async def arrive(self):
        if self.store.waiting:
            self.store.waiting.pop(self.rng.randrange(len(self.store.waiting))).set_result(None)

    async def revoke_here(self):
        self.answers.append(await self.store.revoke(self.revocation(self.rng)))
        if self.rng.random() < 0.7:
            self.feed.apply(self.answers.pop(self.rng.randrange(len(self.answers))))

    async def revoke_there(self):
        await self.store.revoke(self.revocation(self.rng))

    async def pass_time(self):
        self.clock.advance(self.rng.choice([0.001, 1]))

    async def step(self):
        self.store.reads_late = self.rng.random() < 0.5
        actions = [self.read, self.read, self.arrive, self.arrive, self.revoke_here, self.revoke_there, self.pass_time]
        await self.rng.choice(actions)()
        await settle()
        done = [one for one in self.readings if one[0].done()]
        self.readings = [one for one in self.readings if not one[0].done()]
        for task, expected in done:
            task.result()
            if not self.readings:
                self.sure = [one or other for one, other in zip(self.sure, expected, strict=True)]
        if not self.readings:
            assert missed(self.sure, self.refused()) == []

    async def finish(self):
        while self.store.waiting or self.readings:
            await self.arrive()
            await settle()
            self.readings = [one for one in self.readings if not one[0].done()]
        self.store.steps = False
        for answer in self.answers:
            self.feed.apply(answer)
        await self.feed.catch_up()
        assert missed(await self.refused_by_a_new_feed(), self.refused()) == []
        assert missed(self.sure, self.refused()) == []


@pytest.mark.parametrize("seed", range(60))
async def test_readings_loads_and_revocations_in_any_order_lose_nothing(seed):
    readers = Readers(random.Random(seed))
    await readers.feed.load()
    readers.store.steps = True
    for _ in range(40):
        await readers.step()
    await readers.finish()


class Remembering(World):
    """Tokens that are shown again and again, while everything else changes."""

    def __init__(self, rng):
        super().__init__()
        self.rng = rng
        self.number = 0

    async def pass_time(self):
        self.clock.advance(self.rng.choice([-1, 0.5, 20, 61, 400]))

    async def load(self):
        await self.feed.load()

    async def read(self):
        if self.feed.loaded:
            await self.feed.catch_up()

    async def forget(self):
        self.feed._revoked.forget(int(self.clock.now * 1000), 3)

    async def revoke_here(self):
        if self.rng.random() < 0.3:
            self.feed.apply(await self.store.revoke(self.revocation(self.rng)))

    async def revoke_there(self):
        if self.rng.random() < 0.3:
            await self.store.revoke(self.revocation(self.rng))

    async def ask_the_store(self):
        self.rng.choice(self.tokens).known_at = self.clock.now

    async def issue(self):
        self.number += 1
        sid = self.rng.choice([*self.sids, make_sid(self.clock, self.number), make_sid(self.clock, self.number)])
        self.tokens[self.rng.randrange(8)] = verified(claims(self.clock, sid, f"jti {self.number}"))

    async def be_silent(self):
        self.monotonic.now += self.rng.choice([1, 31])

    async def step(self):
        actions = [self.load, self.read, self.forget, self.revoke_here, self.revoke_there, self.issue]
        await self.rng.choice([*actions, self.pass_time, self.pass_time, self.ask_the_store, self.be_silent])()

    def compare(self):
        """Show each token, and compare with what looking it up says; tells how many pass."""
        passed = 0
        for token in self.tokens:
            anew = verified(token.claims)
            anew.known_at = token.known_at
            said = self.feed.clears(token, self.clock.now)
            assert said == (passes(self.feed, token.claims) and self.feed.covers(anew, self.clock.now))
            assert said == self.feed.clears(anew, self.clock.now)
            passed += said
        return passed


@pytest.mark.parametrize("seed", range(60))
async def test_what_is_remembered_of_a_token_is_what_looking_it_up_says(seed):
    remembering = Remembering(random.Random(seed))
    passed = 0
    for _ in range(150):
        await remembering.step()
        passed += remembering.compare()
    assert passed
