"""The store in PostgreSQL."""

from typing import TYPE_CHECKING, Any

from authx.stores.postgresql.statements import schema

if TYPE_CHECKING:
    from authx.stores.postgresql.store import PostgreSQLStore

__all__ = ["PostgreSQLStore", "schema"]


def __getattr__(name: str) -> Any:
    """Import the store, and with it the driver, only for those who use it: the schema is printed without them."""
    if name != "PostgreSQLStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from authx.stores.postgresql import store

    return store.PostgreSQLStore
