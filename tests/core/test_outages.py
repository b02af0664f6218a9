"""The outages that a process observed, and how much of them lies between two times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.core.outages import Outages

SECOND = 1000
FOREVER = 10**15


def outages_of(*events: tuple[object, ...]) -> Outages:
    outages = Outages()
    for name, *arguments in events:
        getattr(outages, name)(*arguments)
    return outages


def lengths(outages: Outages) -> int:
    return outages.stood_still(-FOREVER, FOREVER)


def test_nothing_stands_still_as_long_as_the_store_answers():
    assert lengths(outages_of(("answered", 0), ("answered", 60 * SECOND))) == 0


def test_a_silence_lasts_from_the_first_call_that_failed_to_the_next_answer():
    outages = outages_of(("answered", 0), ("failed", 10_000), ("failed", 15_000), ("answered", 70_000))
    assert outages.stood_still(0, 100_000) == 60_000
    assert outages.stood_still(20_000, 100_000) == 50_000
    assert outages.stood_still(0, 30_000) == 20_000
    assert outages.stood_still(80_000, 100_000) == 0
    assert outages.stood_still(0, 5000) == 0


def test_a_silence_is_counted_when_it_is_over():
    outages = outages_of(("failed", 0))
    assert outages.is_silent
    assert outages.stood_still(0, 100_000) == 0
    outages.answered(100_000)
    assert not outages.is_silent
    assert outages.stood_still(0, 100_000) == 100_000


def test_a_silence_begins_never_before_the_last_answer():
    # A call that hung for long, while others were answered.
    assert lengths(outages_of(("answered", 0), ("answered", 9000), ("failed", 1000), ("answered", 13_000))) == 4000


def test_a_call_that_fails_late_moves_the_beginning_back():
    assert lengths(outages_of(("answered", 0), ("failed", 5000), ("failed", 3000), ("answered", 10_000))) == 7000


@pytest.mark.parametrize(("length", "counted"), [(0, 0), (2999, 0), (3000, 0), (3001, 3001)])
def test_an_outage_counts_if_it_lasts_longer_than_three_seconds(length, counted):
    assert lengths(outages_of(("failed", 0), ("answered", length))) == counted
    assert lengths(outages_of(("stalled", length, 50_000))) == counted


def test_a_stall_within_a_silence_counts_once():
    outages = outages_of(("failed", 0), ("stalled", 5000, 20_000), ("answered", 60_000))
    assert lengths(outages) == 60_000
    outages = outages_of(("stalled", 10_000, 20_000), ("stalled", 8000, 21_000), ("stalled", 4000, 40_000))
    assert lengths(outages) == 11_000 + 4000


def test_many_short_failures_never_add_up():
    outages = Outages()
    for at in range(0, 600_000, 1000):
        outages.failed(at)
        outages.answered(at + 999)
    assert lengths(outages) == 0


def test_the_newest_outages_are_kept():
    outages = Outages()
    for number in range(40):
        outages.stalled(4000, number * 10_000)
    assert lengths(outages) == 32 * 4000
    assert outages.stood_still(390_000 - 4000, FOREVER) == 4000
    assert outages.stood_still(-FOREVER, 76_000) == 0


# A whole history of calls, as an oracle sees it: (began, ended, whether it was answered; None for a stall).
CALLS = st.lists(
    st.tuples(st.integers(0, 50_000), st.sampled_from([1, 20, 500, 2000, 5000]), st.sampled_from([True, False, None])),
    max_size=13,
)


def oracle(calls, since, now):
    """Compute from the whole history, without keeping anything on the way."""
    answers = sorted(end for _, end, ok in calls if ok)
    outages = [(begin, end) for begin, end, ok in calls if ok is None]
    for left, right in zip([None, *answers], answers, strict=False):
        failed = [begin for begin, end, ok in calls if ok is False and end <= right and (left is None or end > left)]
        if failed:
            outages.append((min(failed) if left is None else min(max(begin, left) for begin in failed), right))
    total, reached = 0, since
    for begin, end in sorted(outages):
        if end - begin > 3 * SECOND:
            total += max(0, min(end, now) - max(begin, reached))
            reached = max(reached, min(end, now))
    return total


@given(calls=CALLS, since=st.integers(0, 60_000))
def test_outages_are_those_that_the_whole_history_shows(calls, since):
    calls = [(begin, begin + took, ok) for begin, took, ok in calls]
    outages = Outages(limit=10_000)
    for begin, end, ok in sorted(calls, key=lambda call: (call[1], call[2] is True)):
        if ok is None:
            outages.stalled(end - begin, end)
        elif ok:
            outages.answered(end)
        else:
            outages.failed(begin)
    assert outages.stood_still(since, 60_000) == oracle(calls, since, 60_000)
