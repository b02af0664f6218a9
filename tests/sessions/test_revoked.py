"""The live revocations in their dictionaries: what they answer, when they forget, what they weigh."""

import tracemalloc
from hashlib import sha256

import pytest

from authx.core.ids import session_id
from authx.core.session import Revocation
from authx.sessions.revoked import Revoked, prefix_of, timestamp_of

NOW = 1_900_000_000_000
WINDOW = 960_000
MINUTE = 60_000


def make_sid(moment=NOW, uid="alice", seed=b"x"):
    return session_id(uid, moment, sha256(seed).digest())


def claims(sid=None, sub="alice", iat=NOW / 1000):
    found = {"sub": sub, "iat": iat, "jti": "one"}
    return found if sid is None else found | {"sid": sid}


def session(sid, until=NOW + WINDOW):
    return Revocation(kind="session", key=sid, at=NOW, until=until)


def cutoff(at=NOW, sub="alice", spared=None):
    return Revocation(kind="subject", key=sub, at=at, until=at + WINDOW, sub=sub, spared=spared)


def everyone(at=NOW):
    return Revocation(kind="everyone", key="", at=at, until=None)


def token(jti, until=NOW + WINDOW):
    return Revocation(kind="token", key=jti, at=NOW, until=until)


@pytest.fixture
def revoked():
    return Revoked(WINDOW)


def test_nothing_is_revoked_at_first(revoked):
    assert not revoked.ends_session_of(claims(make_sid()))
    assert not revoked.ends_session_of(claims())
    assert len(revoked) == 0


def test_a_session_is_revoked_by_its_id(revoked):
    revoked.apply([session(make_sid())], NOW)
    assert revoked.ends_session_of(claims(make_sid()))
    assert not revoked.ends_session_of(claims(make_sid(seed=b"y")))


def test_a_token_is_held_by_its_jti(revoked):
    revoked.apply([token("one")], NOW)
    assert "one" in revoked.tokens
    assert "two" not in revoked.tokens


@pytest.mark.parametrize(("offset", "dead"), [(-1, True), (0, False), (1, False), (-WINDOW, True)])
def test_a_cutoff_ends_sessions_created_before_it(revoked, offset, dead):
    revoked.apply([cutoff()], NOW)
    assert revoked.ends_session_of(claims(make_sid(NOW + offset))) is dead
    assert not revoked.ends_session_of(claims(make_sid(NOW + offset, "bob"), "bob"))


@pytest.mark.parametrize(("offset", "dead"), [(-1, True), (0, False), (1, False)])
def test_the_cutoff_of_everyone_ends_all_sessions_created_before_it(revoked, offset, dead):
    revoked.apply([everyone()], NOW)
    for uid in ("alice", "bob"):
        assert revoked.ends_session_of(claims(make_sid(NOW + offset, uid), uid)) is dead


@pytest.mark.parametrize("kind", [cutoff, everyone])
@pytest.mark.parametrize(("offset", "dead"), [(-0.001, True), (0, False), (1, False)])
def test_a_token_without_session_goes_by_its_time_of_issue(revoked, kind, offset, dead):
    revoked.apply([kind()], NOW)
    assert revoked.ends_session_of(claims(iat=NOW / 1000 + offset)) is dead


def test_one_session_is_spared(revoked):
    mine, other = make_sid(NOW - 5, seed=b"mine"), make_sid(NOW - 5, seed=b"other")
    revoked.apply([cutoff(spared=mine)], NOW)
    assert not revoked.ends_session_of(claims(mine))
    assert revoked.ends_session_of(claims(other))


@pytest.mark.parametrize("at", [NOW, NOW + 1])
def test_a_later_cutoff_replaces_what_is_spared(revoked, at):
    mine, other = make_sid(NOW - 5, seed=b"mine"), make_sid(NOW - 5, seed=b"other")
    revoked.apply([cutoff(spared=mine), cutoff(at, spared=other)], NOW)
    assert revoked.ends_session_of(claims(mine))
    assert not revoked.ends_session_of(claims(other))
    revoked.apply([cutoff(at)], NOW)
    assert revoked.ends_session_of(claims(other))


def test_an_older_cutoff_changes_nothing(revoked):
    mine = make_sid(NOW - 5)
    revoked.apply([cutoff(), cutoff(NOW - 1, spared=mine)], NOW)
    assert revoked.ends_session_of(claims(mine))
    revoked.apply([everyone(NOW), everyone(NOW - 10)], NOW)
    assert revoked.everyone_at == NOW


def test_a_spared_session_dies_with_everyone_and_alone(revoked):
    mine = make_sid(NOW - 5)
    revoked.apply([cutoff(spared=mine), session(mine)], NOW)
    assert revoked.ends_session_of(claims(mine))
    another = Revoked(WINDOW)
    another.apply([cutoff(spared=mine), everyone()], NOW)
    assert another.ends_session_of(claims(mine))


def test_taking_in_the_same_again_changes_nothing(revoked):
    listed = [session(make_sid()), token("one"), cutoff(spared=make_sid(NOW - 5)), everyone()]
    revoked.apply(listed, NOW)
    before = (dict(revoked.sessions), dict(revoked.tokens), dict(revoked.cutoffs), dict(revoked.spared))
    for _ in range(3):
        revoked.apply(listed, NOW)
    assert (revoked.sessions, revoked.tokens, revoked.cutoffs, revoked.spared) == before
    assert len(revoked) == 4


def test_what_has_been_over_for_a_while_is_not_taken_in(revoked):
    long_over = NOW - 2 * MINUTE
    revoked.apply([session(make_sid(), long_over), token("one", long_over)], NOW)
    assert len(revoked) == 0


