"""`authx sessions`, on every kind of store that others can reach."""

import json
import sqlite3

import pytest

from authx.core.ids import session_id
from authx.testing.contract.harness import DAY, session_of

from .places import BROWSER, NOW, listed, row

# Listing


def test_a_users_live_sessions_are_listed_newest_first(authx, place):
    old, new = row(ago=DAY), row(ago=1000)
    place.add(old, new, row("ben"), row(ago=2 * DAY, expires_at=NOW - DAY))
    assert listed(authx, place) == [new.sid, old.sid]
    assert listed(authx, place, "nobody") == []


def test_a_session_is_listed_with_what_is_known_of_it(authx, sqlite):
    one = session_of("anna", 1_795_800_000_000, user_agent=BROWSER, expires_at=4_000_000_000_000)
    sqlite.add(one)
    (shown,) = json.loads(authx("sessions", "list", "--user", "anna", *sqlite.options).out)
    assert shown == {
        "session_id": one.sid,
        "uid": "anna",
        "created_at": "2026-11-27T17:20:00Z",
        "last_active": "2026-11-27T17:20:00Z",
        "expires_at": "2096-10-02T07:06:40Z",
        "ip_address": "192.0.2.1",
        "user_agent": BROWSER,
        "device_info": {"name": "laptop"},
    }


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_ids_stay_whole_on_terminals_of_any_width(authx, sqlite, monkeypatch, columns):
    one = row(ago=3 * DAY)
    sqlite.add(one)
    monkeypatch.setenv("COLUMNS", str(columns))
    out = authx("sessions", "list", "--user", "anna", "--table", *sqlite.options).out
    assert one.sid in out
    assert "3 days ago" in out
    assert "Firefox on Linux" in out
    assert max(map(len, out.splitlines())) <= columns


def test_what_a_browser_says_cannot_drive_the_terminal(authx, sqlite):
    sqlite.add(row(user_agent="\x1b[2J\x1b[31mgone", ip="\x9b1"))
    for form in ("--json", "--table"):
        out = authx("sessions", "list", "--user", "anna", form, *sqlite.options).out
        assert "\x1b" not in out
        assert "\x9b" not in out


@pytest.mark.parametrize("columns", [50, 80, 120])
@pytest.mark.parametrize("form", ["--json", "--table"])
def test_nothing_that_the_store_holds_can_drive_the_terminal(authx, sqlite, monkeypatch, columns, form):
    monkeypatch.setenv("COLUMNS", str(columns))
    evil = "\x1b[2J\x9b31m\r\u202e\u2066\u200b\x07"
    sqlite.add(row(user_agent=evil, ip=evil, device=json.dumps({"name": evil})))
    with sqlite3.connect("auth.db") as database:
        database.execute("UPDATE authx_sessions SET sid = sid || ?", (evil,))
    database.close()
    done = authx("sessions", "list", "--user", "anna", form, *sqlite.options)
    assert "anna has no live session" not in done.out
    assert [character for character in done.out + done.err if not character.isprintable() and character != "\n"] == []


def test_nobody_without_sessions_is_told_so(authx, sqlite):
    assert authx("sessions", "list", "--user", "ben", "--table", *sqlite.options).out.startswith("ben has no live")


def test_a_list_that_may_be_cut_says_so(authx, sqlite):
    sqlite.add(*(row(ago=number) for number in range(100)))
    done = authx("sessions", "list", "--user", "anna", *sqlite.options)
    assert len(json.loads(done.out)) == 100
    assert "newest 100" in done.err


# Ending


def test_one_session_is_ended_and_no_other(authx, place):
    one, other = row(), row(ago=1000)
    place.add(one, other)
    done = authx("sessions", "revoke", one.sid, *place.options)
    assert (done.code, json.loads(done.out)) == (0, {"revoked": one.sid, "user": "anna"})
    assert listed(authx, place) == [other.sid]
    assert place.get(one.sid).revoked_at is not None


def test_a_session_is_only_ended_if_it_is_the_named_users(authx, place):
    one = row()
    place.add(one)
    done = authx("sessions", "revoke", one.sid, "--user", "ben", *place.options)
    assert (done.code, done.out) == (1, "")
    assert listed(authx, place) == [one.sid]
    assert authx("sessions", "revoke", one.sid, "--user", "anna", *place.options).code == 0
    assert authx("sessions", "revoke", one.sid, "--user", "anna", *place.options).code == 0
    assert listed(authx, place) == []


def test_a_session_without_a_row_is_ended_all_the_same(authx, place):
    sid = session_id("anna", NOW, bytes(8))
    done = authx("sessions", "revoke", sid, "--user", "anna", *place.options)
    assert done.code == 0
    assert "no row" in done.err
    ended = place.get(sid)
    # For nobody knows here how long its tokens live.
    assert ended.revoked_at is not None
    assert ended.expires_at is None
    assert authx("sessions", "revoke", sid, "--user", "anna", *place.options).code == 0


@pytest.mark.parametrize(
    "session",
    [
        "",
        "x",
        "01a21e0d-f1df-7502-9ee8-06210e43555",
        "01A21E0D-F1DF-7502-9EE8-06210E435557",
        "01a21e0d-f1df-4502-9ee8-06210e435557",
        "01a21e0d-f1df-7502-9ee8-06210e435557 ",
        "'; DROP TABLE authx_sessions; --",
    ],
)
def test_what_is_no_session_id_is_refused(authx, sqlite, session):
    done = authx("sessions", "revoke", "--user", "anna", *sqlite.options, "--", session)
    assert (done.code, done.out) == (2, "")
    assert "36 characters" in done.err


def test_all_sessions_of_a_user_are_ended(authx, place):
    place.add(row(), row(ago=1000), row("ben"))
    done = authx("sessions", "revoke-all", "--user", "anna", "--yes", *place.options)
    assert (done.code, json.loads(done.out)) == (0, {"user": "anna", "ended": 2, "spared": None})
    assert listed(authx, place) == []
    assert len(listed(authx, place, "ben")) == 1


def test_one_session_may_be_spared(authx, place):
    one, other = row(), row(ago=1000)
    place.add(one, other)
    done = authx("sessions", "revoke-all", "--user", "anna", "--yes", "--except", other.sid, *place.options)
    assert json.loads(done.out) == {"user": "anna", "ended": 1, "spared": other.sid}
    assert listed(authx, place) == [other.sid]


def test_sparing_revives_nothing(authx, sqlite):
    one, other = row(), row(ago=1000)
    sqlite.add(one, other)
    authx("sessions", "revoke", other.sid, *sqlite.options)
    done = authx("sessions", "revoke-all", "--user", "anna", "--yes", "--except", other.sid, *sqlite.options)
    assert "had been ended before" in done.err
    assert listed(authx, sqlite) == []


@pytest.mark.parametrize("spared", ["x", session_id("ben", NOW, bytes(8))], ids=["no id", "of somebody else"])
def test_only_a_session_of_the_user_can_be_spared(authx, sqlite, spared):
    sqlite.add(row())
    done = authx("sessions", "revoke-all", "--user", "anna", "--yes", "--except", spared, *sqlite.options)
    assert done.code == 2
    assert len(listed(authx, sqlite)) == 1


def test_all_sessions_are_never_ended_without_being_told_to(authx, sqlite):
    sqlite.add(row())
    done = authx("sessions", "revoke-all", "--user", "anna", *sqlite.options, given=b"y\n")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert len(listed(authx, sqlite)) == 1
