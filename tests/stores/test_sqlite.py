"""The SQLite store: the contract, and what is its own: files, locks, the log, rows that somebody else wrote."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.processes import running
from tests.support.waiting import PATIENCE, until

from authx import AuthX, AuthXConfig
from authx.core.session import Session
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import InvalidRowError, open_store
from authx.stores.rows import COLUMNS
from authx.stores.sqlite import SQLiteStore, schema
from authx.stores.sqlite import connections as sqlite_connections
from authx.stores.sqlite import log as sqlite_log
from authx.testing import StoreContract
from authx.testing.contract.harness import (
    DAY,
    NOW,
    MakeStore,
    advance,
    cut_off,
    end_session,
    end_token,
    session_of,
)

from . import version_1

pytestmark = pytest.mark.anyio


class TestContract(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        return lambda: SQLiteStore(tmp_path / "auth.db", prefix="mine_")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "auth.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path)
    await store.open()
    await store.create_schema()
    yield store
    await store.close()


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    with raw(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


# Where it is


async def test_a_url_names_a_file_by_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///sub%20folder.db")
    await store.open()
    await store.close()
    assert (tmp_path / "sub folder.db").exists()


async def test_a_url_names_a_file_by_an_absolute_path(path):
    store = open_store(f"sqlite:///{path}")
    assert repr(store) == f"SQLiteStore({str(path)!r})"
    await store.open()
    await store.close()
    assert path.exists()


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("sqlite://auth.db", "three slashes"),
        ("sqlite://user:secret@host/auth.db", "three slashes"),
        ("sqlite:///auth.db?mode=ro", "three slashes"),
        ("sqlite:///auth.db#x", "three slashes"),
        ("sqlite:///", "memory://"),
        ("sqlite://", "memory://"),
        ("sqlite:///:memory:", "memory://"),
    ],
)
def test_a_url_that_names_no_file_is_refused_with_advice(url, advice):
    with pytest.raises(BadConfigurationError, match=advice) as raised:
        open_store(url)
    assert "secret" not in str(raised.value)


async def test_nothing_is_opened_at_construction(path):
    threads = threading.active_count()
    SQLiteStore(path)
    assert not path.exists()
    assert threading.active_count() == threads


async def test_a_file_it_creates_is_for_its_owner_alone(store, path):
    await store.create(session_of())
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {"auth.db", "auth.db-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_file_that_exists_keeps_its_rights(path):
    path.touch(0o640)
    path.chmod(0o640)
    store = SQLiteStore(path)
    await store.open()
    await store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_missing_folder_is_a_mistake_of_configuration(tmp_path):
    with pytest.raises(BadConfigurationError, match="its directory must exist"):
        await SQLiteStore(tmp_path / "missing" / "auth.db").open()


async def test_a_folder_in_place_of_the_file_is_a_mistake_of_configuration(tmp_path):
    with pytest.raises(BadConfigurationError, match="cannot be opened"):
        await SQLiteStore(tmp_path).open()


async def test_another_kind_of_file_is_a_mistake_of_configuration_and_left_alone(path):
    path.write_text("not a database, but something dear to somebody" * 100)
    before = path.read_bytes()
    with pytest.raises(BadConfigurationError, match="is not an SQLite database"):
        await SQLiteStore(path).open()
    assert path.read_bytes() == before


# The schema


async def test_the_published_schema_is_the_one_it_needs(path):
    with raw(path) as connection:
        connection.executescript(schema())
        connection.executescript(schema())
    store = SQLiteStore(path)
    await store.open()
    row = session_of()
    assert await store.create(row)
    assert await advance(store, row)
    await store.close()


async def test_a_schema_of_a_newer_version_is_refused(store, path):
    await store.close()
    with raw(path) as connection:
        connection.execute("UPDATE authx_meta SET value = 3 WHERE name = 'schema_version'")
    with pytest.raises(BadConfigurationError, match="upgrade authx-fastapi"):
        await SQLiteStore(path).open()


@pytest.mark.parametrize("version", [0, -1, 3, "2", None])
async def test_a_version_that_never_was_is_refused(store, path, version):
    await store.close()
    with raw(path) as connection:
        connection.execute("DELETE FROM authx_meta")
        if version is not None:
            # A text that looks like a number would become one.
            value = version if isinstance(version, int) else f"version {version}"
            connection.execute("INSERT INTO authx_meta VALUES ('schema_version', ?)", (value,))
    with pytest.raises(BadConfigurationError, match="upgrade authx-fastapi"):
        await SQLiteStore(path).open()


def old_row(row: Session) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in COLUMNS if name != "retry_hash")


@pytest.fixture
def of_version_1(path: Path) -> Session:
    """A database as version 1 of the schema left it, with one session."""
    row = session_of()
    with raw(path) as connection:
        connection.executescript(version_1.SQLITE.format(p="authx_"))
        connection.execute(version_1.SQLITE_CREATE.format(p="authx_"), old_row(row))
    return row


async def upgraded(path: Path) -> SQLiteStore:
    store = SQLiteStore(path)
    await store.open()
    await store.create_schema()
    return store


async def test_creating_the_schema_upgrades_version_1(path, of_version_1):
    row = of_version_1
    store = await upgraded(path)
    assert await store.get(row.sid) == (row, None)
    moved = await advance(store, row, retry_hash="ab" * 16)
    assert moved == (await store.get(row.sid))[0]
    assert moved.retry_hash == "ab" * 16
    assert await store.create(session_of(retry_hash="cd" * 16))
    await store.close()
    await (await upgraded(path)).close()


def upgrade_in_processes(path: Path, sid: str, count: int) -> list[tuple[int, bytes]]:
    program = (
        "import asyncio, sys\n"
        "from authx.stores.sqlite import SQLiteStore\n"
        "async def main():\n"
        "    store = SQLiteStore(sys.argv[1])\n"
        "    await store.open(); await store.create_schema(); await store.get(sys.argv[2]); await store.close()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path), sid]
    with ExitStack() as stack:
        processes = [stack.enter_context(running(command, stderr=subprocess.PIPE)) for _ in range(count)]
        said = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    return [(process.returncode, words) for process, words in zip(processes, said, strict=True)]


async def test_many_processes_upgrade_version_1_at_once(path, of_version_1):
    assert upgrade_in_processes(path, of_version_1.sid, 4) == [(0, b"")] * 4
    store = await upgraded(path)
    assert await store.get(of_version_1.sid) == (of_version_1, None)
    await store.close()


async def test_what_authx_schema_says_of_version_1_upgrades_it(path, of_version_1):
    comments = [line.removeprefix("--") for line in schema().splitlines() if line.startswith("--     ")]
    with raw(path) as connection:
        connection.executescript("\n".join(comments) + schema())
    store = SQLiteStore(path)
    await store.open()
    assert await advance(store, of_version_1, retry_hash="ab" * 16)
    await store.close()


async def test_a_schema_of_version_1_that_may_not_be_upgraded_is_a_mistake_of_configuration(path, of_version_1):
    store = SQLiteStore(path)
    await store.open()
    for call in (store.get("x"), store.create(session_of()), store.list("alice", NOW), advance(store, of_version_1)):
        with pytest.raises(BadConfigurationError, match="authx schema sqlite"):
            await call
    await store.close()


async def test_an_application_that_may_not_upgrade_version_1_does_not_start(path, of_version_1):
    config = AuthXConfig(JWT_SECRET_KEY="x7Gq" * 12, JWT_STORE_CREATE_SCHEMA=False)
    auth = AuthX(config, store=SQLiteStore(path))
    with pytest.raises(BadConfigurationError, match="authx schema sqlite"):
        await auth.open()
    await auth.close()
    allowed = AuthX(AuthXConfig(JWT_SECRET_KEY="x7Gq" * 12), store=SQLiteStore(path))
    await allowed.open()
    await allowed.close()
    await auth.open()
    await auth.close()


async def test_a_process_of_version_1_leaves_the_retry_hash_alone(path, of_version_1):
    old = of_version_1
    with raw(path) as connection:
        # It has the file open, and its statements prepared, before another process upgrades.
        connection.execute("SELECT count(*) FROM authx_sessions").fetchall()
        store = await upgraded(path)
        moved = await advance(store, old, retry_hash="ab" * 16)
        values = (old.sid, old.sub, 2, 3, NOW + 2000, old.expires_at, "192.0.2.9", None)
        assert connection.execute(version_1.SQLITE_ADVANCE.format(p="authx_"), values).fetchall()
        assert (await store.get(old.sid))[0] == replace(
            moved, generation=3, rotated_at=NOW + 2000, ip="192.0.2.9", user_agent=None
        )
        values = (old.sid, old.sub, NOW, old.expires_at, NOW + 3000, "logout")
        connection.execute(version_1.SQLITE_REVOKE.format(p="authx_"), values)
        found, _ = await store.get(old.sid)
        assert (found.revoked_at, found.retry_hash) == (NOW + 3000, "ab" * 16)
        another = session_of()
        connection.execute(version_1.SQLITE_CREATE.format(p="authx_"), old_row(another))
        assert await store.get(another.sid) == (another, None)
    await store.close()


async def test_missing_tables_are_a_mistake_of_configuration(path):
    store = SQLiteStore(path)
    await store.open()
    for call in (store.get("x"), store.create(session_of()), store.count_live(NOW), store.revoke(end_token())):
        with pytest.raises(BadConfigurationError, match="authx schema sqlite"):
            await call
    await store.close()


async def test_stores_with_different_prefixes_know_nothing_of_each_other(store, path):
    other = SQLiteStore(path, prefix="other_")
    await other.open()
    await other.create_schema()
    row = session_of()
    await store.create(row)
    await store.revoke(end_token())
    assert await other.get(row.sid) == (None, None)
    assert (await other.revocations(""))[0] == []
    await other.close()


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        ("list", ("alice", NOW, 100), "authx_sessions_of_subject"),
        ("cut_off", ("alice", NOW, None), "authx_sessions_of_subject"),
        ("due", (NOW, 100), "authx_sessions_to_prune"),
        ("prune_revocations", (NOW, 100), "authx_revocations_until"),
    ],
)
async def test_statements_that_look_for_many_rows_use_an_index(store, path, statement, values, index):
    with raw(path) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {getattr(store._sql, statement)}", values).fetchall()
    steps = [step[3] for step in plan]
    assert any(f"INDEX {index}" in step for step in steps), steps
    assert not any(step.startswith("SCAN authx_sessions") for step in steps), steps


# Speed and durability


async def test_a_refresh_is_one_statement(store):
    row = session_of()
    await store.create(row)
    statements: list[str] = []
    main = store._connections.here()._main
    main.set_trace_callback(statements.append)
    await advance(store, row)
    main.set_trace_callback(None)
    assert len(statements) == 1


async def test_rotations_do_not_wait_for_the_disk_and_everything_else_does(store):
    connections = store._connections.here()
    assert connections._main.execute("PRAGMA synchronous").fetchone() == (1,)
    assert connections._durable.execute("PRAGMA synchronous").fetchone() == (2,)
    written: list[str] = []
    connections._durable.set_trace_callback(written.append)
    row = session_of()
    await store.create(row)
    await advance(store, row)
    await store.revoke(end_session(row))
    connections._durable.set_trace_callback(None)
    kinds = [statement.split()[0] for statement in written]
    assert kinds == ["BEGIN", "INSERT", "COMMIT", "BEGIN", "INSERT", "INSERT", "COMMIT"]


async def test_no_statement_on_the_loop_moves_the_log_into_the_file(store):
    assert store._connections.here()._main.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


async def test_the_log_is_moved_into_the_file_soon_after_something_was_written(store, path, monkeypatch):
    monkeypatch.setattr(sqlite_connections, "_CHECKPOINT_AFTER", 0.01)
    await store.create(session_of())
    await until(lambda: holds_a_session(path), "the move into the file")


def holds_a_session(path: Path) -> bool:
    """Tell whether the file alone, without the log beside it, has the row."""
    return b"alice" in path.read_bytes()


async def test_a_log_that_grew_long_begins_anew(store, path, monkeypatch):
    monkeypatch.setattr(sqlite_connections, "_CHECKPOINT_AFTER", 0.01)
    monkeypatch.setattr(sqlite_log, "_LARGEST", 100_000)
    row = session_of()
    await store.create(row)
    for generation in range(1, 200):
        await advance(store, row, from_generation=generation, to_generation=generation + 1)
    log = path.with_name(f"{path.name}-wal")
    await until(lambda: log.stat().st_size <= 100_000, "the new beginning of the log")


async def test_nothing_is_scheduled_while_nothing_is_written(store):
    connections = store._connections.here()
    connections._checkpoint_due.cancel()
    connections._checkpoint_due = None
    await store.get("x", "alice")
    await store.list("alice", NOW)
    await store.revocations("")
    assert connections._checkpoint_due is None


async def test_ten_thousand_rotations_leave_one_row(store, path):
    row = session_of()
    await store.create(row)
    for generation in range(1, 10_001):
        assert await advance(store, row, from_generation=generation, to_generation=generation + 1)
    with raw(path) as connection:
        assert connection.execute("SELECT count(*), max(generation) FROM authx_sessions").fetchone() == (1, 10_001)


# A file that another process has locked


@pytest.mark.parametrize("operation", ["advance", "create", "revoke", "prune", "create_schema"])
async def test_a_locked_file_is_waited_for_while_the_loop_goes_on(store, path, operation):
    row = session_of()
    await store.create(row)
    calls = {
        "advance": lambda: advance(store, row),
        "create": lambda: store.create(session_of()),
        "revoke": lambda: store.revoke(end_session(row)),
        "prune": lambda: store.prune(NOW, 10),
        "create_schema": SQLiteStore(path, prefix="other_").create_schema,
    }
    with locked(path) as holder:
        waiting = asyncio.create_task(calls[operation]())
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        holder.execute("COMMIT")
    await waiting


async def test_reading_does_not_wait_for_a_locked_file(store, path):
    row = session_of()
    await store.create(row)
    with locked(path) as holder:
        holder.execute("UPDATE authx_sessions SET generation = 7")
        assert await store.get(row.sid) == (row, None)
        assert await store.list("alice", NOW) == [row]
        assert (await store.revocations(""))[0] == []
        assert (await store.count_live(NOW))[0] == 0


@pytest.mark.parametrize("operation", ["advance", "create", "revoke"])
async def test_a_file_that_stays_locked_is_a_store_that_does_not_answer(store, path, operation, monkeypatch):
    monkeypatch.setattr(sqlite_connections, "_PATIENCE", 0.05)
    row = session_of()
    await store.create(row)
    calls = {
        "advance": lambda: advance(store, row),
        "create": lambda: store.create(session_of()),
        "revoke": lambda: store.revoke(end_session(row)),
    }
    with locked(path), pytest.raises(StoreUnavailableError, match="stayed locked"):
        await calls[operation]()
    await calls[operation]()


async def test_a_hundred_who_wait_try_one_at_a_time_and_all_get_through(store, path, monkeypatch):
    rows = [session_of() for _ in range(100)]
    for row in rows:
        await store.create(row)
    attempts = 0
    fetch = sqlite_connections._fetch

    def counted(connection, sql, values):
        nonlocal attempts
        attempts += 1
        return fetch(connection, sql, values)

    monkeypatch.setattr(sqlite_connections, "_fetch", counted)
    with locked(path) as holder:
        began = time.monotonic()
        waiting = [asyncio.create_task(advance(store, row)) for row in rows]
        await asyncio.sleep(0.2)
        tried, took = attempts, time.monotonic() - began
        holder.execute("COMMIT")
    moved = await asyncio.gather(*waiting)
    assert all(row is not None for row in moved)
    # Each tries once when it comes, and then only the first in the queue.
    assert tried < 100 + took / 0.0003


async def test_one_who_gives_up_waiting_holds_up_nobody(store, path):
    row = session_of()
    await store.create(row)
    with locked(path) as holder:
        given_up = asyncio.create_task(advance(store, row))
        waiting = asyncio.create_task(advance(store, row))
        await asyncio.sleep(0.02)
        given_up.cancel()
        await asyncio.sleep(0.02)
        holder.execute("COMMIT")
    assert await waiting is not None


async def test_a_disk_that_is_full_is_a_store_that_does_not_answer(store):
    row = session_of()
    await store.create(row)
    connections = store._connections.here()
    pages = connections._main.execute("PRAGMA page_count").fetchone()[0]
    connections._durable.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        await store.create(session_of(device="x" * 1_000_000))
    assert await store.get(row.sid) == (row, None)


async def test_a_file_that_became_read_only_is_a_store_that_does_not_answer(store):
    row = session_of()
    await store.create(row)
    store._connections.here()._main.execute("PRAGMA query_only = 1").fetchall()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        await advance(store, row)


# Rows that somebody else wrote


@pytest.mark.parametrize(
    ("column", "garbage"),
    [
        ("generation", "abc"),
        ("generation", -1),
        ("generation", 1.5),
        ("created_at", "yesterday"),
        ("expires_at", "never"),
        ("revoked_at", "soon"),
        ("revoked_reason", b"\xff"),
        ("device", b"{}"),
        ("sub", b"alice"),
    ],
)
async def test_a_row_with_garbage_in_it_is_refused_and_breaks_nothing_else(store, path, column, garbage):
    bad, good = await one_of_two_spoilt(store, path, column, garbage)
    with pytest.raises(InvalidRowError) as raised:
        await store.get(bad.sid, "alice")
    assert raised.value.sid == bad.sid
    assert await refreshes(store, bad) is False
    assert await store.list("alice", NOW) == [good]
    assert await store.get(good.sid) == (good, None)
    assert await refreshes(store, good) is True


@pytest.mark.parametrize(("column", "garbage"), [("rotated_at", "x"), ("ip", b"\x01"), ("user_agent", b"\xff")])
async def test_garbage_in_what_a_refresh_writes_anew_is_gone_after_it(store, path, column, garbage):
    bad, good = await one_of_two_spoilt(store, path, column, garbage)
    with pytest.raises(InvalidRowError):
        await store.get(bad.sid)
    assert await store.list("alice", NOW) == [good]
    assert await refreshes(store, bad) is True
    assert (await store.get(bad.sid))[0] is not None


async def one_of_two_spoilt(store: SQLiteStore, path: Path, column: str, garbage: object) -> tuple[Session, Session]:
    bad, good = session_of(), session_of(created_at=NOW - 1)
    for row in (bad, good):
        await store.create(row)
    with raw(path) as connection:
        connection.execute(f"UPDATE authx_sessions SET {column} = ? WHERE sid = ?", (garbage, bad.sid))
    return bad, good


async def refreshes(store: SQLiteStore, row: Session) -> bool:
    try:
        return await advance(store, row) is not None
    except InvalidRowError:
        return False


@pytest.mark.parametrize("column", ["ip", "user_agent", "device", "sub"])
async def test_text_that_is_not_utf8_breaks_nothing_else(store, path, column):
    bad, good = session_of(), session_of(created_at=NOW - 1)
    for row in (bad, good):
        await store.create(row)
    with raw(path) as connection:
        connection.execute(f"UPDATE authx_sessions SET {column} = CAST(x'616cff' AS TEXT) WHERE sid = ?", (bad.sid,))
    with pytest.raises(InvalidRowError):
        await store.get(bad.sid, "alice")
    assert await store.list("alice", NOW) == [good]
    assert await refreshes(store, good) is True


@pytest.mark.parametrize("garbage", ["soon", 1.5])
async def test_a_cutoff_that_cannot_be_read_ends_the_subjects_sessions(store, path, garbage):
    row = session_of()
    await store.create(row)
    await store.revoke(cut_off(at=NOW))
    with raw(path) as connection:
        connection.execute("UPDATE authx_cutoffs SET at = ?", (garbage,))
    with pytest.raises(InvalidRowError):
        await store.get(row.sid)


async def test_a_session_whose_row_cannot_be_read_can_still_be_revoked(store, path):
    row = session_of()
    await store.create(row)
    with raw(path) as connection:
        connection.execute("UPDATE authx_sessions SET generation = 'abc'")
    await store.revoke(end_session(row))
    with raw(path) as connection:
        assert connection.execute("SELECT revoked_at FROM authx_sessions").fetchone() == (NOW + 5000,)


@pytest.mark.parametrize("change", ["at = 'x'", "kind = 'other'", "reason = CAST(x'ff' AS TEXT)", "spared = x'00'"])
async def test_a_revocation_that_cannot_be_read_is_passed_over(store, path, change):
    for jti in ("first", "bad", "last"):
        await store.revoke(end_token(jti))
    with raw(path) as connection:
        connection.execute(f"UPDATE authx_revocations SET {change} WHERE key = 'bad'")
    listed, cursor = await store.revocations("")
    assert [one.key for one in listed] == ["first", "last"]
    assert await store.revocations(cursor) == ([], cursor)


async def test_garbage_in_the_end_of_a_session_does_not_stop_pruning(store, path):
    bad, gone = session_of(expires_at=NOW - 3 * DAY), session_of(expires_at=NOW - 2 * DAY)
    for row in (bad, gone):
        await store.create(row)
    with raw(path) as connection:
        connection.execute("UPDATE authx_sessions SET expires_at = 'x' WHERE sid = ?", (bad.sid,))
    assert await store.prune(NOW, 10) == 1
    assert await store.prune(NOW, 10) == 0
    assert await store.get(gone.sid) == (None, None)


# Another table than the cursor's


async def test_a_cursor_from_before_a_backup_was_restored_means_nothing(store, path):
    await store.revoke(end_token("kept"))
    with raw(path) as connection:
        backup = "\n".join(connection.iterdump())
    for n in range(3):
        await store.revoke(end_token(f"lost-{n}"))
    _, cursor = await store.revocations("")
    with raw(path) as connection:
        connection.execute("DELETE FROM authx_revocations WHERE key <> 'kept'")
    assert "kept" in backup
    listed, restored = await store.revocations(cursor)
    assert [one.key for one in listed] == ["kept"]
    assert await store.revocations(restored) == ([], restored)


# Loops, threads, processes


async def test_no_thread_outlives_the_store(path):
    store = SQLiteStore(path)
    await store.open()
    await store.create_schema()
    (thread,) = (one for one in threading.enumerate() if one.name.startswith("authx-sqlite"))
    await store.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_the_last_to_close_leaves_one_file(store, path):
    await store.create(session_of())
    await store.close()
    assert [file.name for file in path.parent.iterdir()] == ["auth.db"]


def test_what_an_event_loop_left_open_is_closed_with_it(path):
    store = SQLiteStore(path)

    async def use() -> None:
        await store.open()
        await store.create_schema()
        await store.create(session_of())

    asyncio.run(use())
    assert [file.name for file in path.parent.iterdir()] == ["auth.db"]
    asyncio.run(use())


def test_two_event_loops_at_once_have_connections_of_their_own(path):
    store = SQLiteStore(path)
    row = session_of()
    wins: list[int] = []

    async def prepare() -> None:
        await store.create_schema()
        await store.create(row)
        await store.close()

    async def refresh() -> None:
        for generation in range(1, 60):
            if await advance(store, row, from_generation=generation, to_generation=generation + 1):
                wins.append(generation)
            await asyncio.sleep(0)

    asyncio.run(prepare())
    threads = [threading.Thread(target=lambda: asyncio.run(refresh())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == list(range(1, len(wins) + 1))


FORKING = """
import asyncio, os, sys
from authx.stores.sqlite import SQLiteStore
from authx.testing.contract.harness import advance, session_of

