-- +goose Up
-- What was answered to requests that name themselves (Idempotency-Key), so that
-- one that is repeated is not done twice. They are kept for a day.
CREATE TABLE assim.answers (
    tenant      uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    key         bytea NOT NULL,                 -- SHA-256 of who asks and the key that they chose
    fingerprint bytea NOT NULL,                 -- SHA-256 of the request
    begun_at    timestamptz NOT NULL,
    answer      bytea,                          -- wrapped by the master key; NULL: it is being done, or nobody knows whether it was
    PRIMARY KEY (tenant, key)
);
CREATE INDEX ON assim.answers (tenant, begun_at);
ALTER TABLE assim.answers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.answers
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
