"""What tests of an application, and of a store, need: a clock to move, clients that are logged in, stores that fail.

Nothing of the library imports this package.
"""

from typing import TYPE_CHECKING, Any

from authx.testing.clock import Clock
from authx.testing.faulty import FaultyStore
from authx.testing.login import login_client

if TYPE_CHECKING:
    from authx.testing.contract import StoreContract

__all__ = ["Clock", "FaultyStore", "StoreContract", "login_client"]


def __getattr__(name: str) -> Any:
    # The contract needs pytest, which tests of an application may do without.
    if name != "StoreContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from authx.testing.contract import StoreContract

    return StoreContract