store, row = SQLiteStore(sys.argv[1]), session_of()
loop = asyncio.new_event_loop()
loop.run_until_complete(store.create_schema())
loop.run_until_complete(store.create(row))
pid = os.fork()
if pid == 0:
    # The very loop that the parent runs on: only the process is another.
    moved = loop.run_until_complete(advance(store, row))
    loop.run_until_complete(store.close())
    os._exit(0 if moved is not None else 1)
_, status = os.waitpid(pid, 0)
assert status == 0, status
again = loop.run_until_complete(advance(store, row))
assert again is None
moved = loop.run_until_complete(advance(store, row, from_generation=2, to_generation=3))
assert moved is not None
loop.run_until_complete(store.close())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_opens_the_file_again_and_leaves_the_parents_connections_alone(path):
    subprocess.run([sys.executable, "-c", FORKING, str(path)], check=True, timeout=PATIENCE)


def test_many_processes_may_open_a_new_file_at_once(path):
    script = (
        "import asyncio, sys; from authx.stores.sqlite import SQLiteStore\n"
        "async def main():\n"
        "    store = SQLiteStore(sys.argv[1]); await store.open(); await store.create_schema(); await store.close()\n"
        "asyncio.run(main())"
    )
    with ExitStack() as stack:
        started = [stack.enter_context(running([sys.executable, "-c", script, str(path)])) for _ in range(4)]
        assert [process.wait(PATIENCE) for process in started] == [0] * 4


async def test_the_caller_says_how_often_the_file_is_looked_at(store):
    """So that JWT_REVOCATION_POLL_INTERVAL is the time between two looks."""
    _, cursor = await store.revocations("")
    connections, asked = store._connections.here(), []
    run = connections.run
    connections.run = lambda sql, values=(): asked.append(sql) or run(sql, values)
    await store.wait(cursor, 0.25)
    assert len(asked) == 1
