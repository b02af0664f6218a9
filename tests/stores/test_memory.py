"""The memory store: the contract, and what is its own."""

import asyncio
import threading

import pytest
from tests.support.waiting import PATIENCE

from authx.exceptions import BadConfigurationError
from authx.stores import Store, open_store
from authx.stores.memory import MemoryStore
from authx.testing import StoreContract
from authx.testing.contract.harness import MINUTE, NOW, MakeStore, advance, cut_off, end_token, session_of


class TestContract(StoreContract):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        store = MemoryStore()
        return lambda: store


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.mark.parametrize("url", ["memory://", "memory:///", "MEMORY://"])
def test_is_named_by_its_scheme_alone(url):
    assert isinstance(open_store(url), MemoryStore)


@pytest.mark.parametrize("url", ["memory://host", "memory:///path", "memory://?a=b", "memory://user:secret@host"])
def test_refuses_a_url_that_says_more(url):
    with pytest.raises(BadConfigurationError, match="takes nothing after it") as raised:
        open_store(url)
    assert "secret" not in str(raised.value)


def test_two_stores_hold_nothing_in_common():
    row = session_of()

    async def check():
        one, two = open_store("memory://"), open_store("memory://")
        await one.create(row)
        assert await two.get(row.sid) == (None, None)

    asyncio.run(check())


def test_a_cursor_of_another_store_means_nothing(store):
    async def check():
        other = MemoryStore()
        await other.revoke(end_token("theirs"))
        _, cursor = await other.revocations("")
        await store.revoke(end_token("ours"))
        listed, _ = await store.revocations(cursor)
        assert [one.key for one in listed] == ["ours"]

    asyncio.run(check())


def test_who_waits_on_one_event_loop_is_woken_from_another(store):
    waits = threading.Event()

    async def wait():
        _, cursor = await store.revocations("")
        asyncio.get_running_loop().call_soon(waits.set)
        await store.wait(cursor, 3600)

    thread = threading.Thread(target=lambda: asyncio.run(wait()), daemon=True)
    thread.start()
    assert waits.wait(PATIENCE)
    asyncio.run(store.revoke(end_token()))
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_threads_advance_a_session_one_at_a_time(store):
    row = session_of()
    asyncio.run(store.create(row))
    wins = []

    async def refresh():
        for generation in range(1, 50):
            if await advance(store, row, from_generation=generation, to_generation=generation + 1):
                wins.append(generation)

    threads = [threading.Thread(target=lambda: asyncio.run(refresh())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == list(range(1, len(wins) + 1))


def test_holds_nothing_of_a_subject_whose_sessions_are_gone(store):
    async def check():
        for n in range(100):
            await store.create(session_of(f"user-{n}", expires_at=1))
        await store.prune(10**15, 1000)
        assert not store._sessions
        assert not store._of_subject
        assert not store._sessions_due

    asyncio.run(check())


def test_repeating_a_revocation_takes_no_room(store):
    async def check():
        for number in range(100):
            await store.revoke(end_token("one", until=NOW + number * MINUTE))
            await store.revoke(cut_off(until=NOW + number * MINUTE))
        assert len(store._revocations_due) == 2
        assert await store.prune(NOW + 100 * MINUTE, 100) == 0
        assert await store.prune(NOW + 101 * MINUTE, 100) == 2

    asyncio.run(check())
