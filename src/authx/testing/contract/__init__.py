"""What every session store has to do, as tests that a store's own test class inherits.

```python
class TestMyStore(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path):
        return lambda: MyStore(tmp_path / "sessions")
```

The tests are coroutines, and need no plugin: each runs on an event loop of its own.
"""

from typing import ClassVar

import pytest

# Before they are imported, so that a test that fails shows the values it compared.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("advancing", "feed", "namespaces", "opening", "pruning", "revoking", "rows"))
)

from authx.testing.contract.advancing import AdvancingContract  # noqa: E402
from authx.testing.contract.feed import FeedContract  # noqa: E402
from authx.testing.contract.harness import MakeStore  # noqa: E402
from authx.testing.contract.namespaces import NamespacesContract  # noqa: E402
from authx.testing.contract.opening import OpeningContract  # noqa: E402
from authx.testing.contract.pruning import PruningContract  # noqa: E402
from authx.testing.contract.revoking import RevokingContract  # noqa: E402
from authx.testing.contract.rows import RowsContract  # noqa: E402

__all__ = ["MakeStore", "StoreContract"]


class StoreContract(
    OpeningContract,
    RowsContract,
    AdvancingContract,
    RevokingContract,
    FeedContract,
    PruningContract,
    NamespacesContract,
):
    """Inherit it in a test class, and override `make_store`.

    The tests of namespaces are skipped for a store without `namespace`.

    Attributes:
        deletes_sessions_itself: Whether rows of sessions go by the store's own clock rather than by `prune`.
    """

    deletes_sessions_itself: ClassVar[bool] = False

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Give what makes the store under test: each call another object over the same data, which is empty at first.

        A store whose data does not leave its object may give the same object again.
        """
        raise NotImplementedError("override the fixture make_store")
