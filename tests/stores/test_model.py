"""Every store behaves as the model does, whatever happens in whatever order."""

import secrets

from authx.stores import Store
from authx.stores.memory import MemoryStore
from authx.stores.postgresql import PostgreSQLStore
from authx.stores.redis import RedisStore
from authx.stores.sqlite import SQLiteStore

from .model import check_model
from .postgres_server import drop_tables
from .servers import a_node


def test_memory():
    async def make() -> Store:
        return MemoryStore()

    check_model(make, examples=100)


def test_sqlite(tmp_path):
    async def make() -> Store:
        store = SQLiteStore(tmp_path / f"{secrets.token_hex(6)}.db")
        await store.open()
        await store.create_schema()
        return store

    check_model(make, examples=25)


def test_postgresql(postgres_url, postgres_prefix):
    async def make() -> Store:
        await drop_tables(postgres_url, postgres_prefix)
        store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
        await store.open()
        await store.create_schema()
        return store

    check_model(make, examples=25)


def test_redis():
    with a_node() as node:

        async def make() -> Store:
            store = RedisStore(node.url, prefix=f"t{secrets.token_hex(6)}_")
            await store.open()
            await store.create_schema()
            return store

        check_model(make, examples=25)
