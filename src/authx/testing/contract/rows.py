# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""What a store does with rows: writing, reading and listing them."""

from dataclasses import replace

from authx.core.session import Cutoff
from authx.stores import Store
from authx.testing.contract.harness import HOUR, NOW, advance, at_once, cut_off, end_session, on_a_loop, session_of

__all__ = ["RowsContract"]


class RowsContract:
    """See `StoreContract`."""

    # Create and get

    @on_a_loop
    async def test_gives_back_every_field_of_a_row(self, store: Store) -> None:
        row = session_of(generation=2**31 - 1, rotated_at=NOW + 7, revoked_at=NOW + 8, revoked_reason="reused")
        assert await store.create(row)
        assert await store.get(row.sid) == (row, None)

    @on_a_loop
    async def test_gives_back_a_row_that_has_only_what_it_must(self, store: Store) -> None:
        row = session_of(expires_at=None, ip=None, user_agent=None, device=None)
        assert await store.create(row)
        assert await store.get(row.sid) == (row, None)

    @on_a_loop
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

    @on_a_loop
    async def test_tells_subjects_apart_that_look_alike(self, store: Store) -> None:
        for sub in ("alice", "Alice", "alice ", " alice", "alic\u0065\u0301", "alicé"):
            await store.create(session_of(sub))
        assert [one.sub for one in await store.list("alice", NOW)] == ["alice"]
        await store.revoke(cut_off("Alice"))
        assert (await store.get("", "alice"))[1] is None

    @on_a_loop
    async def test_does_not_insert_where_the_id_is_taken(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        assert not await store.create(replace(row, generation=5, ip="198.51.100.9"))
        assert await store.get(row.sid) == (row, None)

    @on_a_loop
    async def test_inserts_one_of_many_at_once(self, store: Store, other: Store) -> None:
        row = session_of()
        wins = await at_once(20, lambda n: (store, other)[n % 2].create(replace(row, ip=f"192.0.2.{n}")))
        assert sorted(wins) == [False] * 19 + [True]
        found, _ = await store.get(row.sid)
        assert found == replace(row, ip=f"192.0.2.{wins.index(True)}")

    @on_a_loop
    async def test_has_no_row_of_an_id_that_nobody_made(self, store: Store) -> None:
        await store.create(session_of())
        for sid in ("", "nope", "a\x00b", "\ud800", "é", "%", "x" * 10_000, session_of().sid, session_of().sid.upper()):
            assert await store.get(sid) == (None, None)
            assert await store.get(sid, "alice") == (None, None)

    @on_a_loop
    async def test_gives_the_cutoff_of_the_rows_own_subject_unless_another_is_named(self, store: Store) -> None:
        row = session_of("alice")
        await store.create(row)
        alice = await store.revoke(cut_off("alice", NOW + 10))
        bob = await store.revoke(cut_off("bob", NOW + 20))
        assert await store.get(row.sid) == (row, Cutoff(at=alice.at))
        assert await store.get(row.sid, "bob") == (row, Cutoff(at=bob.at))
        assert await store.get(row.sid, "carol") == (row, None)
        assert await store.get("", "bob") == (None, Cutoff(at=bob.at))

    @on_a_loop
    async def test_keeps_the_retry_hash_of_a_session_that_begins_with_its_first_refresh(self, store: Store) -> None:
        row = session_of(retry_hash="a" * 32)
        assert await store.create(row)
        assert await store.get(row.sid) == (row, None)
        assert "aaaa" not in repr(row)

    # List

    @on_a_loop
    async def test_lists_sessions_newest_first(self, store: Store) -> None:
        rows = [session_of(created_at=NOW - age * HOUR) for age in (3, 1, 4, 2)]
        for row in rows:
            await store.create(row)
        await store.create(session_of("bob"))
        listed = await store.list("alice", NOW)
        assert listed == sorted(rows, key=lambda row: -row.created_at)
        assert await store.list("alice", NOW, limit=2) == listed[:2]

    @on_a_loop
    async def test_lists_more_sessions_than_it_reads_at_once(self, store: Store) -> None:
        rows = [session_of(created_at=NOW - age) for age in range(130)]
        for row in rows:
            await store.create(row)
        assert await store.list("alice", NOW, limit=1000) == rows
        assert await store.list("alice", NOW) == rows[:100]

    @on_a_loop
    async def test_does_not_list_what_is_over(self, store: Store) -> None:
        endless = session_of(expires_at=None)
        ends_later = session_of(expires_at=NOW + 1)
        ended, revoked = session_of(expires_at=NOW), session_of()
        for row in (endless, ends_later, ended, revoked):
            await store.create(row)
        await store.revoke(end_session(revoked))
        assert {one.sid for one in await store.list("alice", NOW)} == {endless.sid, ends_later.sid}

    @on_a_loop
    async def test_lists_of_those_before_a_cutoff_only_the_spared(self, store: Store) -> None:
        old, kept = session_of(created_at=NOW - HOUR), session_of(created_at=NOW - 2 * HOUR)
        for row in (old, kept):
            await store.create(row)
        await store.revoke(cut_off(at=NOW, spared=kept.sid))
        new = session_of(created_at=NOW)
        await store.create(new)
        assert await store.list("alice", NOW) == [new, kept]
