"""A resource of one event loop: opened once, closed from anywhere, never shared between loops or processes."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from authx.exceptions import StoreUnavailableError
from authx.stores.per_loop import PerLoop

pytestmark = pytest.mark.anyio


class Resource:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed_on: asyncio.AbstractEventLoop | None = None
        self.is_closed = threading.Event()
        self.is_abandoned = False

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed_on = asyncio.get_running_loop()
        self.is_closed.set()

    def abandon(self) -> None:
        self.is_abandoned = True


class Opener:
    """Opens resources, each as soon as it is let."""

    def __init__(self) -> None:
        self.opened: list[Resource] = []
        self.attempts = 0
        self.may_open: asyncio.Event | None = None
        self.error: Exception | None = None
        self.per_loop = PerLoop(self._open, Resource.close, Resource.abandon)

    async def _open(self) -> Resource:
        self.attempts += 1
        if self.may_open is not None:
            await self.may_open.wait()
        if self.error is not None:
            raise self.error
        self.opened.append(Resource())
        return self.opened[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


@contextmanager
def another_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_many_callers_open_it_once(opener: Opener) -> None:
    assert opener.per_loop.here() is None
    found = await asyncio.gather(*(opener.per_loop.get() for _ in range(5)))
    assert opener.opened == [found[0]]
    assert set(found) == {found[0]}
    assert opener.per_loop.here() is found[0]


async def test_a_cancelled_caller_does_not_cancel_the_opening_for_the_others(opener: Opener) -> None:
    opener.may_open = asyncio.Event()
    first, second = (asyncio.create_task(opener.per_loop.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    opener.may_open.set()
    assert first.cancelled()
    assert await second is opener.opened[0]


async def test_a_failure_is_not_remembered(opener: Opener) -> None:
    opener.error = OSError()
    with pytest.raises(OSError):
        await opener.per_loop.get()
    opener.error = None
    assert await opener.per_loop.get() is opener.opened[0]


async def test_closing_and_using_it_again_opens_another(opener: Opener) -> None:
    first = await opener.per_loop.get()
    await opener.per_loop.close()
    assert first.closed_on is first.loop
    assert opener.per_loop.here() is None
    assert await opener.per_loop.get() is not first


async def test_closing_without_anything_open_does_nothing(opener: Opener) -> None:
    await opener.per_loop.close()
    opener.per_loop.close_soon()
    assert opener.opened == []


async def test_closing_ends_an_opening_and_its_callers_hear_that_the_store_was_closed(opener: Opener) -> None:
    opener.may_open = asyncio.Event()
    caller = asyncio.create_task(opener.per_loop.get())
    await asyncio.sleep(0)
    await opener.per_loop.close()
    with pytest.raises(StoreUnavailableError, match="was closed"):
        await caller
    assert opener.opened == []


async def test_what_opens_late_in_spite_of_being_cancelled_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authx.stores.per_loop._END_SECONDS", 0.02)
    began, may_open = asyncio.Event(), asyncio.Event()
    opened: list[Resource] = []

    async def open_stubbornly() -> Resource:
        began.set()
        while not may_open.is_set():
            try:
                await may_open.wait()
            except asyncio.CancelledError:
                continue
        opened.append(Resource())
        return opened[0]

    per_loop = PerLoop(open_stubbornly, Resource.close)
    caller = asyncio.create_task(per_loop.get())
    await began.wait()
    await per_loop.close()
    may_open.set()
    with pytest.raises(StoreUnavailableError):
        await caller
    assert opened[0].closed_on is opened[0].loop


async def test_each_event_loop_has_its_own(opener: Opener) -> None:
    here = await opener.per_loop.get()
    with another_loop() as loop:
        there = asyncio.run_coroutine_threadsafe(opener.per_loop.get(), loop).result(5)
        await opener.per_loop.close()
        assert (here.closed_on, there.closed_on) == (here.loop, None)
        asyncio.run_coroutine_threadsafe(opener.per_loop.close(), loop).result(5)
        assert there.closed_on is loop


async def test_it_can_be_closed_from_another_event_loop_without_waiting(opener: Opener) -> None:
    with another_loop() as loop:
        there = asyncio.run_coroutine_threadsafe(opener.per_loop.get(), loop).result(5)
        opener.per_loop.close_soon()
        assert await asyncio.to_thread(there.is_closed.wait, 5)
    assert there.closed_on is loop


async def test_it_can_be_closed_from_a_thread_without_an_event_loop(opener: Opener) -> None:
    opener.may_open = asyncio.Event()
    caller = asyncio.create_task(opener.per_loop.get())
    await asyncio.sleep(0)
    await asyncio.to_thread(opener.per_loop.close_soon)
    with pytest.raises(StoreUnavailableError):
        await caller
    opener.may_open.set()
    here = await opener.per_loop.get()
    await asyncio.to_thread(opener.per_loop.close_soon)
    assert opener.per_loop.here() is None
    assert await asyncio.to_thread(here.is_closed.wait, 5)
    assert here.closed_on is here.loop


def test_it_closes_when_its_event_loop_shuts_down(opener: Opener) -> None:
    opened = asyncio.run(opener.per_loop.get())
    assert opened.closed_on is opened.loop


def test_what_a_loop_left_open_when_it_ended_is_let_go_of_at_the_next_use(opener: Opener) -> None:
    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(opener.per_loop.get())
    loop.close()
    fresh = asyncio.run(opener.per_loop.get())
    assert left.is_abandoned
    assert left.closed_on is None
    assert fresh is not left


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_its_own_and_leaves_that_of_its_parent_alone(opener: Opener) -> None:
    loop = asyncio.new_event_loop()
    inherited = loop.run_until_complete(opener.per_loop.get())
    child = os.fork()
    if child == 0:
        is_right = False
        try:
            own = loop.run_until_complete(opener.per_loop.get())
            loop.run_until_complete(opener.per_loop.close())
            is_right = own is not inherited and own.closed_on is loop
            is_right = is_right and inherited.closed_on is None and not inherited.is_abandoned
        finally:
            os._exit(0 if is_right else 1)
    _, status = os.waitpid(child, 0)
    loop.run_until_complete(opener.per_loop.close())
    loop.close()
    assert status == 0
    assert inherited.closed_on is loop
