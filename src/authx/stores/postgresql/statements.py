# ruff: noqa: S608 - all that is written into a statement is the prefix, which is checked
"""The tables of the PostgreSQL store, and its statements."""

from hashlib import sha256
from typing import Final

from authx.stores.prefixes import require_prefix
from authx.stores.rows import COLUMNS

__all__ = ["SCHEMA_VERSION", "Statements", "schema"]

SCHEMA_VERSION: Final = 2

_TABLES: Final = """\
CREATE TABLE IF NOT EXISTS {p}meta (
    name text PRIMARY KEY,
    value bigint NOT NULL
);

-- A tenth of each page is left free, so that a rotation finds room on it and touches no index.
CREATE TABLE IF NOT EXISTS {p}sessions (
    sid text COLLATE "C" PRIMARY KEY,
    sub text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    created_at bigint NOT NULL,
    rotated_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    revoked_reason text,
    ip text,
    user_agent text,
    device text,
    prune_at bigint,
    retry_hash text
) WITH (fillfactor = 90);

CREATE INDEX IF NOT EXISTS {p}sessions_of_subject ON {p}sessions (sub, created_at);

-- Not on expires_at, which moves at every rotation: an index on it would have to move along.
CREATE INDEX IF NOT EXISTS {p}sessions_to_prune ON {p}sessions (prune_at) WHERE prune_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS {p}cutoffs (
    sub text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL,
    spared text COLLATE "C"
);

CREATE TABLE IF NOT EXISTS {p}revocations (
    number bigint PRIMARY KEY,
    kind text NOT NULL,
    key text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    until bigint,
    reason text NOT NULL,
    sub text,
    spared text,
    UNIQUE (kind, key)
);

CREATE INDEX IF NOT EXISTS {p}revocations_until ON {p}revocations (until);

CREATE SEQUENCE IF NOT EXISTS {p}revocation_number OWNED BY {p}revocations.number;

-- Upgrades the tables of version 1.
ALTER TABLE {p}sessions ADD COLUMN IF NOT EXISTS retry_hash text;

INSERT INTO {p}meta AS m (name, value) VALUES ('schema_version', {version})
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE m.value < excluded.value;
"""


def schema(prefix: str = "authx_") -> str:
    """Write the statements that create the tables with a prefix; repeating them changes nothing."""
    return _TABLES.format(p=require_prefix(prefix), version=SCHEMA_VERSION)


