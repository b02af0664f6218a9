"""`authx sessions` and `authx prune`, on every kind of store that others can reach."""

import asyncio
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.stores.postgres_server import drop_tables
from tests.stores.servers import a_node

from authx import AuthX, AuthXConfig
from authx.cli.prune import prune_in_slices
from authx.cli.stores import longest_life
from authx.core.ids import session_id
from authx.core.session import Revocation, Session
from authx.stores import namespace_of, open_store
from authx.testing.contract.harness import DAY, session_of

from .conftest import SECRET

NOW = int(time.time() * 1000)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Place:
    """A store that an application has made.

    Attributes:
        url: Its URL.
        prefix: What its names begin with.
    """

    url: str
    prefix: str

    @property
    def options(self) -> list[str]:
        return ["--store", self.url, "--prefix", self.prefix]

    def do(self, work) -> Any:
        return self.do_for(None, work)

    def do_for(self, login_type: str | None, work) -> Any:
        async def on_it():
            store = namespace_of(open_store(self.url, self.prefix), login_type)
            try:
                await store.open()
                await store.create_schema()
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(on_it())

    def add(self, *rows: Session) -> None:
        async def write(store):
            for row in rows:
                assert await store.create(row)

        self.do(write)

    def get(self, sid: str) -> Session | None:
        return self.do(lambda store: store.get(sid))[0]

    def revocations(self) -> list[Revocation]:
        return self.do(lambda store: store.revocations(""))[0]


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    given = os.environ.get("AUTHX_TEST_REDIS_URL")
    if given:
        yield given
        return
    with a_node("--maxmemory-policy", "noeviction") as node:
        yield node.url


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def place(request, folder) -> Iterator[Place]:
    prefix = f"t{secrets.token_hex(6)}_"
    if request.param == "sqlite":
        place = Place(f"sqlite:///{folder}/auth.db", prefix)
    elif request.param == "redis":
        place = Place(request.getfixturevalue("valkey_url"), prefix)
    else:
        place = Place(request.getfixturevalue("postgres_url"), prefix)
    place.add()
    yield place
    if request.param == "postgresql":
        asyncio.run(drop_tables(place.url, prefix))


@pytest.fixture
def sqlite(folder) -> Place:
    place = Place(f"sqlite:///{folder}/auth.db", "authx_")
    place.add()
    return place


def row(sub: str = "anna", ago: int = 0, **fields) -> Session:
    return session_of(sub, NOW - ago, **({"user_agent": BROWSER} | fields))


def listed(authx, place: Place, user: str = "anna") -> list[str]:
    return [one["session_id"] for one in json.loads(authx("sessions", "list", "--user", user, *place.options).out)]


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


# How long a revocation is kept


@pytest.mark.parametrize(
    ("environment", "days"),
    [
        ({}, 90),
        ({"JWT_ACCESS_TOKEN_EXPIRES": "900", "JWT_SESSION_MAX_AGE": "3600"}, 90),
        ({"JWT_ACCESS_TOKEN_EXPIRES": str(200 * 86_400)}, 200),
        ({"JWT_SESSION_MAX_AGE": str(300 * 86_400)}, 300),
        ({"JWT_SESSION_MAX_AGE": "none", "JWT_ACCESS_TOKEN_EXPIRES": "none"}, 90),
    ],
)
def test_a_revocation_is_kept_for_longer_than_any_applications_tokens_live(monkeypatch, environment, days):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert longest_life().days == days


@pytest.mark.parametrize("command", ["revoke", "revoke-all"])
def test_a_revocation_outlives_the_applications_window(authx, place, command):
    one = row()
    place.add(one)
    if command == "revoke":
        authx("sessions", "revoke", one.sid, *place.options)
    else:
        authx("sessions", "revoke-all", "--user", "anna", "--yes", *place.options)
    (revocation,) = place.revocations()
    assert revocation.until > NOW + 90 * DAY


APP = f"""
from datetime import timedelta
from pathlib import Path
from authx import AuthX, AuthXConfig
auth = AuthX(
    AuthXConfig(JWT_SECRET_KEY={SECRET!r}, JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=20)), store="sqlite:///auth.db"
)
heard = auth.on("session_revoked", lambda event: Path("heard").write_text(event.session_id))
"""


def test_an_applications_own_settings_and_listeners_count_where_it_is_named(authx, sqlite, folder):
    (folder / "ours.py").write_text(APP)
    one = row()
    sqlite.add(one)
    done = authx("sessions", "revoke", one.sid, "--auth", "ours:auth")
    assert done.code == 0
    (revocation,) = sqlite.revocations()
    assert revocation.until - revocation.at == 21 * 60_000
    assert (folder / "heard").read_text() == one.sid


def test_an_instance_without_a_store_is_no_way_to_sessions(authx, folder):
    (folder / "ours.py").write_text("from authx import AuthX\nauth = AuthX()")
    done = authx("sessions", "list", "--user", "anna", "--auth", "ours:auth")
    assert done.code == 2
    assert "has no session store" in done.err


