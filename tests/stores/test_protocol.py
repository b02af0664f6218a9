"""On every store, the refresh protocol signs no honest client out, and notices the others."""

import secrets

from authx.stores import Store
from authx.stores.memory import MemoryStore
from authx.stores.postgresql import PostgreSQLStore
from authx.stores.redis import RedisStore
from authx.stores.sqlite import SQLiteStore

from .postgres_server import drop_tables
from .protocol import check_protocol
from .servers import a_node


def test_memory():
    async def make() -> Store:
        return MemoryStore()

    check_protocol(make, examples=150)


def test_sqlite(tmp_path):
    async def make() -> Store:
        store = SQLiteStore(tmp_path / f"{secrets.token_hex(6)}.db")
        await store.open()
        await store.create_schema()
        return store

    check_protocol(make, examples=20)


def test_postgresql(postgres_url, postgres_prefix):
    async def make() -> Store:
        await drop_tables(postgres_url, postgres_prefix)
        store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
        await store.open()
        await store.create_schema()
        return store

    check_protocol(make, examples=15)


def test_redis():
    with a_node() as node:

        async def make() -> Store:
            store = RedisStore(node.url, prefix=f"t{secrets.token_hex(6)}_")
            await store.open()
            await store.create_schema()
            return store

        check_protocol(make, examples=15)
