import pytest

from authx.stores.postgresql import PostgreSQLStore
from authx.testing.contract import MakeStore, StoreContract


class TestContract(StoreContract):
    @pytest.fixture
    def make_store(self, postgres_url, postgres_prefix) -> MakeStore:
        return lambda: PostgreSQLStore(postgres_url, prefix=postgres_prefix)
