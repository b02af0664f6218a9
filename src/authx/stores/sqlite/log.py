"""Moving SQLite's write-ahead log into the database file."""

import sqlite3
from pathlib import Path
from typing import Final

__all__ = ["checkpoint"]

_LARGEST: Final = 64 * 1024 * 1024
_MOST_PASSES: Final = 4
_FEW_FRAMES: Final = 1000
_WAIT_MS: Final = 500


def checkpoint(connection: sqlite3.Connection, log: Path) -> None:
    """Move what no reader needs any more into the file; where the log has grown long, make it begin anew."""
    _move(connection)
    if log.stat().st_size <= _LARGEST:
        return
    # Under constant writing the passive kind never gets to begin the log anew. The other kind locks the file for as
    # long as there is something left to do.
    for _ in range(_MOST_PASSES):
        if _move(connection) < _FEW_FRAMES:
            break
    connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}").fetchall()
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout = 0").fetchall()


def _move(connection: sqlite3.Connection) -> int:
    """Move what can be moved without a lock, and return how many frames are left."""
    ((_, frames, moved),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    left: int = frames - moved
    return left
