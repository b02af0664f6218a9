# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""What a store does for instances with different login types over one place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import pytest

from authx.core.session import Cutoff
from authx.stores import NamespacedStore, Store
from authx.testing.contract.harness import (
    DAY,
    NOW,
    SECONDS,
    advance,
    cut_off,
    end_everything,
    end_session,
    end_token,
    on_a_loop,
    session_of,
    summary,
)

__all__ = ["NamespacesContract"]

# Each could become another one of them where a name is cut, folded or put together carelessly.
_NAMES: Final = (
    *("admin", "Admin", "admin ", "admin_", "_admin", "ad_min", "ad__min", "1", "", " ", "\x00", "管理", "管理者"),
    *("sessions", "meta", "{feed}", "verwaltung" * 30, "verwaltung" * 30 + "x", "'; DROP TABLE users; --"),
)


@asynccontextmanager
async def _opened(store: Store, *names: str) -> AsyncIterator[tuple[Store, ...]]:
    """Open namespaces of a store; skip the test of a store that has none."""
    if not isinstance(store, NamespacedStore):
        pytest.skip("this store has no namespaces, so it can only serve one instance, without a login type")
    async with AsyncExitStack() as stack:
        found = tuple(store.namespace(name) for name in names)
        for each in found:
            stack.push_async_callback(each.close)
            await each.open()
            await each.create_schema()
        yield found


class NamespacesContract:
    """See `StoreContract`."""

    # Namespaces

    @on_a_loop
    async def test_a_session_is_in_its_own_namespace_only(self, store: Store) -> None:
        row = session_of()
        async with _opened(store, "admin", "user") as (admin, user):
            await admin.create(row)
            assert await admin.get(row.sid) == (row, None)
            for elsewhere in (store, user):
                assert await elsewhere.get(row.sid, "alice") == (None, None)
                assert await elsewhere.list("alice", NOW) == []
                assert await advance(elsewhere, row) is None
                assert await elsewhere.create(row)
            assert await admin.list("alice", NOW) == [row]

    @on_a_loop
    async def test_what_is_revoked_is_revoked_in_its_own_namespace_only(self, store: Store) -> None:
        row = session_of()
        async with _opened(store, "admin", "user") as (admin, user):
            for each in (store, admin, user):
                await each.create(row)
            for revocation in (end_session(row), cut_off(at=NOW + 1), end_everything(NOW + 1), end_token()):
                await admin.revoke(revocation)
            assert len((await admin.revocations(""))[0]) == 4
            for elsewhere in (store, user):
                assert await elsewhere.get(row.sid) == (row, None)
                assert await elsewhere.list("alice", NOW) == [row]
                assert (await elsewhere.revocations(""))[0] == []
                assert (await elsewhere.count_live(NOW))[0] == 0
                assert await advance(elsewhere, row) is not None

    @on_a_loop
    async def test_what_is_revoked_without_a_namespace_is_revoked_there_only(self, store: Store) -> None:
        row = session_of()
        async with _opened(store, "admin") as (admin,):
            await admin.create(row)
            for revocation in (end_session(row), cut_off(at=NOW + 1), end_everything(NOW + 1), end_token()):
                await store.revoke(revocation)
            assert await admin.get(row.sid) == (row, None)
            assert (await admin.revocations(""))[0] == []
            assert (await admin.count_live(NOW))[0] == 0

    @on_a_loop
    async def test_the_cursor_of_a_namespace_is_not_moved_by_another(self, store: Store) -> None:
        async with _opened(store, "admin", "user") as (admin, user):
            await admin.revoke(end_token("first"))
            _, cursor = await admin.revocations("")
            await user.revoke(end_token("theirs"))
            await store.revoke(end_token("also-theirs"))
            await admin.revoke(end_token("second"))
            assert summary((await admin.revocations(cursor))[0]) == [("token", "second")]

    @on_a_loop
    async def test_a_revocation_in_a_namespace_wakes_those_who_wait_there(self, store: Store) -> None:
        async with _opened(store, "admin") as (admin,):
            _, cursor = await admin.revocations("")
            waiting = asyncio.create_task(admin.wait(cursor, 3600))
            await asyncio.sleep(0.05)
            await admin.revoke(end_token())
            async with asyncio.timeout(SECONDS):
                await waiting

    @on_a_loop
    async def test_pruning_a_namespace_deletes_nothing_elsewhere(self, store: Store) -> None:
        async with _opened(store, "admin", "user") as (admin, user):
            for each in (store, admin, user):
                for number in range(3):
                    await each.revoke(end_token(str(number), until=NOW))
            while await admin.prune(NOW + 10 * DAY, 100):
                pass
            for elsewhere in (store, user):
                assert len((await elsewhere.revocations(""))[0]) == 3

    @on_a_loop
    async def test_one_name_leads_to_one_namespace_from_everywhere(self, store: Store, other: Store) -> None:
        row = session_of()
        async with _opened(store, "admin") as (here,), _opened(other, "admin") as (there,):
            await here.create(row)
            await there.revoke(cut_off(at=NOW - DAY))
            assert await there.get(row.sid) == await here.get(row.sid) == (row, Cutoff(at=NOW + 1))

    @on_a_loop
    async def test_two_names_never_lead_to_one_namespace(self, store: Store) -> None:
        row = session_of()
        async with _opened(store, *_NAMES) as namespaces:
            for each in (store, *namespaces):
                assert await each.create(row)

    @on_a_loop
    async def test_a_namespace_has_namespaces_of_its_own(self, store: Store) -> None:
        row = session_of()
        async with (
            _opened(store, "a", "b", "ab", "a_b", "a__b") as namespaces,
            _opened(namespaces[0], "b", "a") as inner,
        ):
            for each in (store, *namespaces, *inner):
                assert await each.create(row)

    @on_a_loop
    async def test_a_namespace_stays_open_when_others_are_closed(self, store: Store) -> None:
        row = session_of()
        async with _opened(store, "admin") as (admin,):
            async with _opened(store, "user", "admin"):
                pass
            await store.close()
            assert await admin.create(row)
            assert await advance(admin, row) is not None
