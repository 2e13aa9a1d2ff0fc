-- The relay's store. Times are Unix milliseconds, identifiers 16 bytes, hashes
-- and keys 32. PRAGMA user_version counts the steps in store.go.

-- Who this relay is: one row. The columns after seal_key are NULL until it is
-- enrolled.
CREATE TABLE relay (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    noise_key   BLOB NOT NULL,              -- X25519 private key
    sign_key    BLOB NOT NULL,              -- Ed25519 seed
    seal_key    BLOB NOT NULL,              -- HPKE private key
    url         TEXT,
    tenant_key  BLOB,                       -- HPKE public key, pinned by the token
    tenant      BLOB,
    site        BLOB,
    id          BLOB,
    site_key    BLOB,                       -- Ed25519 public key
    site_name   TEXT,
    certificate BLOB,
    orders      INTEGER NOT NULL DEFAULT 0, -- revision last applied
    orders_at   INTEGER NOT NULL DEFAULT 0,
    revoked     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Where the stream stands: one row once enrolled. Records (acked, last] are in
-- the outbox; chain and acked_chain are the running hashes at last and acked.
CREATE TABLE stream (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    epoch       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    chain       BLOB NOT NULL,
    acked       INTEGER NOT NULL,
    acked_chain BLOB NOT NULL,
    resync      BLOB                        -- hosts up to this id are sent anew; NULL: no resync is going on
) STRICT;

CREATE TABLE outbox (
    seq    INTEGER PRIMARY KEY,
    chain  BLOB NOT NULL,                   -- after this record
    record BLOB NOT NULL                    -- as uplink.EncodeRecord made it
) STRICT;

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    hash       BLOB NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER NOT NULL,
    allowance  INTEGER NOT NULL,
    labels     TEXT NOT NULL,               -- JSON object
    wrong_site INTEGER NOT NULL,
    used_up    INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0   -- counted here; outlives every snapshot of orders
) STRICT, WITHOUT ROWID;

CREATE TABLE hosts (
    id            BLOB PRIMARY KEY,
    probe_key     BLOB NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    machine_id    BLOB,
    token         TEXT NOT NULL,
    token_labels  TEXT NOT NULL,
    labels        TEXT NOT NULL,            -- the probe's own
    state         TEXT NOT NULL,
    state_at      INTEGER NOT NULL,
    agent_version TEXT NOT NULL DEFAULT '',
    os            TEXT NOT NULL DEFAULT '',
    arch          TEXT NOT NULL DEFAULT '',
    address       TEXT NOT NULL DEFAULT '', -- last seen
    enrolled_at   INTEGER NOT NULL,
    term          INTEGER NOT NULL,
    version       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Retired hosts, known here or not: their keys are refused.
CREATE TABLE retired (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- The current fact of each key. A NULL hash is a tombstone: the fact went, and
-- a service that was restored from an old copy has yet to hear of it.
CREATE TABLE facts (
    host     BLOB NOT NULL,
    kind     TEXT NOT NULL,
    instance TEXT NOT NULL,
    hash     BLOB,
    schema   INTEGER NOT NULL,
    observed INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    PRIMARY KEY (host, kind, instance)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_by_hash ON facts (hash) WHERE hash IS NOT NULL;

CREATE TABLE bodies (
    hash BLOB PRIMARY KEY,
    body BLOB NOT NULL                      -- zstd of canonical JSON
) STRICT;

-- Refusals that stand, so that repeating one makes no second record.
CREATE TABLE problems (
    host     BLOB NOT NULL,
    source   TEXT NOT NULL,                 -- who refused: "relay" or "probe"
    kind     TEXT NOT NULL,
    instance TEXT NOT NULL,
    reason   INTEGER NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (host, source, kind, instance)
) STRICT, WITHOUT ROWID;
