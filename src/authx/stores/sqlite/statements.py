# ruff: noqa: S608 - all that is written into a statement is the prefix, which is checked
"""The tables of the SQLite store, and its statements."""

from typing import Final

from authx.stores.prefixes import require_prefix
from authx.stores.rows import COLUMNS

__all__ = ["SCHEMA_VERSION", "Statements", "schema"]

SCHEMA_VERSION: Final = 2

_TABLES: Final = """\
-- The tables of version {version}. To upgrade tables of version 1, run these two statements first:
--     ALTER TABLE {p}sessions ADD COLUMN retry_hash TEXT;
--     UPDATE {p}meta SET value = 2 WHERE name = 'schema_version';

CREATE TABLE IF NOT EXISTS {p}meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS {p}sessions (
    sid TEXT PRIMARY KEY,
    sub TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revoked_reason TEXT,
    ip TEXT,
    user_agent TEXT,
    device TEXT,
    prune_at INTEGER,
    retry_hash TEXT
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS {p}sessions_of_subject ON {p}sessions (sub, created_at);

-- Not on expires_at, which moves at every rotation: an index on it doubles the cost of one.
CREATE INDEX IF NOT EXISTS {p}sessions_to_prune ON {p}sessions (prune_at) WHERE prune_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS {p}cutoffs (
    sub TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    spared TEXT
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS {p}revocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER,
    reason TEXT NOT NULL,
    sub TEXT,
    spared TEXT,
    UNIQUE (kind, key)
);

CREATE INDEX IF NOT EXISTS {p}revocations_until ON {p}revocations (until);

INSERT INTO {p}meta (name, value) VALUES ('schema_version', {version}) ON CONFLICT (name) DO NOTHING;
"""


def schema(prefix: str = "authx_") -> str:
    """Write the statements that create the tables with a prefix; repeating them changes nothing."""
    return _TABLES.format(p=require_prefix(prefix), version=SCHEMA_VERSION)


