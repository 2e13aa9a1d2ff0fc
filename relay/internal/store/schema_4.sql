-- Verdicts: those that stand and the last that are over. over: when it ended; 0
-- while it stands. body is JSON of uplink.VerdictBody.
CREATE TABLE verdicts (
    id   BLOB PRIMARY KEY,
    at   INTEGER NOT NULL,
    over INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_by_over ON verdicts (over, at);

-- own_secret stands in for site_secret until the service has given that. policy
-- is JSON of uplink.Policy.
ALTER TABLE relay ADD COLUMN own_secret BLOB;
ALTER TABLE relay ADD COLUMN site_secret BLOB;
ALTER TABLE relay ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
UPDATE relay SET own_secret = randomblob(32);