def test_a_token_of_an_ended_session_is_refused_by_an_application_that_starts_later(authx, sqlite):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store=sqlite.url)
    pair = auth.create_token_pair("anna")
    sid = auth._runtime.verifier.read(pair.access_token.encode())["sid"]
    authx("sessions", "revoke", sid, *sqlite.options)

    async def is_refused() -> bool:
        await auth.open()
        try:
            return sid in auth._runtime.sessions.feed._revoked.sessions
        finally:
            await auth.close()

    assert asyncio.run(is_refused())


# Stores that cannot be reached

COMMANDS = [("sessions", "list", "--user", "anna"), ("sessions", "revoke-all", "--user", "anna", "--yes"), ("prune",)]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [
        (None, 2, "which session store?"),
        ("", 2, "which session store?"),
        (" ", 2, "which session store?"),
        ("memory://", 2, "inside of the application's process"),
        ("sqlite:///nowhere.db", 2, "there is no file nowhere.db"),
        ("mysql://anna:hush@localhost/db", 2, "no scheme that is known here"),
        ("postgresql://anna:hush@127.0.0.1:1/db", 1, "does not answer"),
        ("redis://:hush@127.0.0.1:1", 1, "does not answer"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_why(authx, folder, command, url, code, reason):
    done = authx(*command, *([] if url is None else ["--store", url]))
    assert (done.code, done.out) == (code, "")
    assert reason in done.err
    assert "hush" not in done.err
    assert not list(folder.iterdir())


def test_a_prefix_without_tables_is_told(authx, sqlite):
    done = authx("sessions", "list", "--user", "anna", "--store", sqlite.url, "--prefix", "other_")
    assert done.code == 2
    assert "--prefix" in done.err


def test_store_and_prefix_may_be_those_of_the_environment(authx, monkeypatch, folder):
    place = Place(f"sqlite:///{folder}/auth.db", "mine_")
    one = row()
    place.add(one)
    monkeypatch.setenv("JWT_STORE_URL", place.url)
    monkeypatch.setenv("JWT_STORE_PREFIX", "mine_")
    assert json.loads(authx("sessions", "list", "--user", "anna").out)[0]["session_id"] == one.sid


def test_with_a_login_type_its_own_sessions_are_listed_and_ended(authx, place):
    one, other = row(), row()
    place.add(one)
    place.do_for("admin", lambda store: store.create(other))
    admins = [*place.options, "--login-type", "admin"]
    shown = json.loads(authx("sessions", "list", "--user", "anna", *admins).out)
    assert [each["session_id"] for each in shown] == [other.sid]
    assert authx("sessions", "revoke-all", "--user", "anna", "--yes", *admins).code == 0
    assert authx("sessions", "revoke", other.sid, *admins).code == 0
    assert authx("prune", *admins).code == 0
    assert json.loads(authx("sessions", "list", "--user", "anna", *admins).out) == []
    assert listed(authx, place) == [one.sid]


def test_with_auth_the_login_type_is_that_of_the_instance(authx, folder):
    (folder / "apps.py").write_text(
        "from authx import AuthX, AuthXConfig\n"
        f"auth = AuthX(AuthXConfig(JWT_SECRET_KEY={SECRET!r}), login_type='admin', store='sqlite:///auth.db')\n"
    )
    place = Place(f"sqlite:///{folder}/auth.db", "authx_")
    one = row()
    place.add(row())
    place.do_for("admin", lambda store: store.create(one))
    for more in ((), ("--login-type", "admin")):
        shown = json.loads(authx("sessions", "list", "--user", "anna", "--auth", "apps:auth", *more).out)
        assert [each["session_id"] for each in shown] == [one.sid]
    refused = authx("sessions", "list", "--user", "anna", "--auth", "apps:auth", "--login-type", "user")
    assert refused.code == 2
    assert "login_type 'admin'" in refused.err


@pytest.mark.parametrize("user", ["", "x" * 256, "nul\0"])
def test_a_user_that_cannot_be_is_refused(authx, sqlite, user):
    assert authx("sessions", "list", "--user", user, *sqlite.options).code == 2


# Deleting what nobody needs


def test_what_no_token_can_need_is_deleted(authx, place):
    live = row()
    long_over = [row("ben", 40 * DAY + number, expires_at=NOW - 2 * DAY) for number in range(3)]
    place.add(live, *long_over)
    ended = [Revocation(kind="token", key=f"jti-{number}", at=NOW, until=NOW - DAY) for number in range(3)]

    async def revoke(store):
        for one in ended:
            await store.revoke(one)

    place.do(revoke)
    done = authx("prune", "--limit", "2", *place.options)
    assert done.code == 0
    # Rows in Redis go by their time to live; in SQLite the newest number stays.
    assert json.loads(done.out)["deleted"] >= 3
    assert json.loads(authx("prune", *place.options).out) == {"deleted": 0}
    assert listed(authx, place) == [live.sid]


def test_deleting_goes_by_slices_until_there_is_nothing_left():
    class Counting:
        left = 7

        async def prune(self, now, limit):
            gone = min(limit, self.left)
            self.left -= gone
            return gone

    told: list[int] = []
    assert asyncio.run(prune_in_slices(Counting(), 3, told.append)) == 7
    assert told == [3, 6, 7]


@pytest.mark.parametrize("limit", ["0", "-1", "100001", "all"])
def test_a_slice_has_a_size(authx, sqlite, limit):
    assert authx("prune", "--limit", limit, *sqlite.options).code == 2
