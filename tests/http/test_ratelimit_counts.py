"""Counts of rate limits: windows, and the memory they take."""

import asyncio

import pytest
from tests.http.limits import count

from authx.exceptions import BadConfigurationError
from authx.http.ratelimit import InMemoryBackend
from authx.testing import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def backend(clock):
    return InMemoryBackend(clock)


# --- windows --------------------------------------------------------------------------------------


def test_requests_of_one_key_are_counted_up(backend):
    assert [count(backend) for _ in range(3)] == [1, 2, 3]


def test_keys_are_counted_apart(backend):
    assert [count(backend, key) for key in ("a", "b", "a")] == [1, 1, 2]


def test_a_window_that_is_over_to_the_second_starts_again_at_one(backend, clock):
    count(backend)
    clock.now += 59.999
    assert count(backend) == 2
    clock.now = 1060.0
    assert count(backend) == 1


def test_windows_that_are_over_at_the_same_moment_all_start_again(backend, clock):
    keys = [str(number) for number in range(20)]
    for key in keys:
        count(backend, key)
    clock.now += 60
    assert {count(backend, key) for key in reversed(keys)} == {1}


def test_requests_do_not_prolong_the_window_they_are_counted_in(backend, clock):
    for _ in range(10):
        count(backend)
        clock.now += 6
    assert count(backend) == 1


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_without_length_counts_every_request_as_the_first(backend, window):
    assert [count(backend, window=window) for _ in range(3)] == [1, 1, 1]
    assert len(backend) == 0


def test_a_reset_begins_a_whole_new_window(backend, clock):
    count(backend)
    clock.now += 50
    asyncio.run(backend.reset("k"))
    assert count(backend) == 1
    clock.now += 59
    assert count(backend) == 2


def test_a_reset_of_an_unknown_key_does_nothing(backend):
    asyncio.run(backend.reset("nobody"))
    assert count(backend) == 1


def test_a_reset_covers_windows_of_every_length(backend):
    for window in (10, 60):
        count(backend, window=window)
    asyncio.run(backend.reset("k"))
    assert [count(backend, window=window) for window in (10, 60)] == [1, 1]


def test_a_short_window_does_not_end_a_long_one_of_the_same_key(backend, clock):
    assert count(backend, window=300) == 1
    assert count(backend, window=1) == 1
    clock.now += 5
    assert count(backend, window=1) == 1
    assert count(backend, window=300) == 2


def test_the_time_left_is_that_of_the_open_window(backend, clock):
    count(backend)
    clock.now += 12.5
    assert asyncio.run(backend.remaining("k", 60)) == 47.5
    clock.now += 60
    assert asyncio.run(backend.remaining("k", 60)) == 0
    assert asyncio.run(backend.remaining("nobody", 60)) == 0


# --- memory ---------------------------------------------------------------------------------------


def test_counts_of_closed_windows_are_freed_by_later_calls(backend, clock):
    async def flood():
        for number in range(5000):
            await backend.increment(f"old-{number}", 60)
        clock.now += 61
        for number in range(2000):
            await backend.increment(f"new-{number}", 60)

    asyncio.run(flood())
    assert len(backend) == 2000


def test_one_call_frees_only_a_few_counts(backend, clock):
    async def flood():
        for number in range(5000):
            await backend.increment(f"old-{number}", 60)
        clock.now += 61
        await backend.increment("new", 60)

    asyncio.run(flood())
    assert 4980 <= len(backend) < 5000


def test_a_flood_that_goes_on_keeps_no_more_than_the_open_windows(backend, clock):
    async def flood():
        for number in range(20_000):
            await backend.increment(f"key-{number}", 60)
            clock.now += 0.1

    asyncio.run(flood())
    assert len(backend) <= 601


def test_a_key_in_use_survives_the_freeing(backend, clock):
    async def use():
        for _ in range(10):
            await backend.increment("busy", 60)
            clock.now += 59
            await backend.increment("busy", 60)
            clock.now += 2
            for number in range(20):
                await backend.increment(f"other-{number}", 60)

    asyncio.run(use())
    assert count(backend, "busy") == 1
    assert count(backend, "busy") == 2


def test_resetting_the_same_key_again_and_again_takes_no_memory(backend, clock):
    async def use():
        for _ in range(1000):
            await backend.increment("k", 60)
            await backend.reset("k")

    asyncio.run(use())
    assert len(backend) == 1
    clock.now += 61
    count(backend, "another")
    assert len(backend) == 1


def test_a_count_that_was_reset_and_used_again_is_freed_in_its_turn(backend, clock):
    count(backend)
    clock.now += 50
    asyncio.run(backend.reset("k"))
    count(backend)
    clock.now += 15
    count(backend, "another")
    assert len(backend) == 2
    assert count(backend) == 2
    clock.now += 45
    count(backend, "another")
    assert len(backend) == 1


def test_no_more_keys_are_kept_than_allowed_and_the_one_that_closes_first_goes(clock):
    backend = InMemoryBackend(clock, max_keys=3)
    for key in ("a", "b", "c"):
        count(backend, key)
        clock.now += 1
    count(backend, "d")
    assert len(backend) == 3
    assert count(backend, "b") == 2
    assert count(backend, "a") == 1


def test_a_backend_for_no_keys_is_refused(clock):
    with pytest.raises(BadConfigurationError, match="max_keys"):
        InMemoryBackend(clock, max_keys=0)


@pytest.mark.parametrize("prefix", ["x" * 100_000, "\ud800" * 200], ids=["ascii", "surrogates"])
def test_a_long_key_is_not_stored_and_still_told_apart(backend, prefix):
    assert [count(backend, prefix + end) for end in ("a", "b", "a")] == [1, 1, 2]
    assert all(len(key) <= 128 for counts in backend._counts.values() for key in counts)
    asyncio.run(backend.reset(prefix + "a"))
    assert count(backend, prefix + "a") == 1
