# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""What is deleted, and when."""

from dataclasses import replace
from typing import ClassVar

import pytest

from authx.core.session import Cutoff
from authx.stores import Store
from authx.testing.contract.harness import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    advance,
    cut_off,
    end_everything,
    end_session,
    end_token,
    on_a_loop,
    session_of,
    summary,
)

__all__ = ["PruningContract"]


class PruningContract:
    """See `StoreContract`."""

    deletes_sessions_itself: ClassVar[bool] = False

    # Pruning

    @on_a_loop
    async def test_deletes_sessions_that_ended_more_than_a_day_ago(self, store: Store) -> None:
        if self.deletes_sessions_itself:
            pytest.skip("this store's sessions go by its own clock")
        gone, kept = session_of(expires_at=NOW - DAY - 1), session_of(expires_at=NOW - DAY)
        endless, revoked = session_of(expires_at=None), session_of()
        for row in (gone, kept, endless, revoked):
            await store.create(row)
        await store.revoke(end_session(revoked, until=NOW + 2 * DAY))
        assert await store.prune(NOW, 100) == 1
        assert (await store.get(gone.sid))[0] is None
        for row in (kept, endless, revoked):
            assert (await store.get(row.sid))[0] is not None
        assert await store.prune(NOW, 100) == 0

    @on_a_loop
    async def test_deletes_a_session_by_the_end_that_its_last_refresh_gave_it(self, store: Store) -> None:
        if self.deletes_sessions_itself:
            pytest.skip("this store's sessions go by its own clock")
        rows = [session_of(expires_at=NOW + DAY) for _ in range(4)]
        for row in rows:
            await store.create(row)
        longer, endless, same, just_kept = rows
        await advance(store, longer, expires_at=NOW + 10 * DAY)
        await advance(store, just_kept, expires_at=NOW + 2 * DAY)
        await advance(store, endless, expires_at=None)
        assert await store.prune(NOW + 3 * DAY, 100) == 1
        assert (await store.get(same.sid))[0] is None
        assert (await store.get(just_kept.sid))[0] is not None
        assert await store.prune(NOW + 3 * DAY + 1, 100) == 1
        assert (await store.get(longer.sid))[0] is not None
        assert await store.prune(NOW + 11 * DAY, 100) == 0
        assert await store.prune(NOW + 11 * DAY + 1, 100) == 1
        assert (await store.get(longer.sid))[0] is None
        assert await store.prune(NOW + 9999 * DAY, 100) == 0
        assert (await store.get(endless.sid))[0] is not None

    @on_a_loop
    async def test_deletes_no_revoked_session_before_the_end_that_its_revocation_gave_it(self, store: Store) -> None:
        if self.deletes_sessions_itself:
            pytest.skip("this store's sessions go by its own clock")
        live, again, without_row = (session_of(expires_at=NOW + DAY) for _ in range(3))
        endless = session_of(expires_at=NOW + DAY)
        for row in (live, again, endless):
            await store.create(row)
        await store.revoke(end_session(again))
        for row in (live, again, without_row):
            await store.revoke(end_session(row, expires_at=NOW + 60 * DAY))
        await store.revoke(end_session(endless, expires_at=None))
        for days in (3, 61):
            await store.prune(NOW + days * DAY, 100)
            for row in (live, again, without_row, endless):
                found, _ = await store.get(row.sid)
                assert found is not None
                assert found.revoked_at is not None
        await store.prune(NOW + 61 * DAY + 1, 100)
        for row in (live, again, without_row):
            assert (await store.get(row.sid))[0] is None
        assert (await store.get(endless.sid))[0] is not None

    @on_a_loop
    async def test_deletes_no_more_than_it_is_told(self, store: Store) -> None:
        if self.deletes_sessions_itself:
            pytest.skip("this store's sessions go by its own clock")
        rows = [session_of(created_at=NOW - age, expires_at=NOW) for age in range(250)]
        refreshed = [session_of(created_at=NOW - age, expires_at=NOW - HOUR) for age in range(120)]
        # One after the other: a store with few connections refuses a crowd on a slow machine.
        for row in rows + refreshed:
            await store.create(row)
        for row in refreshed:
            await advance(store, row, at=NOW - 2 * HOUR, expires_at=NOW + 30 * DAY)
        counts = [await store.prune(NOW + DAY + 1, 120) for _ in range(4)]
        assert counts == [120, 120, 10, 0]
        left = {one.sid for one in await store.list("alice", NOW, limit=1000)}
        assert left == {row.sid for row in refreshed}

    @on_a_loop
    async def test_deletes_revocations_that_have_not_mattered_for_a_minute(self, store: Store) -> None:
        await store.revoke(end_token("gone", until=NOW - MINUTE - 1))
        await store.revoke(end_token("kept", until=NOW - MINUTE))
        await store.revoke(end_token("never", until=None))
        await store.revoke(end_token("newest"))
        assert await store.prune(NOW, 100) == 1
        listed, cursor = await store.revocations("")
        assert {one.key for one in listed} == {"kept", "never", "newest"}
        assert await store.count_live(NOW) == (2, cursor)

    @on_a_loop
    async def test_deletes_no_more_revocations_than_it_is_told(self, store: Store) -> None:
        for n in range(12):
            await store.revoke(end_token(f"jti-{n}"))
        await store.revoke(end_token("newest", until=None))
        assert [await store.prune(NOW + DAY, 5) for _ in range(4)] == [5, 5, 2, 0]

    @on_a_loop
    async def test_keeps_every_cutoff_and_lists_that_of_everyone_for_ever(self, store: Store) -> None:
        await store.revoke(cut_off(at=NOW))
        await store.revoke(replace(end_everything(NOW - HOUR), until=NOW))
        await store.revoke(end_token())
        await store.prune(NOW + 9999 * DAY, 100)
        assert await store.get("", "alice") == (None, Cutoff(at=NOW))
        assert await store.get("", "bob") == (None, Cutoff(at=NOW - HOUR))
        listed, _ = await store.revocations("")
        assert ("everyone", "") in summary(listed)

    @on_a_loop
    async def test_a_cursor_outlives_pruning(self, store: Store) -> None:
        for n in range(5):
            await store.revoke(end_token(f"jti-{n}"))
        _, cursor = await store.revocations("")
        await store.prune(NOW + DAY, 100)
        assert await store.revocations(cursor) == ([], cursor)
        await store.revoke(end_token("late"))
        listed, _ = await store.revocations(cursor)
        assert summary(listed) == [("token", "late")]
