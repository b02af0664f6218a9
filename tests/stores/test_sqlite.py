import pytest

from authx.stores.sqlite import SQLiteStore
from authx.testing.contract import MakeStore, StoreContract


class TestContract(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path) -> MakeStore:
        return lambda: SQLiteStore(tmp_path / "auth.db")
