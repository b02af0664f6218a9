"""A store that fails when a test says so."""

import inspect

import pytest

from authx.core.ids import session_id
from authx.core.session import Revocation, Rotation, Session
from authx.exceptions import StoreUnavailableError
from authx.stores import Store, open_store
from authx.testing import FaultyStore
from authx.testing.faulty import _OPERATIONS

pytestmark = pytest.mark.anyio

NOW = 1_900_000_000_000
SID = session_id("alice", NOW, bytes(8))
ROW = Session(sid=SID, sub="alice", generation=1, created_at=NOW, rotated_at=NOW, expires_at=NOW + 10_000)


@pytest.fixture
async def store(tmp_path):
    faulty = FaultyStore(open_store(f"sqlite:///{tmp_path}/auth.db"))
    await faulty.open()
    await faulty.create_schema()
    yield faulty
    faulty.heal()
    await faulty.close()


async def advance(store, generation=1):
    return await store.advance(
        Rotation(
            sid=SID,
            sub="alice",
            from_generation=generation,
            to_generation=generation + 1,
            at=NOW,
            expires_at=NOW + 20_000,
        )
    )


def test_it_has_every_method_of_a_store_with_the_same_arguments():
    methods = {name for name, member in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    assert methods == _OPERATIONS
    for name in methods:
        assert list(inspect.signature(getattr(FaultyStore, name)).parameters) == list(
            inspect.signature(getattr(Store, name)).parameters
        )


async def test_it_does_what_the_store_does(store):
    assert await store.create(ROW) is True
    assert await store.create(ROW) is False
    assert await store.get(SID) == (ROW, None)
    assert (await advance(store)).generation == 2
    assert len(await store.list("alice", NOW)) == 1
    stored = await store.revoke(Revocation(kind="session", key=SID, at=NOW, until=NOW + 5, expires_at=NOW))
    assert stored.key == SID
    listed, cursor = await store.revocations("")
    assert [one.key for one in listed] == [SID]
    assert await store.count_live(NOW) == (1, cursor)
    await store.wait(cursor, 0.001)
    assert await store.prune(NOW + 10**9, 10) >= 1


async def test_it_counts_the_calls(store):
    await store.get(SID)
    await store.get(SID)
    store.fail("get")
    with pytest.raises(StoreUnavailableError):
        await store.get(SID)
    assert store.calls["get"] == 3
    assert store.calls["advance"] == 0


async def test_a_failure_before_the_commit_does_nothing(store):
    store.fail("create")
    with pytest.raises(StoreUnavailableError):
        await store.create(ROW)
    assert await store.get(SID) == (None, None)


async def test_a_failure_after_the_commit_has_done_everything(store):
    store.fail("create", after_commit=True)
    with pytest.raises(StoreUnavailableError):
        await store.create(ROW)
    assert (await store.get(SID))[0] == ROW
    store.fail("advance", after_commit=True)
    with pytest.raises(StoreUnavailableError):
        await advance(store)
    assert (await store.get(SID))[0].generation == 2


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_it_fails_as_often_as_it_is_told(store, times):
    store.fail("get", times=times)
    for _ in range(times):
        with pytest.raises(StoreUnavailableError):
            await store.get(SID)
    assert await store.get(SID) == (None, None)


async def test_it_fails_until_it_is_healed(store):
    store.fail("get", times=None)
    for _ in range(10):
        with pytest.raises(StoreUnavailableError):
            await store.get(SID)
    store.heal()
    assert await store.get(SID) == (None, None)


async def test_other_operations_go_on(store):
    store.fail("get", times=None)
    assert await store.create(ROW)
    assert len(await store.list("alice", NOW)) == 1


async def test_several_operations_fail_each_by_itself(store):
    store.fail("get", "list")
    for call in (store.get(SID), store.list("alice", NOW)):
        with pytest.raises(StoreUnavailableError):
            await call
    assert await store.get(SID) == (None, None)
    assert await store.list("alice", NOW) == []


async def test_without_a_name_everything_fails_but_closing(store):
    store.fail(times=None)
    for call in (store.open(), store.get(SID), store.create(ROW), store.wait("", 0), store.prune(NOW, 1)):
        with pytest.raises(StoreUnavailableError):
            await call
    await store.close()


async def test_what_was_said_last_counts(store):
    store.fail("get", times=None)
    store.fail("get", times=1)
    with pytest.raises(StoreUnavailableError):
        await store.get(SID)
    assert await store.get(SID) == (None, None)


@pytest.mark.parametrize("name", ["got", "", "_do", "heal"])
def test_an_operation_that_no_store_has_is_an_error(name):
    with pytest.raises(ValueError, match="no store has"):
        FaultyStore(open_store("sqlite:///never.db")).fail(name)


@pytest.mark.parametrize("times", [0, -1])
def test_failing_never_is_an_error(times):
    with pytest.raises(ValueError, match="heal"):
        FaultyStore(open_store("sqlite:///never.db")).fail("get", times=times)


async def test_it_says_that_a_test_did_it(store):
    store.fail("get")
    with pytest.raises(StoreUnavailableError, match="a test let get fail before"):
        await store.get(SID)
