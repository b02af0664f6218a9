"""What went wrong between a store and its SQLite file, in this library's words."""

import sqlite3
from pathlib import Path
from typing import Final

from authx.exceptions import AuthXException, BadConfigurationError, StoreUnavailableError

__all__ = ["explained", "is_locked", "is_unreadable_text", "refused"]

_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNAVAILABLE: Final = _LOCKED | {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
_MISSING: Final = ("no such table", "no such column", "has no column")


def is_locked(error: sqlite3.Error) -> bool:
    """Return whether another process or thread holds the lock that a statement needs; trying again soon helps."""
    return _code(error) in _LOCKED


def is_unreadable_text(error: sqlite3.Error) -> bool:
    """Return whether an error means that a column holds text that is not UTF-8."""
    return isinstance(error, sqlite3.OperationalError) and _code(error) is None


def explained(error: sqlite3.Error, path: Path) -> Exception:
    """Return the error to raise for one that a statement met; one that is about the statement itself stays as it is."""
    code = _code(error)
    if code in _UNAVAILABLE:
        return StoreUnavailableError(f"The database {path.name} does not answer: {error}")
    if code == sqlite3.SQLITE_ERROR and any(words in str(error) for words in _MISSING):
        return BadConfigurationError(
            f"The database {path} lacks a table or a column ({error}): create or upgrade the schema with "
            "JWT_STORE_CREATE_SCHEMA, or run what `authx schema sqlite` prints"
        )
    return error


def refused(error: sqlite3.Error, path: Path) -> AuthXException:
    """Return the error to raise for one that was met while opening the file."""
    if is_locked(error):
        return StoreUnavailableError(f"The database {path.name} is locked")
    if _code(error) == sqlite3.SQLITE_NOTADB:
        return BadConfigurationError(f"{path} is not an SQLite database; name another file")
    return BadConfigurationError(
        f"The database {path} cannot be opened ({error}); its directory must exist and be writable"
    )


def _code(error: sqlite3.Error) -> int | None:
    # Errors that Python's module makes itself have none.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
