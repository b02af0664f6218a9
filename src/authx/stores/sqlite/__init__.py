"""The store in an SQLite file."""

from authx.stores.sqlite.store import SQLiteStore, schema

__all__ = ["SQLiteStore", "schema"]
