"""The tables of schema version 1, and the statements of a process that knows no other version.

Each takes the prefix as `p`.
"""

from typing import Final

__all__ = [
    "POSTGRESQL",
    "POSTGRESQL_ADVANCE",
    "POSTGRESQL_CREATE",
    "POSTGRESQL_REVOKE",
    "SQLITE",
    "SQLITE_ADVANCE",
    "SQLITE_CREATE",
    "SQLITE_REVOKE",
]

SQLITE: Final = """\
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
    prune_at INTEGER
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

INSERT INTO {p}meta (name, value) VALUES ('schema_version', 1) ON CONFLICT (name) DO NOTHING;
"""

SQLITE_CREATE: Final = """\
INSERT INTO {p}sessions (sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, revoked_reason, ip,
    user_agent, device, prune_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?6)
ON CONFLICT (sid) DO NOTHING
"""

SQLITE_ADVANCE: Final = """\
UPDATE {p}sessions SET
    generation = ?4,
    rotated_at = ?5,
    expires_at = CASE WHEN expires_at IS NULL OR ?6 IS NULL THEN NULL ELSE max(expires_at, ?6) END,
    ip = ?7,
    user_agent = ?8
WHERE sid = ?1 AND sub = ?2 AND generation = ?3
    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?5)
    AND NOT EXISTS (SELECT 1 FROM {p}cutoffs AS c
        WHERE c.sub = ?2 AND c.at > created_at AND c.spared IS NOT ?1)
    AND created_at >= coalesce((SELECT value FROM {p}meta WHERE name = 'everyone'), 0)
RETURNING created_at, expires_at, revoked_reason, device
"""

SQLITE_REVOKE: Final = """\
INSERT INTO {p}sessions
    (sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, revoked_reason, prune_at)
VALUES (?1, ?2, 0, ?3, ?3, ?4, ?5, ?6, ?4)
ON CONFLICT (sid) DO UPDATE SET
    revoked_at = excluded.revoked_at, revoked_reason = excluded.revoked_reason
WHERE revoked_at IS NULL
"""

POSTGRESQL: Final = """\
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
    prune_at bigint
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

INSERT INTO {p}meta (name, value) VALUES ('schema_version', 1) ON CONFLICT (name) DO NOTHING;
"""

POSTGRESQL_CREATE: Final = """\
WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true) AS is_on)
INSERT INTO {p}sessions (sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, revoked_reason, ip,
    user_agent, device, prune_at)
SELECT $1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::text,
    $9::text, $10::text, $11::text, $6
FROM durable WHERE is_on IS NOT NULL
ON CONFLICT (sid) DO NOTHING RETURNING 1
"""

POSTGRESQL_ADVANCE: Final = """\
UPDATE {p}sessions AS s SET
    generation = $4,
    rotated_at = $5,
    expires_at = CASE WHEN s.expires_at IS NULL OR $6::bigint IS NULL THEN NULL
        ELSE greatest(s.expires_at, $6) END,
    ip = $7,
    user_agent = $8
WHERE s.sid = $1 AND s.sub = $2 AND s.generation = $3
    AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $5)
    AND NOT EXISTS (SELECT FROM {p}cutoffs AS c
        WHERE c.sub = $2 AND c.at > s.created_at AND c.spared IS DISTINCT FROM $1)
    AND s.created_at >= coalesce((SELECT value FROM {p}meta WHERE name = 'everyone'), 0)
RETURNING s.created_at, s.expires_at, s.revoked_reason, s.device
"""

# Without its second half, which writes another table.
POSTGRESQL_REVOKE: Final = """\
INSERT INTO {p}sessions AS s
    (sid, sub, generation, created_at, rotated_at, expires_at, revoked_at, revoked_reason, prune_at)
VALUES ($1, $2, 0, $3, $3, $4, $5, $6, $4)
ON CONFLICT (sid) DO UPDATE SET
    revoked_at = excluded.revoked_at, revoked_reason = excluded.revoked_reason
WHERE s.revoked_at IS NULL
"""
