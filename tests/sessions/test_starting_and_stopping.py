"""Opening and closing return in time whatever the store does, and what was started is stopped."""

import asyncio
import contextlib
import threading

import pytest
from tests.sessions.world import SECRET
from tests.support.inside import sessions_of, set_store
from tests.support.waiting import PATIENCE, until

from authx import AuthX, AuthXConfig
from authx.exceptions import StoreUnavailableError
from authx.sessions import lifecycle
from authx.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_OPEN_SECONDS", "_END_SECONDS", "_CLOSE_SECONDS"):
        monkeypatch.setattr(lifecycle, name, 0.1)


class Stubborn(MemoryStore):
    """A store whose driver loses cancellations, in one of its methods."""

    def __init__(self, method: str, times: float = float("inf")) -> None:
        super().__init__()
        self.release = asyncio.Event()
        self.reached, self.shut = asyncio.Event(), asyncio.Event()
        self.opened = self.closed = 0
        self._lost, self._times = 0, times
        setattr(self, method, self._hang)

    async def _hang(self, *_: object) -> None:
        self.reached.set()
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self._lost += 1
                if self._lost > self._times:
                    raise

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1
        self.shut.set()


@pytest.fixture
async def make_auth():
    made: list[tuple[AuthX, MemoryStore]] = []

    def make(store: MemoryStore) -> AuthX:
        auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store=store)
        made.append((auth, store))
        return auth

    yield make
    for auth, store in made:
        if isinstance(store, Stubborn):
            store.release.set()
        await auth.close()
        # What was left to itself ends now.
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("times", [1, 3, float("inf")])
async def test_closing_returns_though_the_follower_does_not_hear_that_it_is_cancelled(make_auth, times):
    store = Stubborn("wait", times)
    auth = make_auth(store)
    await auth.create_session("1")
    await store.reached.wait()
    async with asyncio.timeout(PATIENCE):
        await auth.close()
    assert store.closed == 1


async def test_closing_returns_though_the_store_does_not_close(make_auth, caplog):
    auth = make_auth(Stubborn("close"))
    await auth.create_session("1")
    async with asyncio.timeout(PATIENCE):
        await auth.close()
    assert "did not close in time" in caplog.text


@pytest.mark.parametrize("method", ["open", "create_schema", "revocations"])
async def test_opening_ends_though_the_store_does_not_answer(make_auth, method):
    auth = make_auth(Stubborn(method))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreUnavailableError, match="did not open in time"):
            await auth.create_session("1")


async def test_a_start_that_is_under_way_when_the_instance_is_closed_is_stopped(make_auth):
    store = Stubborn("create_schema", times=0)
    auth = make_auth(store)
    starting = asyncio.create_task(auth.create_session("1"))
    await store.reached.wait()
    await auth.close()
    with pytest.raises(StoreUnavailableError):
        await starting
    assert store.closed == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["on the loop", "in a thread"])
async def test_a_start_that_is_under_way_when_a_setting_changes_is_stopped(make_auth, elsewhere):
    before = asyncio.all_tasks()
    store = Stubborn("create_schema", times=0)
    auth = make_auth(store)
    starting = asyncio.create_task(auth.create_session("1"))
    await store.reached.wait()

    def change() -> None:
        set_store(auth, "memory://")
        assert sessions_of(auth).store is not store

    if elsewhere:
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
    else:
        change()
    with pytest.raises(StoreUnavailableError):
        await starting
    await store.shut.wait()
    await until(lambda: asyncio.all_tasks() == before, "the end of all tasks")


async def test_a_caller_who_goes_away_does_not_end_the_start_for_others(make_auth):
    store = Stubborn("create_schema", times=0)
    auth = make_auth(store)
    leaving, staying = (asyncio.create_task(auth.create_session("1")) for _ in range(2))
    await store.reached.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    store.release.set()
    await staying


async def test_a_request_that_began_before_a_setting_changed_starts_nothing_again(make_auth):
    store = Stubborn("none")
    auth = make_auth(store)
    await auth.create_session("1")
    former = sessions_of(auth)
    auth.config.JWT_SESSION_MAX_AGE = 3600
    await auth.create_session("1")
    opened = store.opened
    await former.open()
    assert store.opened == opened


async def test_one_that_never_started_does_not_start_after_a_setting_changed(make_auth):
    auth = make_auth(MemoryStore())
    former = sessions_of(auth)
    auth.config.JWT_SESSION_MAX_AGE = 3600
    assert sessions_of(auth) is not former
    with pytest.raises(StoreUnavailableError, match="settings changed"):
        await former.open()


async def test_an_instance_that_was_closed_can_be_opened_again(make_auth):
    store = Stubborn("none")
    auth = make_auth(store)
    for _ in range(2):
        await auth.create_session("1")
        await auth.close()
    assert (store.opened, store.closed) == (2, 2)


async def test_what_is_awaited_for_some_time_is_cancelled_after_it():
    from authx.stores.ending import within

    ended = asyncio.Event()

    async def last() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        ended.set()

    with pytest.raises(TimeoutError):
        await within(0.01, last())
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