class Statements:
    """The store's statements, for a prefix that has been checked; each is one round trip and one transaction."""

    def __init__(self, prefix: str) -> None:
        p = prefix
        columns = ", ".join(COLUMNS)
        row = ", ".join(f"s.{name}" for name in COLUMNS)
        everyone = f"(SELECT value FROM {p}meta WHERE name = 'everyone')"
        channel = f"{p}revocations"
        # Whoever draws a number holds this lock until the commit, so numbers become visible in their order.
        lock = int.from_bytes(sha256(f"authx {prefix}".encode()).digest()[:8], "big", signed=True)
        durable = "WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true) AS is_on)"
        locked = (
            "WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true) AS is_on, "
            f"pg_advisory_xact_lock({lock}) AS locked)"
        )
        noted = f"INSERT INTO {p}revocations AS r (number, kind, key, at, until, reason, sub, spared)"
        number = f"nextval('{p}revocation_number')"
        # What is revoked again gets a new number, so that a reader sees it again.
        renewed = f"""
                ON CONFLICT (kind, key) DO UPDATE SET
                    number = excluded.number, at = excluded.at,
                    until = CASE WHEN r.until IS NULL OR excluded.until IS NULL THEN NULL
                        ELSE greatest(r.until, excluded.until) END,
                    reason = excluded.reason, sub = excluded.sub, spared = excluded.spared
                RETURNING at, spared, pg_notify('{channel}', '')"""

        # Returns what of the new row the caller does not know.
        def advance(begin: str, source: str, condition: str) -> str:
            return f"""{begin}
                UPDATE {p}sessions AS s SET
                    generation = $4,
                    rotated_at = $5,
                    expires_at = CASE WHEN s.expires_at IS NULL OR $6::bigint IS NULL THEN NULL
                        ELSE greatest(s.expires_at, $6) END,
                    retry_hash = $7,
                    ip = $8,
                    user_agent = $9
                {source}
                WHERE s.sid = $1 AND s.sub = $2 AND s.generation = $3
                    AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $5)
                    AND NOT EXISTS (SELECT FROM {p}cutoffs AS c
                        WHERE c.sub = $2 AND c.at > s.created_at AND c.spared IS DISTINCT FROM $1)
                    AND s.created_at >= coalesce({everyone}, 0){condition}
                RETURNING s.created_at, s.expires_at, s.revoked_reason, s.device"""

        self.channel = channel
        self.lock = f"SELECT pg_advisory_xact_lock({lock})"
        self.has_tables = f"SELECT to_regclass('{p}meta') IS NOT NULL"
        self.version = f"SELECT value FROM {p}meta WHERE name = 'schema_version'"
        self.create = f"""{durable}
            INSERT INTO {p}sessions ({columns}, prune_at)
            SELECT $1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::text,
                $9::text, $10::text, $11::text, $12::text, $6
            FROM durable WHERE is_on IS NOT NULL
            ON CONFLICT (sid) DO NOTHING RETURNING 1"""
        self.get = f"""
            SELECT {row}, c.at, c.spared, {everyone}
            FROM (VALUES (1)) AS always (one) LEFT JOIN {p}sessions AS s ON s.sid = $1
            LEFT JOIN {p}cutoffs AS c ON c.sub = coalesce($2, s.sub)"""
        self.list = f"""
            SELECT {row}
            FROM {p}sessions AS s LEFT JOIN {p}cutoffs AS c ON c.sub = s.sub
            WHERE s.sub = $1 AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $2)
                AND (c.at IS NULL OR s.created_at >= c.at OR s.sid = c.spared)
                AND s.created_at >= coalesce({everyone}, 0)
            ORDER BY s.created_at DESC, s.sid DESC LIMIT $3"""
        self.advance = advance("", "", "")
        self.advance_relaxed = advance(
            "WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS is_off)",
            "FROM relaxed",
            " AND relaxed.is_off IS NOT NULL",
        )
        self.revoke_session = f"""{locked}, marked AS (
                INSERT INTO {p}sessions AS s
                    (sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, revoked_reason, prune_at)
                SELECT $1::text, coalesce($2::text, ''), 0, $7::bigint, $7, $6::bigint, $3::bigint, $5::text, $6
                FROM durable WHERE is_on IS NOT NULL
                ON CONFLICT (sid) DO UPDATE SET
                    expires_at = CASE WHEN s.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                        ELSE greatest(s.expires_at, excluded.expires_at) END,
                    revoked_at = coalesce(s.revoked_at, excluded.revoked_at),
                    revoked_reason = CASE WHEN s.revoked_at IS NULL THEN excluded.revoked_reason
                        ELSE s.revoked_reason END)
            {noted}
            SELECT {number}, 'session', $1, $3, $4::bigint, $5, $2, NULL FROM durable WHERE is_on IS NOT NULL
            {renewed}"""
        # A session without a row is one that was never refreshed, and may be spared.
        self.revoke_subject = f"""{locked}, spared AS (
                SELECT $6::text AS sid, $7::bigint AS created_at
                WHERE NOT EXISTS (SELECT FROM {p}sessions WHERE sid = $6 AND (sub <> $1 OR revoked_at IS NOT NULL))
                    AND $7 >= coalesce({everyone}, 0)),
            cut AS (
                INSERT INTO {p}cutoffs AS c (sub, at, spared)
                SELECT $1::text,
                    greatest($3::bigint, (SELECT max(created_at) + 1 FROM {p}sessions WHERE sub = $1)),
                    (SELECT sid FROM spared)
                FROM durable WHERE is_on IS NOT NULL
                ON CONFLICT (sub) DO UPDATE SET
                    at = greatest(c.at, excluded.at),
                    spared = CASE WHEN $7 >= c.at OR excluded.spared = c.spared THEN excluded.spared END
                RETURNING at, spared)
            {noted}
            SELECT {number}, 'subject', $1, cut.at, $4::bigint, $5::text, $2::text, cut.spared FROM cut
            {renewed}"""
        self.revoke_everyone = f"""{locked}, cut AS (
                INSERT INTO {p}meta AS m (name, value)
                SELECT 'everyone', $3::bigint FROM durable WHERE is_on IS NOT NULL
                ON CONFLICT (name) DO UPDATE SET value = greatest(m.value, excluded.value)
                RETURNING value)
            {noted}
            SELECT {number}, 'everyone', $1::text, cut.value, $4::bigint, $5::text, $2::text, NULL FROM cut
            {renewed}"""
        self.revoke_token = f"""{locked}
            {noted}
            SELECT {number}, 'token', $1::text, $3::bigint, $4::bigint, $5::text, $2::text, NULL
            FROM durable WHERE is_on IS NOT NULL
            {renewed}"""
        self.revocations = f"""
            SELECT number, kind, key, at, until, reason, sub, spared FROM {p}revocations
            WHERE number >= $1 ORDER BY number LIMIT $2"""
        self.count_live = f"""
            SELECT count(*), (SELECT max(number) FROM {p}revocations) FROM {p}revocations
            WHERE until IS NULL OR until > $1"""
        # Rows that another process is pruning or rotating are left to it.
        self.prune_sessions = f"""
            WITH due AS MATERIALIZED (
                SELECT sid FROM {p}sessions WHERE prune_at < $1 ORDER BY prune_at LIMIT $2 FOR UPDATE SKIP LOCKED),
            postponed AS (
                UPDATE {p}sessions AS s SET prune_at = s.expires_at FROM due
                WHERE s.sid = due.sid AND (s.expires_at IS NULL OR s.expires_at >= $1)),
            gone AS (
                DELETE FROM {p}sessions AS s USING due WHERE s.sid = due.sid AND s.expires_at < $1 RETURNING 1)
            SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM due)"""
        # The newest number stays: it shows that no reader's cursor is ahead of the table.
        self.prune_revocations = f"""
            WITH gone AS (
                DELETE FROM {p}revocations WHERE number IN (
                    SELECT number FROM {p}revocations
                    WHERE until < $1 AND kind <> 'everyone' AND number < (SELECT max(number) FROM {p}revocations)
                    ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)
                RETURNING 1)
            SELECT count(*), count(*) FROM gone"""
