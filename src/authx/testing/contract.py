# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""What every session store has to do, as tests that a store's own test class inherits.

```python
class TestMyStore(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path):
        return lambda: MyStore(tmp_path / "sessions")
```

The tests are coroutines, and need no plugin: each runs on an event loop of its own.
"""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeAlias

import pytest

from authx.core.ids import session_created_at, session_id
from authx.core.session import Cutoff, Revocation, Session
from authx.stores import Store

__all__ = ["MakeStore", "StoreContract"]

MakeStore: TypeAlias = Callable[[], Store]

NOW: Final = int(time.time() * 1000)
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
# Longer than any test of a working store takes, so that one that hangs fails.
_PATIENCE: Final = 60.0


def _on_a_loop(test: "Callable[..., Coroutine[Any, Any, None]]") -> Callable[..., None]:
    """Make a coroutine a test: it gets as many open stores over the same data as it has arguments."""
    count = len(inspect.signature(test).parameters) - 1

    def run(self: "StoreContract", make_store: MakeStore) -> None:
        async def with_stores() -> None:
            stores: list[Store] = []
            try:
                async with asyncio.timeout(_PATIENCE):
                    for _ in range(count):
                        stores.append(make_store())
                        await stores[-1].open()
                        await stores[-1].create_schema()
                    await test(self, *stores)
            finally:
                for store in stores:
                    await store.close()

        asyncio.run(with_stores())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


def session_of(sub: str = "alice", created_at: int = NOW, **fields: Any) -> Session:
    """Make a row as a login would write it.

    Args:
        sub: Whose session.
        created_at: When it began, in milliseconds.
        **fields: Anything that is to be different.

    Returns:
        The row.
    """
    row = Session(
        sid=session_id(sub, created_at, os.urandom(8)),
        sub=sub,
        generation=1,
        created_at=created_at,
        rotated_at=created_at,
        expires_at=created_at + 30 * DAY,
        ip="192.0.2.1",
        user_agent="Mozilla/5.0",
        device='{"name": "laptop"}',
    )
    return replace(row, **fields)


async def advance(store: Store, row: Session, **changes: Any) -> Session | None:
    """Move a session one generation forward, a second after its last rotation.

    Args:
        store: The store.
        row: The row as it is.
        **changes: Arguments that are to be different.

    Returns:
        The new row, or `None`.
    """
    arguments: dict[str, Any] = {
        "sid": row.sid,
        "sub": row.sub,
        "from_generation": row.generation,
        "to_generation": row.generation + 1,
        "at": row.rotated_at + 1000,
        "expires_at": row.expires_at,
        "ip": row.ip,
        "user_agent": row.user_agent,
    }
    return await store.advance(**(arguments | changes))


def end_session(row: Session, **fields: Any) -> Revocation:
    """Make the revocation of a session."""
    one = Revocation(
        kind="session",
        key=row.sid,
        at=row.rotated_at + 5000,
        until=row.rotated_at + HOUR,
        reason="logout",
        sub=row.sub,
        expires_at=row.expires_at,
    )
    return replace(one, **fields)


def cut_off(sub: str = "alice", at: int = NOW, **fields: Any) -> Revocation:
    """Make the revocation of a subject."""
    return replace(Revocation(kind="subject", key=sub, at=at, until=at + HOUR, sub=sub), **fields)


def end_everything(at: int = NOW) -> Revocation:
    """Make the revocation of everyone."""
    return Revocation(kind="everyone", key="", at=at, until=None)


def end_token(jti: str = "jti-1", at: int = NOW, **fields: Any) -> Revocation:
    """Make the revocation of one access token."""
    return replace(Revocation(kind="token", key=jti, at=at, until=at + HOUR), **fields)


def summary(revocations: list[Revocation]) -> list[tuple[str, str]]:
    """Tell what is listed, and in which order."""
    return [(one.kind, one.key) for one in revocations]


async def at_once(count: int, call: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """Make calls at the same moment.

    Args:
        count: How many.
        call: Makes one, given its number.

    Returns:
        What they returned, in their order.
    """
    return list(await asyncio.gather(*(call(number) for number in range(count))))


class StoreContract:
    """Inherit it in a test class, and override `make_store`.

    Attributes:
        deletes_sessions_itself: Whether rows of sessions go by the store's own clock rather than by `prune`.
    """

    deletes_sessions_itself: ClassVar[bool] = False

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Give what makes the store under test: each call another object over the same data, which is empty at first.

        A store whose data does not leave its object may give the same object again.
        """
        raise NotImplementedError("override the fixture make_store")

    # Opening and closing

    def test_may_be_closed_before_it_is_opened_and_twice(self, make_store: MakeStore) -> None:
        async def close() -> None:
            store = make_store()
            await store.close()
            await store.open()
            await store.create_schema()
            await store.close()
            await store.close()

        asyncio.run(close())

    def test_keeps_its_data_when_it_is_closed_and_opened_again(self, make_store: MakeStore) -> None:
        store, row = make_store(), session_of()

        async def write() -> None:
            await store.open()
            await store.create_schema()
            await store.create(row)
            await store.close()

        async def read() -> Session | None:
            await store.open()
            found, _ = await store.get(row.sid)
            await store.close()
            return found

        asyncio.run(write())
        assert asyncio.run(read()) == row

    def test_works_on_another_event_loop_without_having_been_closed(self, make_store: MakeStore) -> None:
        store, row = make_store(), session_of()

        async def write() -> None:
            await store.open()
            await store.create_schema()
            await store.create(row)

        async def read() -> Session | None:
            try:
                return await advance(store, row)
            finally:
                await store.close()

        asyncio.run(write())
        moved = asyncio.run(read())
        assert moved is not None
        assert moved.generation == 2

    @_on_a_loop
    async def test_creates_its_schema_once_however_many_do_so(self, store: Store, other: Store) -> None:
        await asyncio.gather(*(each.create_schema() for each in (store, other) * 3))
        row = session_of()
        await store.create(row)
        await other.create_schema()
        assert await other.get(row.sid) == (row, None)

    # Create and get

    @_on_a_loop
    async def test_gives_back_every_field_of_a_row(self, store: Store) -> None:
        row = session_of(generation=2**31 - 1, rotated_at=NOW + 7, revoked_at=NOW + 8, revoked_reason="reused")
        assert await store.create(row)
        assert await store.get(row.sid) == (row, None)

    @_on_a_loop
    async def test_gives_back_a_row_that_has_only_what_it_must(self, store: Store) -> None:
        row = session_of(expires_at=None, ip=None, user_agent=None, device=None)
        assert await store.create(row)
        assert await store.get(row.sid) == (row, None)

    @_on_a_loop
    async def test_keeps_texts_of_any_kind(self, store: Store) -> None:
        for sub in (
            "ünï©ødé 🔑 مستخدم",
            "'; DROP TABLE authx_sessions; --",
            '"\\{}%_\n\t',
            "a b",
            "x" * 5000,
            "a\x00b",
        ):
            row = session_of(sub, user_agent="Ünï 🔑 '\";--", device='{"a": "ünï 🔑"}')
            assert await store.create(row)
            assert await store.get(row.sid, sub) == (row, None)
            assert await advance(store, row) == replace(row, generation=2, rotated_at=NOW + 1000)
            assert [one.sid for one in await store.list(sub, NOW)] == [row.sid]

    @_on_a_loop
    async def test_tells_subjects_apart_that_look_alike(self, store: Store) -> None:
        for sub in ("alice", "Alice", "alice ", " alice", "alic\u0065\u0301", "alicé"):
            await store.create(session_of(sub))
        assert [one.sub for one in await store.list("alice", NOW)] == ["alice"]
        await store.revoke(cut_off("Alice"))
        assert (await store.get("", "alice"))[1] is None

    @_on_a_loop
    async def test_does_not_insert_where_the_id_is_taken(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        assert not await store.create(replace(row, generation=5, ip="198.51.100.9"))
        assert await store.get(row.sid) == (row, None)

    @_on_a_loop
    async def test_inserts_one_of_many_at_once(self, store: Store, other: Store) -> None:
        row = session_of()
        wins = await at_once(20, lambda n: (store, other)[n % 2].create(replace(row, ip=f"192.0.2.{n}")))
        assert sorted(wins) == [False] * 19 + [True]
        found, _ = await store.get(row.sid)
        assert found == replace(row, ip=f"192.0.2.{wins.index(True)}")

    @_on_a_loop
    async def test_has_no_row_of_an_id_that_nobody_made(self, store: Store) -> None:
        await store.create(session_of())
        for sid in ("", "nope", "a\x00b", "\ud800", "é", "%", "x" * 10_000, session_of().sid, session_of().sid.upper()):
            assert await store.get(sid) == (None, None)
            assert await store.get(sid, "alice") == (None, None)

    @_on_a_loop
    async def test_gives_the_cutoff_of_the_rows_own_subject_unless_another_is_named(self, store: Store) -> None:
        row = session_of("alice")
        await store.create(row)
        alice = await store.revoke(cut_off("alice", NOW + 10))
        bob = await store.revoke(cut_off("bob", NOW + 20))
        assert await store.get(row.sid) == (row, Cutoff(at=alice.at))
        assert await store.get(row.sid, "bob") == (row, Cutoff(at=bob.at))
        assert await store.get(row.sid, "carol") == (row, None)
        assert await store.get("", "bob") == (None, Cutoff(at=bob.at))

    # List

    @_on_a_loop
    async def test_lists_sessions_newest_first(self, store: Store) -> None:
        rows = [session_of(created_at=NOW - age * HOUR) for age in (3, 1, 4, 2)]
        for row in rows:
            await store.create(row)
        await store.create(session_of("bob"))
        listed = await store.list("alice", NOW)
        assert listed == sorted(rows, key=lambda row: -row.created_at)
        assert await store.list("alice", NOW, limit=2) == listed[:2]

    @_on_a_loop
    async def test_lists_more_sessions_than_it_reads_at_once(self, store: Store) -> None:
        rows = [session_of(created_at=NOW - age) for age in range(130)]
        await asyncio.gather(*(store.create(row) for row in rows))
        assert await store.list("alice", NOW, limit=1000) == rows
        assert await store.list("alice", NOW) == rows[:100]

    @_on_a_loop
    async def test_does_not_list_what_is_over(self, store: Store) -> None:
        endless = session_of(expires_at=None)
        ends_later = session_of(expires_at=NOW + 1)
        ended, revoked = session_of(expires_at=NOW), session_of()
        for row in (endless, ends_later, ended, revoked):
            await store.create(row)
        await store.revoke(end_session(revoked))
        assert {one.sid for one in await store.list("alice", NOW)} == {endless.sid, ends_later.sid}

    @_on_a_loop
    async def test_lists_of_those_before_a_cutoff_only_the_spared(self, store: Store) -> None:
        old, spared = session_of(created_at=NOW - HOUR), session_of(created_at=NOW - 2 * HOUR)
        for row in (old, spared):
            await store.create(row)
        await store.revoke(cut_off(at=NOW, spared=spared.sid))
        new = session_of(created_at=NOW)
        await store.create(new)
        assert await store.list("alice", NOW) == [new, spared]

    # Advance

    @_on_a_loop
    async def test_advance_returns_and_keeps_the_new_row(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await advance(store, row, at=NOW + 9, expires_at=NOW + 60 * DAY, ip="198.51.100.2", user_agent="curl/8")
        expected = replace(
            row,
            generation=2,
            rotated_at=NOW + 9,
            expires_at=NOW + 60 * DAY,
            ip="198.51.100.2",
            user_agent="curl/8",
        )
        assert moved == expected
        assert await store.get(row.sid) == (expected, None)

    @_on_a_loop
    async def test_advance_forgets_where_the_last_request_came_from_if_that_is_not_known(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await advance(store, row, ip=None, user_agent=None)
        assert moved == replace(row, generation=2, rotated_at=NOW + 1000, ip=None, user_agent=None)
        assert await store.get(row.sid) == (moved, None)

    @_on_a_loop
    async def test_advance_may_skip_generations(self, store: Store) -> None:
        row = session_of(generation=3)
        await store.create(row)
        moved = await advance(store, row, to_generation=8)
        assert moved is not None
        assert moved.generation == 8

    @_on_a_loop
    async def test_advance_never_moves_the_end_back(self, store: Store) -> None:
        for before, given, after in (
            (NOW + DAY, NOW + 2 * DAY, NOW + 2 * DAY),
            (NOW + 2 * DAY, NOW + DAY, NOW + 2 * DAY),
            (NOW + DAY, NOW + DAY, NOW + DAY),
            (NOW + DAY, None, None),
            (None, NOW + DAY, None),
            (None, None, None),
        ):
            row = session_of(expires_at=before)
            await store.create(row)
            moved = await advance(store, row, expires_at=given)
            assert moved is not None
            assert moved.expires_at == after

    @_on_a_loop
    async def test_advance_does_nothing_where_a_condition_fails(self, store: Store) -> None:
        row = session_of(generation=4)
        await store.create(row)
        for changes in (
            {"from_generation": 3},
            {"from_generation": 5},
            {"sub": "bob"},
            {"sub": ""},
            {"sid": session_of().sid},
            {"at": row.expires_at},
            {"at": NOW + 31 * DAY},
        ):
            assert await advance(store, row, **changes) is None
        assert await store.get(row.sid) == (row, None)

    @_on_a_loop
    async def test_advance_works_until_the_moment_before_the_end(self, store: Store) -> None:
        row = session_of(expires_at=NOW + DAY)
        await store.create(row)
        assert await advance(store, row, at=NOW + DAY) is None
        assert await advance(store, row, at=NOW + DAY - 1) is not None

    @_on_a_loop
    async def test_advance_does_nothing_to_a_revoked_session(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        await store.revoke(end_session(row))
        assert await advance(store, row) is None

    @_on_a_loop
    async def test_advance_heeds_the_cutoff_of_the_subject(self, store: Store) -> None:
        before, spared = session_of(created_at=NOW - 2), session_of(created_at=NOW - 3)
        others = session_of("bob", created_at=NOW - 2)
        for row in (before, spared, others):
            await store.create(row)
        assert (await store.revoke(cut_off(at=NOW, spared=spared.sid))).at == NOW
        at_the_cutoff = session_of(created_at=NOW)
        await store.create(at_the_cutoff)
        assert await advance(store, before) is None
        assert await advance(store, spared) is not None
        assert await advance(store, at_the_cutoff) is not None
        assert await advance(store, others) is not None

    @_on_a_loop
    async def test_advance_heeds_the_cutoff_of_everyone(self, store: Store) -> None:
        before, at_the_cutoff = session_of(created_at=NOW - 1), session_of(created_at=NOW)
        for row in (before, at_the_cutoff):
            await store.create(row)
        await store.revoke(end_everything(NOW))
        assert await advance(store, before) is None
        assert await advance(store, at_the_cutoff) is not None

    @_on_a_loop
    async def test_one_of_fifty_simultaneous_advances_wins(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await at_once(50, lambda n: advance(store, row, at=NOW + 1000 + n))
        (winner,) = (one for one in moved if one is not None)
        assert await store.get(row.sid) == (winner, None)
        assert winner.generation == 2

    @_on_a_loop
    async def test_one_of_fifty_advances_over_two_stores_wins(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await at_once(50, lambda n: advance((store, other)[n % 2], row, at=NOW + 1000 + n))
        (winner,) = (one for one in moved if one is not None)
        assert await store.get(row.sid) == await other.get(row.sid) == (winner, None)

    @_on_a_loop
    async def test_no_generation_is_passed_twice_under_a_crowd(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        wins: list[int] = []

        async def refresh(number: int) -> None:
            mine = (store, other)[number % 2]
            for _ in range(20):
                now, _ = await mine.get(row.sid)
                assert now is not None
                if await advance(mine, now) is not None:
                    wins.append(now.generation)

        await at_once(8, refresh)
        assert sorted(wins) == list(range(1, len(wins) + 1))
        found, _ = await store.get(row.sid)
        assert found is not None
        assert found.generation == len(wins) + 1

    # Revoking a session

    @_on_a_loop
    async def test_revoking_a_session_marks_its_row(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        one = end_session(row, reason="reused", expires_at=NOW)
        stored = await store.revoke(one)
        assert (stored.kind, stored.key, stored.at) == ("session", row.sid, one.at)
        found, _ = await other.get(row.sid)
        assert found == replace(row, revoked_at=one.at, revoked_reason="reused")

    @_on_a_loop
    async def test_revoking_a_session_without_a_row_writes_one(self, store: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.revoke(end_session(row))
        found, _ = await store.get(row.sid)
        assert found == Session(
            sid=row.sid,
            sub="alice",
            generation=0,
            created_at=NOW - HOUR,
            rotated_at=NOW - HOUR,
            expires_at=row.expires_at,
            revoked_at=NOW - HOUR + 5000,
            revoked_reason="logout",
        )
        assert not await store.create(row)
        assert await advance(store, row, from_generation=0) is None

    @_on_a_loop
    async def test_revoking_a_session_of_which_only_the_id_is_known_writes_a_row_too(self, store: Store) -> None:
        sid = session_of().sid
        await store.revoke(Revocation(kind="session", key=sid, at=NOW, until=None))
        found, _ = await store.get(sid)
        assert found is not None
        assert (found.sub, found.created_at, found.expires_at, found.revoked_at) == (
            "",
            session_created_at(sid),
            None,
            NOW,
        )

    @_on_a_loop
    async def test_revoking_a_session_again_changes_nothing_of_its_row(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        await store.revoke(end_session(row, at=NOW + 1, reason="logout"))
        await store.revoke(end_session(row, at=NOW + 2, reason="reused"))
        found, _ = await store.get(row.sid)
        assert found == replace(row, revoked_at=NOW + 1, revoked_reason="logout")

    @_on_a_loop
    async def test_a_session_that_is_revoked_while_it_is_refreshed_ends_revoked(
        self, store: Store, other: Store
    ) -> None:
        for _ in range(10):
            row = session_of()
            await store.create(row)

            async def refresh(number: int, row: Session = row) -> None:
                mine = (store, other)[number % 2]
                for generation in range(1, 5):
                    await advance(mine, row, from_generation=generation, to_generation=generation + 1)

            await asyncio.gather(refresh(0), other.revoke(end_session(row)), refresh(1))
            found, _ = await store.get(row.sid)
            assert found is not None
            assert found.revoked_at is not None
            assert await advance(store, found) is None

    # Cutting off a subject

    @_on_a_loop
    async def test_a_cutoff_is_the_latest_of_the_clock_the_stored_and_the_newest_session(self, store: Store) -> None:
        assert (await store.revoke(cut_off(at=NOW))).at == NOW
        assert (await store.revoke(cut_off(at=NOW - HOUR))).at == NOW
        await store.create(session_of(created_at=NOW + HOUR))
        await store.create(session_of("bob", created_at=NOW + 2 * HOUR))
        assert (await store.revoke(cut_off(at=NOW))).at == NOW + HOUR + 1
        assert (await store.revoke(cut_off(at=NOW + 3 * HOUR))).at == NOW + 3 * HOUR
        assert await store.get("", "alice") == (None, Cutoff(at=NOW + 3 * HOUR))

    @_on_a_loop
    async def test_a_cutoff_spares_one_session_until_the_next_cutoff(self, store: Store, other: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        assert (await store.revoke(cut_off(spared=row.sid))).spared == row.sid
        assert await other.get(row.sid) == (row, Cutoff(at=NOW, spared=row.sid))
        assert (await store.revoke(cut_off(spared=row.sid))).spared == row.sid
        assert (await store.revoke(cut_off())).spared is None
        assert await other.get(row.sid) == (row, Cutoff(at=NOW))

    @_on_a_loop
    async def test_a_cutoff_spares_a_session_that_was_never_refreshed_and_has_no_row(self, store: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        assert (await store.revoke(cut_off(spared=row.sid))).spared == row.sid
        await store.create(row)
        assert await advance(store, row) is not None

    @_on_a_loop
    async def test_a_cutoff_moves_on_to_another_spared_session_only_if_that_lives(self, store: Store) -> None:
        old, new = session_of(created_at=NOW - 2 * HOUR), session_of(created_at=NOW - HOUR)
        for row in (old, new):
            await store.create(row)
        assert (await store.revoke(cut_off(spared=old.sid))).spared == old.sid
        assert (await store.revoke(cut_off(spared=new.sid))).spared is None
        assert (await store.revoke(cut_off(spared=old.sid))).spared is None

    @_on_a_loop
    async def test_a_cutoff_spares_nothing_that_is_dead_or_not_the_subjects(self, store: Store) -> None:
        revoked, without_row = session_of(created_at=NOW - HOUR), session_of(created_at=NOW - HOUR)
        others = session_of("bob", created_at=NOW - HOUR)
        for row in (revoked, others):
            await store.create(row)
        await store.revoke(end_session(revoked))
        await store.revoke(end_session(without_row))
        for sid in (revoked.sid, without_row.sid, others.sid, session_of("bob").sid, "", "nope"):
            assert (await store.revoke(cut_off(spared=sid))).spared is None
        assert await store.get("", "alice") == (None, Cutoff(at=NOW))

    @_on_a_loop
    async def test_many_cutoffs_at_once_leave_the_latest(self, store: Store, other: Store) -> None:
        stored = await at_once(20, lambda n: (store, other)[n % 2].revoke(cut_off(at=NOW + n)))
        assert max(one.at for one in stored) == NOW + 19
        assert all(one.at >= NOW + number for number, one in enumerate(stored))
        assert await store.get("", "alice") == (None, Cutoff(at=NOW + 19))

    # Cutting off everyone

    @_on_a_loop
    async def test_the_cutoff_of_everyone_is_part_of_each_subjects(self, store: Store, other: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        await store.revoke(cut_off("bob", at=NOW + HOUR))
        assert (await store.revoke(end_everything(NOW))).at == NOW
        assert await other.get(row.sid) == (row, Cutoff(at=NOW))
        assert await other.get("", "carol") == (None, Cutoff(at=NOW))
        assert await other.get("", "bob") == (None, Cutoff(at=NOW + HOUR))
        assert await other.list("alice", NOW) == []

    @_on_a_loop
    async def test_the_cutoff_of_everyone_never_moves_back(self, store: Store) -> None:
        await store.revoke(end_everything(NOW))
        assert (await store.revoke(end_everything(NOW - HOUR))).at == NOW
        assert await store.get("", "alice") == (None, Cutoff(at=NOW))

    @_on_a_loop
    async def test_the_cutoff_of_everyone_spares_nothing(self, store: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        await store.revoke(cut_off(at=NOW + HOUR, spared=row.sid))
        await store.revoke(end_everything(NOW))
        assert await store.get(row.sid) == (row, Cutoff(at=NOW + HOUR))
        assert await advance(store, row) is None
        assert (await store.revoke(cut_off(at=NOW + HOUR, spared=row.sid))).spared is None

    # The list of revocations

    @_on_a_loop
    async def test_lists_revocations_in_their_order_and_as_they_were_stored(self, store: Store, other: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        stored = [
            await store.revoke(end_token("first")),
            await store.revoke(cut_off(at=NOW - 2 * HOUR, spared=row.sid)),
            await store.revoke(end_session(session_of())),
            await store.revoke(end_everything(NOW - HOUR)),
            await store.revoke(end_token("a\x00b ünï", until=None)),
        ]
        listed, _ = await other.revocations("")
        assert summary(listed) == summary(stored)
        assert [(one.at, one.until, one.spared) for one in listed] == [
            (one.at, one.until, one.spared) for one in stored
        ]

    @_on_a_loop
    async def test_lists_what_is_new_since_a_cursor(self, store: Store, other: Store) -> None:
        assert await store.revocations("") == ([], (await store.revocations(""))[1])
        _, empty = await store.revocations("")
        await other.revoke(end_token("first"))
        listed, first = await store.revocations(empty)
        assert summary(listed) == [("token", "first")]
        assert await store.revocations(first) == ([], first)
        await store.revoke(end_token("second"))
        await other.revoke(end_token("third"))
        listed, third = await store.revocations(first)
        assert summary(listed) == [("token", "second"), ("token", "third")]
        assert await store.revocations(third) == ([], third)

    @_on_a_loop
    async def test_lists_everything_for_a_cursor_that_means_nothing(self, store: Store) -> None:
        await store.revoke(end_token("first"))
        await store.revoke(end_token("second"))
        for cursor in ("", "nonsense", "-", "999999", "x-1", "1-x", "\x00", "é", "-1"):
            listed, _ = await store.revocations(cursor)
            assert summary(listed) == [("token", "first"), ("token", "second")]

    @_on_a_loop
    async def test_lists_thousands_of_revocations(self, store: Store) -> None:
        async def revoke_many(number: int) -> None:
            for n in range(number, 2400, 50):
                await store.revoke(end_token(f"jti-{n}"))

        await at_once(50, revoke_many)
        listed, cursor = await store.revocations("")
        assert {one.key for one in listed} == {f"jti-{n}" for n in range(2400)}
        assert len(listed) == 2400
        assert await store.revocations(cursor) == ([], cursor)

    @_on_a_loop
    async def test_lists_what_is_revoked_again_again(self, store: Store) -> None:
        await store.revoke(end_token("first"))
        await store.revoke(end_token("second"))
        _, cursor = await store.revocations("")
        await store.revoke(end_token("first"))
        listed, _ = await store.revocations(cursor)
        assert summary(listed) == [("token", "first")]
        listed, _ = await store.revocations("")
        assert summary(listed) == [("token", "second"), ("token", "first")]

    @_on_a_loop
    async def test_what_is_revoked_again_matters_for_as_long_as_the_longer_of_the_two(self, store: Store) -> None:
        for first, second, kept in (
            (NOW + HOUR, NOW + 2 * HOUR, NOW + 2 * HOUR),
            (NOW + 2 * HOUR, NOW + HOUR, NOW + 2 * HOUR),
            (None, NOW + HOUR, None),
            (NOW + HOUR, None, None),
        ):
            await store.revoke(end_token(f"{first}-{second}", until=first))
            await store.revoke(end_token(f"{first}-{second}", until=second))
            listed, _ = await store.revocations("")
            assert [one.until for one in listed if one.key == f"{first}-{second}"] == [kept]

    @_on_a_loop
    async def test_a_reader_misses_nothing_of_many_writers(self, store: Store, other: Store) -> None:
        seen: set[str] = set()
        done = asyncio.Event()

        async def read() -> None:
            cursor = ""
            while True:
                was_done = done.is_set()
                listed, cursor = await store.revocations(cursor)
                seen.update(one.key for one in listed)
                if was_done:
                    return
                await asyncio.sleep(0)

        async def write(number: int) -> None:
            for n in range(15):
                await (store, other)[number % 2].revoke(end_token(f"{number}-{n}"))

        reader = asyncio.create_task(read())
        await at_once(8, write)
        done.set()
        await reader
        assert seen == {f"{number}-{n}" for number in range(8) for n in range(15)}

    @_on_a_loop
    async def test_counts_each_revocation_that_still_matters_once(self, store: Store, other: Store) -> None:
        assert (await store.census(NOW))[0] == 0
        await store.revoke(end_token("over", until=NOW))
        await store.revoke(end_token("nearly", until=NOW + 1))
        await store.revoke(end_token("never", until=None))
        await store.revoke(end_token("never", until=None))
        await store.revoke(end_session(session_of()))
        await other.revoke(cut_off())
        await store.revoke(end_everything())
        _, cursor = await store.revocations("")
        assert await store.census(NOW) == (5, cursor)
        assert await store.census(NOW + 1) == (4, cursor)

    # Waiting for news

    @_on_a_loop
    async def test_waits_in_vain_for_no_longer_than_it_is_told(self, store: Store) -> None:
        await store.revoke(end_token())
        _, cursor = await store.revocations("")
        began = time.monotonic()
        await store.wait(cursor, 0.05)
        assert time.monotonic() - began < 5

    @_on_a_loop
    async def test_is_woken_by_a_revocation_of_its_own_and_of_another(self, store: Store, other: Store) -> None:
        for mine in (store, other):
            _, cursor = await store.revocations("")
            began = time.monotonic()
            waiting = asyncio.create_task(store.wait(cursor, 30))
            await asyncio.sleep(0.05)
            await mine.revoke(end_token())
            await waiting
            assert time.monotonic() - began < 5

    @_on_a_loop
    async def test_does_not_wait_where_there_is_news_already(self, store: Store, other: Store) -> None:
        for mine in (store, other):
            _, cursor = await store.revocations("")
            await mine.revoke(end_token())
            began = time.monotonic()
            await store.wait(cursor, 30)
            assert time.monotonic() - began < 5

    # Pruning

    @_on_a_loop
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

    @_on_a_loop
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

    @_on_a_loop
    async def test_deletes_no_more_than_it_is_told(self, store: Store) -> None:
        if self.deletes_sessions_itself:
            pytest.skip("this store's sessions go by its own clock")
        rows = [session_of(created_at=NOW - age, expires_at=NOW) for age in range(250)]
        refreshed = [session_of(created_at=NOW - age, expires_at=NOW - HOUR) for age in range(120)]
        await asyncio.gather(*(store.create(row) for row in rows + refreshed))
        for row in refreshed:
            await advance(store, row, at=NOW - 2 * HOUR, expires_at=NOW + 30 * DAY)
        counts = [await store.prune(NOW + DAY + 1, 120) for _ in range(4)]
        assert counts == [120, 120, 10, 0]
        left = {one.sid for one in await store.list("alice", NOW, limit=1000)}
        assert left == {row.sid for row in refreshed}

    @_on_a_loop
    async def test_deletes_revocations_that_have_not_mattered_for_a_minute(self, store: Store) -> None:
        await store.revoke(end_token("gone", until=NOW - MINUTE - 1))
        await store.revoke(end_token("kept", until=NOW - MINUTE))
        await store.revoke(end_token("never", until=None))
        await store.revoke(end_token("newest"))
        assert await store.prune(NOW, 100) == 1
        listed, cursor = await store.revocations("")
        assert {one.key for one in listed} == {"kept", "never", "newest"}
        assert await store.census(NOW) == (2, cursor)

    @_on_a_loop
    async def test_deletes_no_more_revocations_than_it_is_told(self, store: Store) -> None:
        for n in range(12):
            await store.revoke(end_token(f"jti-{n}"))
        await store.revoke(end_token("newest", until=None))
        assert [await store.prune(NOW + DAY, 5) for _ in range(4)] == [5, 5, 2, 0]

    @_on_a_loop
    async def test_keeps_every_cutoff_and_lists_that_of_everyone_for_ever(self, store: Store) -> None:
        await store.revoke(cut_off(at=NOW))
        await store.revoke(replace(end_everything(NOW - HOUR), until=NOW))
        await store.revoke(end_token())
        await store.prune(NOW + 9999 * DAY, 100)
        assert await store.get("", "alice") == (None, Cutoff(at=NOW))
        assert await store.get("", "bob") == (None, Cutoff(at=NOW - HOUR))
        listed, _ = await store.revocations("")
        assert ("everyone", "") in summary(listed)

    @_on_a_loop
    async def test_a_cursor_outlives_pruning(self, store: Store) -> None:
        for n in range(5):
            await store.revoke(end_token(f"jti-{n}"))
        _, cursor = await store.revocations("")
        await store.prune(NOW + DAY, 100)
        assert await store.revocations(cursor) == ([], cursor)
        await store.revoke(end_token("late"))
        listed, _ = await store.revocations(cursor)
        assert summary(listed) == [("token", "late")]
