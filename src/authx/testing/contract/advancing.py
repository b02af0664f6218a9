# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""The compare-and-swap: exactly when it happens, and that one of many wins."""

from dataclasses import replace

from authx.stores import Store
from authx.testing.contract.harness import (
    DAY,
    NOW,
    advance,
    at_once,
    cut_off,
    end_everything,
    end_session,
    on_a_loop,
    session_of,
)

__all__ = ["AdvancingContract"]


class AdvancingContract:
    """See `StoreContract`."""

    # Advance

    @on_a_loop
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

    @on_a_loop
    async def test_advance_forgets_where_the_last_request_came_from_if_that_is_not_known(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await advance(store, row, ip=None, user_agent=None)
        assert moved == replace(row, generation=2, rotated_at=NOW + 1000, ip=None, user_agent=None)
        assert await store.get(row.sid) == (moved, None)

    @on_a_loop
    async def test_advance_replaces_the_retry_hash_and_nothing_else_does(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        assert (await store.get(row.sid))[0] == row
        moved = await advance(store, row, retry_hash="a" * 32)
        assert moved == replace(row, generation=2, rotated_at=NOW + 1000, retry_hash="a" * 32)
        assert await other.get(row.sid) == (moved, None)
        assert await advance(store, row, retry_hash="b" * 32) is None
        assert not await store.create(replace(row, retry_hash="b" * 32))
        assert await other.get(row.sid) == (moved, None)
        assert await other.list("alice", NOW) == [moved]
        moved = await advance(store, moved, retry_hash="c" * 32)
        assert moved is not None
        assert moved.retry_hash == "c" * 32
        await store.revoke(end_session(moved))
        found, _ = await other.get(row.sid)
        assert found is not None
        assert found.retry_hash == "c" * 32

    @on_a_loop
    async def test_advance_without_a_retry_hash_forgets_that_of_the_row(self, store: Store) -> None:
        row = session_of(retry_hash="a" * 32)
        await store.create(row)
        moved = await advance(store, row, retry_hash=None)
        assert moved == replace(row, generation=2, rotated_at=NOW + 1000, retry_hash=None)
        assert await store.get(row.sid) == (moved, None)

    @on_a_loop
    async def test_only_one_of_many_rotations_keeps_its_retry_hash(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        stores = (store, other)
        moves = await at_once(10, lambda number: advance(stores[number % 2], row, retry_hash=f"{number:032}"))
        (won,) = [move for move in moves if move is not None]
        assert await store.get(row.sid) == (won, None)

    @on_a_loop
    async def test_advance_may_skip_generations(self, store: Store) -> None:
        row = session_of(generation=3)
        await store.create(row)
        moved = await advance(store, row, to_generation=8)
        assert moved is not None
        assert moved.generation == 8

    @on_a_loop
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

    @on_a_loop
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

    @on_a_loop
    async def test_advance_works_until_the_end(self, store: Store) -> None:
        row = session_of(expires_at=NOW + DAY)
        await store.create(row)
        assert await advance(store, row, at=NOW + DAY) is None
        assert await advance(store, row, at=NOW + DAY - 1) is not None

    @on_a_loop
    async def test_advance_does_nothing_to_a_revoked_session(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        await store.revoke(end_session(row))
        assert await advance(store, row) is None

    @on_a_loop
    async def test_advance_heeds_the_cutoff_of_the_subject(self, store: Store) -> None:
        before, kept = session_of(created_at=NOW - 2), session_of(created_at=NOW - 3)
        others = session_of("bob", created_at=NOW - 2)
        for row in (before, kept, others):
            await store.create(row)
        assert (await store.revoke(cut_off(at=NOW, spared=kept.sid))).at == NOW
        at_the_cutoff = session_of(created_at=NOW)
        await store.create(at_the_cutoff)
        assert await advance(store, before) is None
        assert await advance(store, kept) is not None
        assert await advance(store, at_the_cutoff) is not None
        assert await advance(store, others) is not None

    @on_a_loop
    async def test_advance_heeds_the_cutoff_of_everyone(self, store: Store) -> None:
        before, at_the_cutoff = session_of(created_at=NOW - 1), session_of(created_at=NOW)
        for row in (before, at_the_cutoff):
            await store.create(row)
        await store.revoke(end_everything(NOW))
        assert await advance(store, before) is None
        assert await advance(store, at_the_cutoff) is not None

    @on_a_loop
    async def test_one_of_fifty_simultaneous_advances_wins(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await at_once(50, lambda n: advance(store, row, at=NOW + 1000 + n))
        (winner,) = (one for one in moved if one is not None)
        assert await store.get(row.sid) == (winner, None)
        assert winner.generation == 2

    @on_a_loop
    async def test_one_of_fifty_advances_over_two_stores_wins(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        moved = await at_once(50, lambda n: advance((store, other)[n % 2], row, at=NOW + 1000 + n))
        (winner,) = (one for one in moved if one is not None)
        assert await store.get(row.sid) == await other.get(row.sid) == (winner, None)

    @on_a_loop
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
