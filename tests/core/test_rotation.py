"""The decision about a presented refresh token: every row of the table, and the edges between them."""

from dataclasses import replace

import pytest

from authx.core.rotation import Cause, Decision, PresentedToken, Verdict, decide
from authx.core.session import Cutoff, Rotation, Session, kills

SID = "018c0000-0000-7000-8000-000000002bd8"
OTHER = "018c0000-0000-7000-8000-000000012bd8"
CREATED = 1_700_000_000_000
ROTATED = CREATED + 1_000_000
ENDS = ROTATED + 10_000_000
NOW = ROTATED + 100_000
GRACE = 30_000
MAX_AGE = 90 * 86_400_000

ROW = Session(
    sid=SID,
    sub="alice",
    generation=5,
    created_at=CREATED,
    rotated_at=ROTATED,
    expires_at=ENDS,
    ip=None,
    user_agent=None,
)
TOKEN = PresentedToken(sid=SID, sub="alice", generation=5, created_at=CREATED)

START = Decision(verdict=Verdict.START, generation=1)
REUSED = Decision(verdict=Verdict.REUSED)
REVOKED = Decision(verdict=Verdict.REVOKED)
EXPIRED = Decision(verdict=Verdict.EXPIRED)
UNKNOWN = Decision(verdict=Verdict.UNKNOWN)
MISMATCH = Decision(verdict=Verdict.UNKNOWN, mismatch=True)


def advance_to(generation: int) -> Decision:
    return Decision(verdict=Verdict.ADVANCE, generation=generation)


def replay_of(generation: int, cause: Cause = "grace") -> Decision:
    return Decision(verdict=Verdict.REPLAY, generation=generation, cause=cause)


def ahead_to(generation: int) -> Decision:
    return Decision(verdict=Verdict.AHEAD, generation=generation)


def token(generation: int, **fields: object) -> PresentedToken:
    return replace(TOKEN, generation=generation, **fields)


def row(**fields: object) -> Session:
    return replace(ROW, **fields)


def decision(
    presented: PresentedToken = TOKEN,
    stored: Session | None = ROW,
    cutoff: Cutoff | None = None,
    now: int = NOW,
    grace: int = GRACE,
    max_age: int | None = MAX_AGE,
    stood_still: int = 0,
) -> Decision:
    return decide(presented, stored, cutoff, now, grace, max_age=max_age, stood_still=stood_still)


REVOKED_ROW = row(revoked_at=ROTATED, revoked_reason="logout")
KILLING = Cutoff(at=CREATED + 1)


@pytest.mark.parametrize(
    ("case", "arguments", "expected"),
    [
        ("1 the cutoff is later than the session", {"cutoff": KILLING}, REVOKED),
        ("2 the session is too old", {"now": CREATED + MAX_AGE}, EXPIRED),
        ("2 the session is too old, and has no row", {"stored": None, "now": CREATED + MAX_AGE}, EXPIRED),
        ("3 no row, generation 0", {"presented": token(0), "stored": None}, START),
        ("4 no row, a later generation", {"stored": None}, UNKNOWN),
        ("5 the row is revoked", {"stored": REVOKED_ROW}, REVOKED),
        ("6 the row is another subject's", {"stored": row(sub="bob")}, MISMATCH),
        ("7 the row has expired", {"now": ENDS}, EXPIRED),
        ("8 the newest token", {}, advance_to(6)),
        ("9 its predecessor, soon", {"presented": token(4), "now": ROTATED + 1}, replay_of(5)),
        ("10 its predecessor, late", {"presented": token(4)}, REUSED),
        ("10 one long used", {"presented": token(1), "now": ROTATED + 1}, REUSED),
        ("11 one that the store does not know yet", {"presented": token(9)}, ahead_to(10)),
    ],
)
def test_each_row_of_the_table(case, arguments, expected):
    assert decision(**arguments) == expected, case


