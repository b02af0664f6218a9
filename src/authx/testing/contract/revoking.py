# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""What ends when a session, a subject or everyone is revoked."""

import asyncio
from dataclasses import replace

from authx.core.ids import session_created_at
from authx.core.session import Cutoff, Revocation, Session
from authx.stores import Store
from authx.testing.contract.harness import (
    HOUR,
    NOW,
    advance,
    at_once,
    cut_off,
    end_everything,
    end_session,
    on_a_loop,
    session_of,
)

__all__ = ["RevokingContract"]

TWIN_OF_ALICE = "user-16401"


class RevokingContract:
    """See `StoreContract`."""

    # Revoking a session

    @on_a_loop
    async def test_revoking_a_session_marks_its_row(self, store: Store, other: Store) -> None:
        row = session_of()
        await store.create(row)
        one = end_session(row, reason="reused", expires_at=NOW)
        stored = await store.revoke(one)
        assert (stored.kind, stored.key, stored.at) == ("session", row.sid, one.at)
        found, _ = await other.get(row.sid)
        assert found == replace(row, revoked_at=one.at, revoked_reason="reused")

    @on_a_loop
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

    @on_a_loop
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

    @on_a_loop
    async def test_revoking_a_session_again_changes_nothing_of_its_row(self, store: Store) -> None:
        row = session_of()
        await store.create(row)
        await store.revoke(end_session(row, at=NOW + 1, reason="logout"))
        await store.revoke(end_session(row, at=NOW + 2, reason="reused"))
        found, _ = await store.get(row.sid)
        assert found == replace(row, revoked_at=NOW + 1, revoked_reason="logout")

    @on_a_loop
    async def test_revoking_a_session_moves_the_end_of_its_row_to_the_later_one(
        self, store: Store, other: Store
    ) -> None:
        for first, second, kept in (
            (NOW + HOUR, NOW + 2 * HOUR, NOW + 2 * HOUR),
            (NOW + 2 * HOUR, NOW + HOUR, NOW + 2 * HOUR),
            (NOW + HOUR, None, None),
            (None, NOW + HOUR, None),
        ):
            row = session_of(expires_at=first)
            await store.create(row)
            await store.revoke(end_session(row, expires_at=second))
            found, _ = await other.get(row.sid)
            assert found is not None
            assert (found.expires_at, found.revoked_at is None) == (kept, False)

    @on_a_loop
    async def test_revoking_a_session_again_moves_the_end_of_its_row_to_the_later_one(
        self, store: Store, other: Store
    ) -> None:
        for with_row in (True, False):
            row = session_of(expires_at=NOW + HOUR)
            if with_row:
                await store.create(row)
            for given, kept in (
                (NOW + HOUR, NOW + HOUR),
                (NOW + 3 * HOUR, NOW + 3 * HOUR),
                (NOW + 2 * HOUR, NOW + 3 * HOUR),
                (None, None),
                (NOW + 9 * HOUR, None),
            ):
                await store.revoke(end_session(row, at=NOW + 1, expires_at=given))
                found, _ = await other.get(row.sid)
                assert found is not None
                assert (found.expires_at, found.revoked_at) == (kept, NOW + 1)

    @on_a_loop
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

    @on_a_loop
    async def test_a_cutoff_is_the_latest_of_the_clock_the_stored_and_the_newest_session(self, store: Store) -> None:
        assert (await store.revoke(cut_off(at=NOW))).at == NOW
        assert (await store.revoke(cut_off(at=NOW - HOUR))).at == NOW
        await store.create(session_of(created_at=NOW + HOUR))
        await store.create(session_of("bob", created_at=NOW + 2 * HOUR))
        assert (await store.revoke(cut_off(at=NOW))).at == NOW + HOUR + 1
        assert (await store.revoke(cut_off(at=NOW + 3 * HOUR))).at == NOW + 3 * HOUR
        assert await store.get("", "alice") == (None, Cutoff(at=NOW + 3 * HOUR))

    @on_a_loop
    async def test_a_cutoff_spares_one_session_until_the_next_cutoff(self, store: Store, other: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        assert (await store.revoke(cut_off(spared=row.sid))).spared == row.sid
        assert await other.get(row.sid) == (row, Cutoff(at=NOW, spared=row.sid))
        assert (await store.revoke(cut_off(spared=row.sid))).spared == row.sid
        assert (await store.revoke(cut_off())).spared is None
        assert await other.get(row.sid) == (row, Cutoff(at=NOW))

    @on_a_loop
    async def test_a_cutoff_spares_a_session_that_was_never_refreshed_and_has_no_row(self, store: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        assert (await store.revoke(cut_off(spared=row.sid))).spared == row.sid
        await store.create(row)
        assert await advance(store, row) is not None

    @on_a_loop
    async def test_a_cutoff_moves_on_to_another_spared_session_only_if_that_lives(self, store: Store) -> None:
        old, new = session_of(created_at=NOW - 2 * HOUR), session_of(created_at=NOW - HOUR)
        for row in (old, new):
            await store.create(row)
        assert (await store.revoke(cut_off(spared=old.sid))).spared == old.sid
        assert (await store.revoke(cut_off(spared=new.sid))).spared is None
        assert (await store.revoke(cut_off(spared=old.sid))).spared is None

    @on_a_loop
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

    @on_a_loop
    async def test_a_cutoff_spares_no_session_of_another_whose_ids_look_like_the_subjects(self, store: Store) -> None:
        # Ids end in sixteen bits of a hash of the subject, and these two have the same.
        theirs = session_of(TWIN_OF_ALICE, created_at=NOW - HOUR)
        assert theirs.sid[-4:] == session_of("alice").sid[-4:]
        await store.create(theirs)
        assert (await store.revoke(cut_off("alice", spared=theirs.sid))).spared is None
        assert await store.get(theirs.sid) == (theirs, None)
        assert await store.list(TWIN_OF_ALICE, NOW) == [theirs]
        assert await advance(store, theirs, sub="alice") is None
        assert await advance(store, theirs) is not None

    @on_a_loop
    async def test_many_cutoffs_at_once_leave_the_latest(self, store: Store, other: Store) -> None:
        stored = await at_once(20, lambda n: (store, other)[n % 2].revoke(cut_off(at=NOW + n)))
        assert max(one.at for one in stored) == NOW + 19
        assert all(one.at >= NOW + number for number, one in enumerate(stored))
        assert await store.get("", "alice") == (None, Cutoff(at=NOW + 19))

    # Cutting off everyone

    @on_a_loop
    async def test_the_cutoff_of_everyone_is_part_of_each_subjects(self, store: Store, other: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        await store.revoke(cut_off("bob", at=NOW + HOUR))
        assert (await store.revoke(end_everything(NOW))).at == NOW
        assert await other.get(row.sid) == (row, Cutoff(at=NOW))
        assert await other.get("", "carol") == (None, Cutoff(at=NOW))
        assert await other.get("", "bob") == (None, Cutoff(at=NOW + HOUR))
        assert await other.list("alice", NOW) == []

    @on_a_loop
    async def test_the_cutoff_of_everyone_never_moves_back(self, store: Store) -> None:
        await store.revoke(end_everything(NOW))
        assert (await store.revoke(end_everything(NOW - HOUR))).at == NOW
        assert await store.get("", "alice") == (None, Cutoff(at=NOW))

    @on_a_loop
    async def test_the_cutoff_of_everyone_spares_nothing(self, store: Store) -> None:
        row = session_of(created_at=NOW - HOUR)
        await store.create(row)
        await store.revoke(cut_off(at=NOW + HOUR, spared=row.sid))
        await store.revoke(end_everything(NOW))
        assert await store.get(row.sid) == (row, Cutoff(at=NOW + HOUR))
        assert await advance(store, row) is None
        assert (await store.revoke(cut_off(at=NOW + HOUR, spared=row.sid))).spared is None
