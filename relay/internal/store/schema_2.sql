-- doubt: 0 what is held of the host is the newest there is; 1 this store was
-- restored from a copy, and nothing is known until the host is heard or missed;
-- 2 its state was told since, its facts are only those of kinds in settled.
ALTER TABLE hosts ADD COLUMN doubt INTEGER NOT NULL DEFAULT 0;

-- Kinds of which a host in doubt has listed its facts.
CREATE TABLE settled (
    host BLOB NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (host, kind)
) STRICT, WITHOUT ROWID;

-- topic names what a record is about, where a later record about the same makes
-- it dispensable; NULL where none does. It stands before the record, so that
-- reading it does not read the record.
CREATE TABLE outbox_2 (
    seq    INTEGER PRIMARY KEY,
    topic  BLOB,
    chain  BLOB NOT NULL,                   -- after this record
    record BLOB NOT NULL                    -- as uplink.EncodeRecord made it
) STRICT;
INSERT INTO outbox_2 (seq, chain, record) SELECT seq, chain, record FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_2 RENAME TO outbox;