@pytest.mark.parametrize(
    ("case", "arguments", "expected"),
    [
        ("1 before 2", {"cutoff": KILLING, "now": CREATED + MAX_AGE}, REVOKED),
        ("1 before 3", {"cutoff": KILLING, "presented": token(0), "stored": None}, REVOKED),
        ("1 before 4", {"cutoff": KILLING, "stored": None}, REVOKED),
        ("1 before 6", {"cutoff": KILLING, "stored": row(sub="bob")}, REVOKED),
        ("1 before 10", {"cutoff": KILLING, "presented": token(1)}, REVOKED),
        ("2 before 3", {"presented": token(0), "stored": None, "now": CREATED + MAX_AGE}, EXPIRED),
        ("2 before 5", {"stored": REVOKED_ROW, "now": CREATED + MAX_AGE}, EXPIRED),
        ("2 before 6", {"stored": row(sub="bob"), "now": CREATED + MAX_AGE}, EXPIRED),
        ("5 before 6", {"stored": replace(REVOKED_ROW, sub="")}, REVOKED),
        ("5 before 7", {"stored": REVOKED_ROW, "now": ENDS}, REVOKED),
        ("5 before 8, of a row without generations", {"presented": token(0), "stored": row(revoked_at=1)}, REVOKED),
        ("5 before 9", {"stored": REVOKED_ROW, "presented": token(4), "now": ROTATED + 1}, REVOKED),
        ("5 before 10", {"stored": REVOKED_ROW, "presented": token(1)}, REVOKED),
        ("5 before 11", {"stored": REVOKED_ROW, "presented": token(9)}, REVOKED),
        ("6 before 7", {"stored": row(sub="bob"), "now": ENDS}, MISMATCH),
        ("6 before 10", {"stored": row(sub="bob"), "presented": token(1)}, MISMATCH),
        ("7 before 9", {"stored": row(expires_at=ROTATED + 1), "presented": token(4), "now": ROTATED + 1}, EXPIRED),
        ("7 before 10", {"presented": token(1), "now": ENDS}, EXPIRED),
        ("7 before 11", {"presented": token(9), "now": ENDS}, EXPIRED),
    ],
)
def test_the_rows_come_in_their_order(case, arguments, expected):
    assert decision(**arguments) == expected, case


@pytest.mark.parametrize(
    ("cutoff", "expected"),
    [
        (None, advance_to(6)),
        (Cutoff(at=CREATED - 1), advance_to(6)),
        (Cutoff(at=CREATED), advance_to(6)),
        (Cutoff(at=CREATED + 1), REVOKED),
        (Cutoff(at=CREATED + 1, spared=SID), advance_to(6)),
        (Cutoff(at=CREATED + 1, spared=OTHER), REVOKED),
        (Cutoff(at=CREATED + 1, spared=""), REVOKED),
    ],
)
def test_a_cutoff_ends_what_began_before_it_and_spares_one(cutoff, expected):
    assert decision(cutoff=cutoff) == expected


def test_a_session_that_a_cutoff_spares_is_revoked_all_the_same_if_its_row_is():
    assert decision(cutoff=Cutoff(at=NOW, spared=SID), stored=REVOKED_ROW) == REVOKED


def test_the_time_in_the_id_counts_for_the_cutoff_and_not_the_one_in_the_row():
    assert decision(cutoff=KILLING, stored=row(created_at=NOW)) == REVOKED
    assert decision(cutoff=KILLING, stored=row(created_at=0), presented=token(5, created_at=NOW)) == advance_to(6)


@pytest.mark.parametrize(
    ("max_age", "now", "expected"),
    [
        (MAX_AGE, CREATED + MAX_AGE - 1, advance_to(6)),
        (MAX_AGE, CREATED + MAX_AGE, EXPIRED),
        (MAX_AGE, CREATED + MAX_AGE + 1, EXPIRED),
        (None, CREATED + 1000 * MAX_AGE, advance_to(6)),
        (1, CREATED, advance_to(6)),
        (1, CREATED + 1, EXPIRED),
    ],
)
def test_a_session_lives_for_less_than_the_greatest_age(max_age, now, expected):
    assert decision(stored=row(expires_at=None), max_age=max_age, now=now) == expected


