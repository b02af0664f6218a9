"""`authx secret` and `authx schema`, and what the command says of itself."""

import sqlite3
import subprocess
import sys
from base64 import urlsafe_b64decode
from contextlib import closing

import pytest
from tests.support.waiting import PATIENCE

from authx import __version__
from authx.stores.postgresql import statements as postgresql_schema
from authx.stores.sqlite import statements as sqlite_schema


def test_a_secret_is_all_that_is_printed(authx):
    done = authx("secret")
    (secret,) = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert len(urlsafe_b64decode(secret)) == 48


def test_no_two_secrets_are_the_same(authx):
    assert authx("secret").out != authx("secret").out


def test_a_secret_may_be_longer(authx):
    assert len(urlsafe_b64decode(authx("secret", "--bytes", "66").out.strip())) == 66


@pytest.mark.parametrize("size", ["31", "0", "-1", "many", ""])
def test_a_secret_may_not_be_short(authx, size):
    done = authx("secret", "--bytes", size)
    assert (done.code, done.out) == (2, "")
    assert "--bytes" in done.err


@pytest.mark.parametrize(
    ("kind", "statements"),
    [("postgresql", postgresql_schema), ("postgres", postgresql_schema), ("SQLite", sqlite_schema)],
)
def test_the_schema_is_that_of_the_store(authx, kind, statements):
    done = authx("schema", kind, "--prefix", "mine_")
    assert (done.code, done.out, done.err) == (0, statements.schema("mine_"), "")


def test_the_schema_can_be_run(authx):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(authx("schema", "sqlite").out)
        assert connection.execute("SELECT value FROM authx_meta").fetchall() == [(sqlite_schema.SCHEMA_VERSION,)]
    connection.close()


def test_the_prefix_of_the_environment_counts(authx, monkeypatch):
    monkeypatch.setenv("JWT_STORE_PREFIX", "theirs_")
    assert "theirs_sessions" in authx("schema", "sqlite").out


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_schema_may_be_that_of_a_login_type(authx, kind):
    assert "authx__admin_sessions" in authx("schema", kind, "--login-type", "admin").out
    assert authx("schema", kind, "--login-type", "admin", "--prefix", "a b").code == 2


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_prefix_in_the_environment_is_an_unset_one(authx, monkeypatch, text):
    monkeypatch.setenv("JWT_STORE_PREFIX", text)
    assert "authx_sessions" in authx("schema", "sqlite").out


def test_the_schema_needs_no_driver():
    code = (
        "import sys; sys.modules['asyncpg'] = None; sys.argv = ['authx', 'schema', 'postgresql']\n"
        "from authx.cli import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["redis", "memory"])
def test_a_store_without_tables_has_no_schema(authx, kind):
    done = authx("schema", kind)
    assert (done.code, done.out) == (0, "")
    assert "no schema" in done.err


@pytest.mark.parametrize("arguments", [("mysql",), (), ("sqlite", "--prefix", "x; DROP TABLE"), ("sqlite", "more")])
def test_a_wrong_schema_command_is_refused(authx, arguments):
    done = authx("schema", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_help_says_in_one_line_what_each_command_does(authx):
    lines = authx("--help").out.splitlines()
    commands = lines[lines.index("Commands:") + 1 :]
    said = {line.split()[0] for line in commands}
    assert {"demo", "secret", "inspect", "check", "sessions", "schema", "prune"} <= said
    assert "..." not in "".join(commands)


@pytest.mark.parametrize(
    "command", [[], ["secret"], ["inspect"], ["check"], ["sessions"], ["sessions", "list"], ["schema"], ["prune"]]
)
def test_every_command_has_help_without_what_the_environment_holds(authx, command, monkeypatch):
    monkeypatch.setenv("JWT_STORE_URL", "postgresql://anna:hush@localhost/db")
    done = authx(*command, "--help")
    assert done.code == 0
    assert "hush" not in done.out + done.err


def test_the_version_is_the_packages(authx):
    assert authx("--version").out == f"authx {__version__}\n"


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "arguments",
    [(TOKEN,), ("inspect", TOKEN, TOKEN), ("check", TOKEN), ("sessions", "revoke", TOKEN), ("schema", TOKEN)],
)
def test_a_token_at_the_wrong_place_is_not_repeated(authx, arguments):
    done = authx(*arguments)
    assert done.code == 2
    assert "eyJ" not in done.out + done.err


@pytest.mark.parametrize("arguments", [(), ("sessions",), ("nonsense",), ("check", "--nonsense")])
def test_a_wrong_command_line_is_a_usage_error(authx, arguments):
    assert authx(*arguments).code == 2
