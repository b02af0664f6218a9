# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""The list of revocations: its order, its cursors, its count, and waiting for the next one."""

import asyncio

from authx.stores import Store
from authx.testing.contract.harness import (
    HOUR,
    NOW,
    SECONDS,
    at_once,
    cut_off,
    end_everything,
    end_session,
    end_token,
    on_a_loop,
    session_of,
    summary,
)

__all__ = ["FeedContract"]


class FeedContract:
    """See `StoreContract`."""

    # The list of revocations

    @on_a_loop
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

    @on_a_loop
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

    @on_a_loop
    async def test_lists_everything_for_a_cursor_that_means_nothing(self, store: Store) -> None:
        await store.revoke(end_token("first"))
        await store.revoke(end_token("second"))
        for cursor in ("", "nonsense", "-", "999999", "x-1", "1-x", "\x00", "é", "-1"):
            listed, _ = await store.revocations(cursor)
            assert summary(listed) == [("token", "first"), ("token", "second")]

    @on_a_loop
    async def test_lists_thousands_of_revocations(self, store: Store) -> None:
        async def revoke_many(number: int) -> None:
            for n in range(number, 2400, 50):
                await store.revoke(end_token(f"jti-{n}"))

        await at_once(50, revoke_many)
        listed, cursor = await store.revocations("")
        assert {one.key for one in listed} == {f"jti-{n}" for n in range(2400)}
        assert len(listed) == 2400
        assert await store.revocations(cursor) == ([], cursor)

    @on_a_loop
    async def test_lists_what_is_revoked_again_again(self, store: Store) -> None:
        await store.revoke(end_token("first"))
        await store.revoke(end_token("second"))
        _, cursor = await store.revocations("")
        await store.revoke(end_token("first"))
        listed, _ = await store.revocations(cursor)
        assert summary(listed) == [("token", "first")]
        listed, _ = await store.revocations("")
        assert summary(listed) == [("token", "second"), ("token", "first")]

    @on_a_loop
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

    @on_a_loop
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

    @on_a_loop
    async def test_counts_each_revocation_that_still_matters_once(self, store: Store, other: Store) -> None:
        assert (await store.count_live(NOW))[0] == 0
        await store.revoke(end_token("over", until=NOW))
        await store.revoke(end_token("nearly", until=NOW + 1))
        await store.revoke(end_token("never", until=None))
        await store.revoke(end_token("never", until=None))
        await store.revoke(end_session(session_of()))
        await other.revoke(cut_off())
        await store.revoke(end_everything())
        _, cursor = await store.revocations("")
        assert await store.count_live(NOW) == (5, cursor)
        assert await store.count_live(NOW + 1) == (4, cursor)

    # Waiting

    @on_a_loop
    async def test_waits_in_vain_for_no_longer_than_asked(self, store: Store) -> None:
        await store.revoke(end_token())
        _, cursor = await store.revocations("")
        async with asyncio.timeout(SECONDS):
            await store.wait(cursor, 0.05)

    @on_a_loop
    async def test_is_woken_by_a_revocation_of_its_own(self, store: Store) -> None:
        _, cursor = await store.revocations("")
        waiting = asyncio.create_task(store.wait(cursor, 3600))
        await asyncio.sleep(0.05)
        await store.revoke(end_token())
        async with asyncio.timeout(SECONDS):
            await waiting

    @on_a_loop
    async def test_notices_a_revocation_of_another_within_the_time_that_it_waits(
        self, store: Store, other: Store
    ) -> None:
        _, cursor = await store.revocations("")
        waiting = asyncio.create_task(store.wait(cursor, 0.1))
        await asyncio.sleep(0.02)
        await other.revoke(end_token())
        await waiting
        assert summary((await store.revocations(cursor))[0]) == [("token", "jti-1")]

    @on_a_loop
    async def test_does_not_wait_where_something_new_is_listed_already(self, store: Store, other: Store) -> None:
        for mine in (store, other):
            _, cursor = await store.revocations("")
            await mine.revoke(end_token())
            async with asyncio.timeout(SECONDS):
                await store.wait(cursor, 3600)
