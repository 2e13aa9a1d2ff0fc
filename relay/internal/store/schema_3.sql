-- body is the hash of the fact that the record puts; it stands before the record
-- for the reason that topic does.
CREATE TABLE outbox_3 (
    seq    INTEGER PRIMARY KEY,
    topic  BLOB,
    body   BLOB,
    chain  BLOB NOT NULL,
    record BLOB NOT NULL
) STRICT;
INSERT INTO outbox_3 (seq, topic, chain, record) SELECT seq, topic, chain, record FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_3 RENAME TO outbox;

-- The newest acknowledged fact of each key: a body that the service holds, so
-- that the next one can travel as a difference. Its body stays in bodies.
CREATE TABLE bases (
    host     BLOB NOT NULL,
    kind     TEXT NOT NULL,
    instance TEXT NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (host, kind, instance)
) STRICT, WITHOUT ROWID;
CREATE INDEX bases_by_hash ON bases (hash);
CREATE INDEX bases_by_instance ON bases (kind, instance);