@pytest.mark.parametrize(
    ("expires_at", "now", "expected"),
    [
        (ENDS, ENDS - 1, advance_to(6)),
        (ENDS, ENDS, EXPIRED),
        (ENDS, ENDS + 1, EXPIRED),
        (None, ENDS + 1, advance_to(6)),
        (0, CREATED, EXPIRED),
    ],
)
def test_a_session_is_over_at_the_very_moment_its_row_names(expires_at, now, expected):
    assert decision(stored=row(expires_at=expires_at), now=now) == expected


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (0, replay_of(5)),
        (1, replay_of(5)),
        (GRACE - 1, replay_of(5)),
        (GRACE, replay_of(5)),
        (GRACE + 1, REUSED),
        (-1, replay_of(5)),
        (-GRACE, replay_of(5)),
        (-GRACE - 1, REUSED),
    ],
)
def test_the_predecessor_is_answered_within_the_grace_period_by_either_clock(elapsed, expected):
    assert decision(presented=token(4), now=ROTATED + elapsed) == expected


@pytest.mark.parametrize("elapsed", [0, 1, -1, GRACE])
def test_without_a_grace_period_each_token_is_good_once(elapsed):
    assert decision(presented=token(4), now=ROTATED + elapsed, grace=0) == REUSED
    assert decision(presented=token(5), now=ROTATED + elapsed, grace=0) == advance_to(6)


@pytest.mark.parametrize("generation", [0, 1, 2, 3])
def test_the_grace_period_reaches_the_immediate_predecessor_only(generation):
    assert decision(presented=token(generation), now=ROTATED) == REUSED


def test_the_first_token_of_a_session_may_be_replayed_too():
    first = row(generation=1)
    assert decision(presented=token(0), stored=first, now=ROTATED + GRACE) == replay_of(1)
    assert decision(presented=token(0), stored=first, now=ROTATED + GRACE + 1) == REUSED


def test_a_replay_does_not_slide_the_grace_period():
    # Replays leave the row as it is, so the same row answers each of them.
    assert [decision(presented=token(4), now=ROTATED + n * GRACE // 2).verdict for n in range(4)] == [
        Verdict.REPLAY,
        Verdict.REPLAY,
        Verdict.REPLAY,
        Verdict.REUSED,
    ]


HASH, OTHER_HASH = "a" * 32, "b" * 32
MINUTE = 60_000


@pytest.mark.parametrize(
    ("stood_still", "now", "expected"),
    [
        (0, ROTATED + GRACE, replay_of(5)),
        (0, ROTATED + GRACE + 1, REUSED),
        (MINUTE, ROTATED + GRACE, replay_of(5)),
        (MINUTE, ROTATED + GRACE + 1, replay_of(5, "outage")),
        (MINUTE, ROTATED + MINUTE + GRACE, replay_of(5, "outage")),
        (MINUTE, ROTATED + MINUTE + GRACE + 1, REUSED),
        # This clock is behind the one that wrote the row: nothing is subtracted.
        (MINUTE, ROTATED - GRACE, replay_of(5)),
        (MINUTE, ROTATED - GRACE - 1, REUSED),
        (MINUTE, ROTATED, replay_of(5)),
    ],
)
def test_an_outage_pauses_the_grace_period(stood_still, now, expected):
    assert decision(presented=token(4), now=now, stood_still=stood_still) == expected


def test_an_outage_makes_no_older_token_good_again():
    assert decision(presented=token(3), stood_still=NOW) == REUSED
    assert decision(presented=token(4), stood_still=NOW, grace=0) == REUSED


@pytest.mark.parametrize("grace", [0, GRACE])
@pytest.mark.parametrize("later", [0, GRACE, GRACE + 1, MINUTE, ENDS - ROTATED - 1, -GRACE - 1])
def test_the_same_attempt_is_replayed_at_any_time(grace, later):
    stored, presented = row(retry_hash=HASH), token(4, retry_hash=HASH)
    assert decision(presented, stored, now=ROTATED + later, grace=grace) == replay_of(5, "retry")


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        (None, None),
        (None, HASH),
        (HASH, None),
        (HASH, OTHER_HASH),
        (HASH, HASH[:-1]),
        ("", HASH),
        ("\udcff\u00e9", HASH),
    ],
)
def test_another_attempt_has_only_the_grace_period(stored, given):
    stored_row, presented = row(retry_hash=stored), token(4, retry_hash=given)
    assert decision(presented, stored_row, now=ROTATED + GRACE) == replay_of(5)
    assert decision(presented, stored_row, now=ROTATED + GRACE + 1) == REUSED
    assert decision(presented, stored_row, now=ROTATED, grace=0) == REUSED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stored": row(retry_hash=HASH, revoked_at=ROTATED)}, REVOKED),
        ({"stored": row(retry_hash=HASH, sub="bob")}, MISMATCH),
        ({"stored": row(retry_hash=HASH, expires_at=NOW)}, EXPIRED),
        ({"cutoff": KILLING}, REVOKED),
        ({"now": CREATED + MAX_AGE}, EXPIRED),
        ({"presented": token(3, retry_hash=HASH)}, REUSED),
        ({"presented": token(5, retry_hash=HASH)}, advance_to(6)),
        ({"presented": token(6, retry_hash=HASH)}, ahead_to(7)),
    ],
)
def test_a_retry_key_helps_in_no_other_case(changes, expected):
    arguments = {"presented": token(4, retry_hash=HASH), "stored": row(retry_hash=HASH), **changes}
    assert decision(**arguments) == expected


