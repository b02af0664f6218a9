# ruff: noqa: S101, D102 - a contract is made of assertions, and a test's name is its sentence
"""What a store does when it is opened and closed."""

import asyncio

from authx.core.session import Session
from authx.stores import Store
from authx.testing.contract.harness import MakeStore, advance, on_a_loop, session_of

__all__ = ["OpeningContract"]


class OpeningContract:
    """See `StoreContract`."""

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

    @on_a_loop
    async def test_creates_its_schema_once_however_many_do_so(self, store: Store, other: Store) -> None:
        await asyncio.gather(*(each.create_schema() for each in (store, other) * 3))
        row = session_of()
        await store.create(row)
        await other.create_schema()
        assert await other.get(row.sid) == (row, None)