def test_it_forgets_what_can_concern_no_token_any_more(revoked):
    revoked.apply([session(make_sid()), token("one"), cutoff(spared=make_sid(NOW - 5))], NOW)
    later = NOW + WINDOW + MINUTE
    assert not revoked.forget(later, 100)
    assert len(revoked) == 0
    assert revoked.spared == {}


def test_it_never_forgets_too_early(revoked):
    revoked.apply([session(make_sid()), token("one"), cutoff()], NOW)
    revoked.forget(NOW + WINDOW - 1, 100)
    assert len(revoked) == 3


def test_it_never_forgets_the_cutoff_of_everyone(revoked):
    revoked.apply([everyone()], NOW)
    revoked.forget(NOW + 100 * WINDOW, 100)
    assert revoked.ends_session_of(claims(make_sid(NOW - 1)))


def test_it_never_forgets_a_token_without_an_end(revoked):
    revoked.apply([token("one", None)], NOW)
    revoked.forget(NOW + 10_000 * WINDOW, 100)
    assert "one" in revoked.tokens


def test_what_was_prolonged_is_remembered_until_the_later_end(revoked):
    revoked.apply([token("one", NOW + MINUTE), token("one", NOW + 10 * MINUTE), token("one", NOW + MINUTE)], NOW)
    revoked.forget(NOW + 5 * MINUTE, 100)
    assert "one" in revoked.tokens
    revoked.forget(NOW + 11 * MINUTE, 100)
    assert "one" not in revoked.tokens


def test_a_cutoff_that_moved_is_remembered_from_its_last_moment(revoked):
    revoked.apply([cutoff(NOW), cutoff(NOW + 5 * MINUTE)], NOW)
    revoked.forget(NOW + WINDOW + 2 * MINUTE, 100)
    assert revoked.ends_session_of(claims(make_sid(NOW)))


def test_it_forgets_in_slices(revoked):
    revoked.apply([token(str(number)) for number in range(1000)], NOW)
    later = NOW + WINDOW + MINUTE
    lengths = []
    while revoked.forget(later, 300):
        lengths.append(len(revoked))
    assert lengths == [700, 400, 100]
    assert len(revoked) == 0


def test_forgetting_nothing_costs_nothing(revoked):
    revoked.apply([token(str(number)) for number in range(10)], NOW)
    assert not revoked.forget(NOW, 3)
    assert len(revoked) == 10


@pytest.mark.parametrize("moment", [0, 1, NOW, 2**48 - 1])
def test_a_moment_is_written_as_session_ids_begin(moment):
    assert prefix_of(moment) == make_sid(moment)[:13]
    assert timestamp_of(prefix_of(moment)) == moment


@pytest.mark.parametrize("kind", ["session", "token", "subject"])
def test_a_live_revocation_weighs_at_most_two_hundred_bytes(kind):
    count = 12_500
    revoked = Revoked(WINDOW)
    digests = [sha256(str(number).encode()).digest() for number in range(count)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            digest = digests[number]
            if kind == "subject":
                one = cutoff(NOW + number, f"user-{number:08d}")
            else:
                sid = session_id("alice", NOW + number, digest)
                one = (session if kind == "session" else token)(sid, NOW + WINDOW + number)
            revoked.apply([one], NOW)
        del one, digest
        weight = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    assert len(revoked) == count
    assert weight <= 200


@pytest.mark.parametrize("make", [session, token, lambda key, until: cutoff(NOW + until - WINDOW - NOW, key)])
def test_what_is_repeated_is_reminded_of_once(revoked, make):
    key = make_sid()
    for number in range(100):
        revoked.apply([make(key, NOW + WINDOW + number * MINUTE)], NOW)
    assert sum(len(keys) for ending in revoked._ending.values() for keys in ending) == 1
    revoked.forget(NOW + WINDOW + 99 * MINUTE, 1000)
    assert len(revoked) == 1
    revoked.forget(NOW + WINDOW + 101 * MINUTE, 1000)
    assert len(revoked) == 0


@pytest.mark.parametrize("until", [NOW + MINUTE, NOW + 90 * 24 * 60 * MINUTE])
def test_a_cutoff_is_held_for_as_long_as_the_store_keeps_it(revoked, until):
    revoked.apply([Revocation(kind="subject", key="alice", at=NOW, until=until)], NOW)
    revoked.forget(until, 100)
    assert len(revoked) == 1
    revoked.forget(until + MINUTE, 100)
    assert len(revoked) == 0


def test_it_tells_whether_a_token_that_was_good_may_be_revoked_now(revoked):
    mine = make_sid(NOW - 5)
    for one, changed in (
        (session(make_sid()), True),
        (session(make_sid()), False),
        (session(make_sid(), NOW + 2 * WINDOW), False),
        (token("one"), True),
        (token("one"), False),
        (cutoff(spared=mine), True),
        (cutoff(spared=mine), False),
        (cutoff(), True),
        (cutoff(NOW - 1, spared=mine), False),
        (everyone(), True),
        (everyone(), False),
        (session(make_sid(seed=b"y"), NOW - MINUTE), False),
    ):
        assert revoked.apply([one], NOW) is changed, one


@pytest.mark.parametrize(("kept", "window"), [(20, 20), (5, 16), (90, 60)])
def test_its_window_is_that_of_the_process_that_keeps_revocations_for_the_shortest_time(kept, window):
    revoked = Revoked(60 * MINUTE)
    revoked.apply([session(make_sid(), NOW + kept * MINUTE)], NOW)
    assert revoked.window == window * MINUTE
