"""Which store a command works on, and how long the revocations it writes are kept."""

import asyncio
import json

import pytest

from authx import AuthX, AuthXConfig
from authx.cli.stores import longest_life
from authx.testing.contract.harness import DAY

from .conftest import SECRET
from .places import NOW, Place, listed, row

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