def test_a_retry_hash_shows_in_no_repr():
    assert HASH not in repr(token(4, retry_hash=HASH))
    assert HASH not in repr(row(retry_hash=HASH))
    rotation = Rotation(
        sid=SID, sub="alice", from_generation=1, to_generation=2, at=NOW, expires_at=None, retry_hash=HASH
    )
    assert HASH not in repr(rotation)


@pytest.mark.parametrize("generation", [6, 7, 2**31 - 1])
def test_a_token_ahead_of_the_row_is_ours_and_moves_it_there(generation):
    assert decision(presented=token(generation)) == ahead_to(generation + 1)


@pytest.mark.parametrize("generation", [1, 2, 2**31 - 1])
def test_without_a_row_only_generation_0_begins_a_session(generation):
    assert decision(presented=token(generation), stored=None) == UNKNOWN


def test_a_session_begins_whatever_the_grace_period_and_the_outage():
    assert decision(presented=token(0), stored=None, grace=0, stood_still=NOW) == START


@pytest.mark.parametrize(
    ("verdict", "passes"),
    [
        (Verdict.START, True),
        (Verdict.ADVANCE, True),
        (Verdict.REPLAY, True),
        (Verdict.AHEAD, True),
        (Verdict.REUSED, False),
        (Verdict.REVOKED, False),
        (Verdict.EXPIRED, False),
        (Verdict.UNKNOWN, False),
    ],
)
def test_four_verdicts_pass(verdict, passes):
    assert verdict.passes is passes


def test_the_table_of_verdicts_is_complete():
    assert {verdict.name for verdict in Verdict} == {
        "START",
        "ADVANCE",
        "REPLAY",
        "AHEAD",
        "REUSED",
        "REVOKED",
        "EXPIRED",
        "UNKNOWN",
    }


@pytest.mark.parametrize(
    ("cutoff", "created_at", "expected"),
    [
        (None, 0, False),
        (Cutoff(at=10), 9, True),
        (Cutoff(at=10), 10, False),
        (Cutoff(at=10), 11, False),
        (Cutoff(at=10, spared=SID), 9, False),
        (Cutoff(at=10, spared=OTHER), 9, True),
    ],
)
def test_kills(cutoff, created_at, expected):
    assert kills(cutoff, SID, created_at) is expected
