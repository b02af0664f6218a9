"""What the SQLite store does in one transaction: plain calls of a connection, run in its thread."""

import sqlite3
from dataclasses import replace

from authx.core.ids import is_session_id_of, session_created_at
from authx.core.session import Revocation
from authx.stores.sqlite.statements import Statements

__all__ = ["create_tables", "prune_revocations", "prune_sessions", "revoke"]


def create_tables(connection: sqlite3.Connection, sql: Statements, tables: str) -> None:
    """Create the tables that are not there yet, and upgrade those of version 1."""
    statement = ""
    for line in tables.splitlines(keepends=True):
        statement += line
        # Not `executescript`: it would commit what comes before it.
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    if ("retry_hash",) not in connection.execute(sql.columns).fetchall():
        connection.execute(sql.add_retry_hash)
    connection.execute(sql.upgraded)


def revoke(connection: sqlite3.Connection, sql: Statements, revocation: Revocation) -> Revocation:
    """End something, note it for the readers, and return it as it was stored."""
    one, at, spared = revocation, revocation.at, None
    if one.kind == "session":
        created_at = session_created_at(one.key)
        connection.execute(sql.revoke_session, (one.key, one.sub or "", created_at, one.expires_at, one.at, one.reason))
    elif one.kind == "subject":
        if one.spared is not None and is_session_id_of(one.spared, one.key):
            values = (one.spared, one.key, session_created_at(one.spared))
            spared = one.spared if connection.execute(sql.spares, values).fetchone()[0] else None
        at = connection.execute(sql.cut_off, (one.key, one.at, spared)).fetchall()[0][0]
    elif one.kind == "everyone":
        at = connection.execute(sql.cut_off_everyone, (one.at,)).fetchall()[0][0]
    connection.execute(sql.note, (one.kind, one.key, at, one.until, one.reason, one.sub, spared))
    return replace(one, at=at, spared=spared)


def prune_sessions(connection: sqlite3.Connection, sql: Statements, before: int, limit: int) -> tuple[int, int]:
    """Delete sessions that expired before a time, among `limit` that may have; return how many, of how many."""
    due = connection.execute(sql.due, (before, limit)).fetchall()
    gone = 0
    for sid, expires_at in due:
        if type(expires_at) is int and expires_at < before:
            connection.execute(sql.prune_session, (sid,))
            gone += 1
        else:
            # Refreshed since it was put on the list: it gets its place by what it has now.
            connection.execute(sql.postpone, (sid,))
    return gone, len(due)


def prune_revocations(connection: sqlite3.Connection, sql: Statements, before: int, limit: int) -> tuple[int, int]:
    """Delete at most `limit` revocations that did not matter any more at a time; return how many, twice."""
    gone = connection.execute(sql.prune_revocations, (before, limit)).rowcount
    return gone, gone
