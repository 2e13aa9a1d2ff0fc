-- The site's relays as the service last named them, this one too.
CREATE TABLE relays (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL,
    sign_key    BLOB NOT NULL,
    certificate BLOB NOT NULL,
    cluster     TEXT NOT NULL,
    serves      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- served_by: the relay of the site that has the host; NULL: this one. domain:
-- where that relay says the host stands.
ALTER TABLE hosts ADD COLUMN served_by BLOB;
ALTER TABLE hosts ADD COLUMN domain TEXT NOT NULL DEFAULT '';

-- How far the streams of other relays were copied here: the records (acked, last]
-- of an epoch are in replica, bytes in all.
CREATE TABLE origins (
    relay       BLOB PRIMARY KEY,
    epoch       INTEGER NOT NULL,
    acked       INTEGER NOT NULL,
    acked_chain BLOB NOT NULL,
    last        INTEGER NOT NULL,
    chain       BLOB NOT NULL,
    bytes       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE replica (
    origin BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    chain  BLOB NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (origin, seq)
) STRICT;