class Statements:
    """The store's statements, for a prefix that has been checked."""

    def __init__(self, prefix: str) -> None:
        columns = ", ".join(COLUMNS)
        row = ", ".join(f"s.{name}" for name in COLUMNS)
        everyone = f"(SELECT value FROM {prefix}meta WHERE name = 'everyone')"
        self.has_tables = f"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{prefix}meta'"
        self.version = f"SELECT value FROM {prefix}meta WHERE name = 'schema_version'"
        self.columns = f"SELECT name FROM pragma_table_info('{prefix}sessions')"
        self.add_retry_hash = f"ALTER TABLE {prefix}sessions ADD COLUMN retry_hash TEXT"
        self.upgraded = f"UPDATE {prefix}meta SET value = {SCHEMA_VERSION} WHERE name = 'schema_version' AND value = 1"
        self.create = f"""
            INSERT INTO {prefix}sessions ({columns}, prune_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?6)
            ON CONFLICT (sid) DO NOTHING"""
        self.get = f"""
            SELECT {row}, c.at, c.spared, {everyone}
            FROM (SELECT 1) LEFT JOIN {prefix}sessions AS s ON s.sid = ?1
            LEFT JOIN {prefix}cutoffs AS c ON c.sub = coalesce(?2, s.sub)"""
        self.list = f"""
            SELECT {row}
            FROM {prefix}sessions AS s LEFT JOIN {prefix}cutoffs AS c ON c.sub = s.sub
            WHERE s.sub = ?1 AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > ?2)
                AND (c.at IS NULL OR s.created_at >= c.at OR s.sid = c.spared)
                AND s.created_at >= coalesce({everyone}, 0)
            ORDER BY s.created_at DESC, s.sid DESC LIMIT ?3"""
        # Returns what of the new row the caller does not know.
        self.advance = f"""
            UPDATE {prefix}sessions SET
                generation = ?4,
                rotated_at = ?5,
                expires_at = CASE WHEN expires_at IS NULL OR ?6 IS NULL THEN NULL ELSE max(expires_at, ?6) END,
                retry_hash = ?7,
                ip = ?8,
                user_agent = ?9
            WHERE sid = ?1 AND sub = ?2 AND generation = ?3
                AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?5)
                AND NOT EXISTS (SELECT 1 FROM {prefix}cutoffs AS c
                    WHERE c.sub = ?2 AND c.at > created_at AND c.spared IS NOT ?1)
                AND created_at >= coalesce({everyone}, 0)
            RETURNING created_at, expires_at, revoked_reason, device"""
        self.revoke_session = f"""
            INSERT INTO {prefix}sessions
                (sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, revoked_reason, prune_at)
            VALUES (?1, ?2, 0, ?3, ?3, ?4, ?5, ?6, ?4)
            ON CONFLICT (sid) DO UPDATE SET
                expires_at = CASE WHEN expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                    ELSE max(expires_at, excluded.expires_at) END,
                revoked_at = coalesce(revoked_at, excluded.revoked_at),
                revoked_reason = CASE WHEN revoked_at IS NULL THEN excluded.revoked_reason ELSE revoked_reason END"""
        # A session without a row is one that was never refreshed, and may be spared.
        self.spares = f"""
            SELECT NOT EXISTS (SELECT 1 FROM {prefix}sessions
                    WHERE sid = ?1 AND (sub <> ?2 OR revoked_at IS NOT NULL))
                AND NOT EXISTS (SELECT 1 FROM {prefix}cutoffs
                    WHERE sub = ?2 AND at > ?3 AND spared IS NOT ?1)
                AND ?3 >= coalesce({everyone}, 0)"""
        self.cut_off = f"""
            INSERT INTO {prefix}cutoffs AS c (sub, at, spared)
            VALUES (?1, max(?2, coalesce((SELECT max(created_at) + 1 FROM {prefix}sessions WHERE sub = ?1), 0)), ?3)
            ON CONFLICT (sub) DO UPDATE SET at = max(c.at, excluded.at), spared = excluded.spared
            RETURNING at"""
        self.cut_off_everyone = f"""
            INSERT INTO {prefix}meta AS m (name, value) VALUES ('everyone', ?1)
            ON CONFLICT (name) DO UPDATE SET value = max(m.value, excluded.value)
            RETURNING value"""
        # Replacing gives a repeated revocation a new number, so that a reader sees it again.
        self.note = f"""
            INSERT OR REPLACE INTO {prefix}revocations (kind, key, at, until, reason, sub, spared)
            SELECT ?1, ?2, ?3,
                CASE WHEN ?4 IS NULL OR (old.number IS NOT NULL AND old.until IS NULL) THEN NULL
                    ELSE max(?4, coalesce(old.until, 0)) END,
                ?5, ?6, ?7
            FROM (SELECT 1) LEFT JOIN {prefix}revocations AS old ON old.kind = ?1 AND old.key = ?2"""
        self.revocations = f"""
            SELECT number, kind, key, at, until, reason, sub, spared FROM {prefix}revocations
            WHERE number >= ?1 ORDER BY number LIMIT ?2"""
        self.newest = f"SELECT max(number) FROM {prefix}revocations"
        self.count_live = f"""
            SELECT count(*), (SELECT max(number) FROM {prefix}revocations) FROM {prefix}revocations
            WHERE until IS NULL OR until > ?1"""
        self.due = f"""
            SELECT sid, expires_at FROM {prefix}sessions
            WHERE prune_at < ?1 ORDER BY prune_at LIMIT ?2"""
        self.postpone = f"UPDATE {prefix}sessions SET prune_at = expires_at WHERE sid = ?1"
        self.prune_session = f"DELETE FROM {prefix}sessions WHERE sid = ?1"
        # The newest number stays: it shows that no reader's cursor is ahead of the table.
        self.prune_revocations = f"""
            DELETE FROM {prefix}revocations WHERE number IN (
                SELECT number FROM {prefix}revocations
                WHERE until < ?1 AND kind <> 'everyone'
                    AND number < (SELECT max(number) FROM {prefix}revocations)
                ORDER BY until LIMIT ?2)"""
