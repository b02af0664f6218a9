"""What remains in the store: one row a session, and nothing of sessions that are long over."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from datetime import timedelta

from tests.races.inside import log_in, make_auth, refresh
from tests.races.machines import OUTSIDE, ROOT
from tests.races.wire import claims_of
from tests.support.waiting import PATIENCE, until

from authx.sessions import feed
from authx.testing import Clock

REFRESHES = 1_000
# More than one deletion takes.
SESSIONS = 600
DAY = 86_400


def rows_of(path, table="sessions"):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT * FROM authx_{table}").fetchall()
    finally:
        connection.close()


def test_a_thousand_refreshes_of_one_session_leave_one_row(tmp_path):
    path, clock = tmp_path / "auth.db", Clock()

    async def scenario():
        auth = make_auth(f"sqlite:///{path}", clock)
        await auth.open()
        tokens = await log_in(auth, "busy")
        empty = path.stat().st_size
        for _ in range(REFRESHES):
            clock.advance(60)
            tokens = await refresh(auth, tokens.refresh_token)
        await auth.close()
        return tokens.refresh_token, empty

    token, empty = asyncio.run(scenario())
    generation = claims_of(token)["gen"]
    assert generation == REFRESHES + 1
    (row,) = rows_of(path)
    assert row[:3] == (claims_of(token)["sid"], "busy", generation)
    assert rows_of(path, "revocations") == rows_of(path, "cutoffs") == []
    assert path.stat().st_size <= empty + 50_000


def test_rows_of_sessions_that_are_over_vanish_with_no_scheduled_job(tmp_path, monkeypatch):
    path, clock = tmp_path / "auth.db", Clock()
    # Once a minute of a clock that no test can move.
    monkeypatch.setattr(feed, "_COUNT_INTERVAL", 0.0)

    async def scenario():
        auth = make_auth(
            f"sqlite:///{path}",
            clock,
            JWT_REFRESH_TOKEN_EXPIRES=timedelta(days=20),
            JWT_SESSION_MAX_AGE=timedelta(days=20),
            JWT_REVOCATION_POLL_INTERVAL=timedelta(milliseconds=10),
        )
        await auth.open()
        for number in range(SESSIONS):
            await refresh(auth, auth.create_refresh_token(f"user-{number}"))
        gone = await log_in(auth, "gone")
        await auth.revoke_session(claims_of(gone.refresh_token)["sid"])
        # A row stays for as long as one of its tokens could be presented, and a day; also if it was revoked.
        clock.advance(20 * DAY)
        kept = await log_in(auth, "kept")
        await asyncio.sleep(0.1)
        assert len(rows_of(path)) == SESSIONS + 2
        clock.advance(DAY + 1)

        async def are_gone():
            return [row[1] for row in rows_of(path)] == ["kept"]

        await until(are_gone, "the deletion")
        assert (await refresh(auth, kept.refresh_token)).refresh_token
        await auth.close()

    asyncio.run(scenario())


def test_the_measurement_of_growth_runs():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.stores.growth", "--rows", "400", "--rounds", "2"],
        cwd=ROOT,
        env={**OUTSIDE, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    for kind in ("sqlite", "postgresql"):
        assert re.search(
            rf"^{kind}: .* 400 sessions: [0-9.]+ µs, [0-9.]+ x what it costs with few$", done.stdout, re.MULTILINE
        )
