-- +goose Up
-- Where a tenant wants its events, changes and metrics sent by OTLP. What waits is
-- not copied: an exporter has a place in the events, which are numbered in the
-- order of their commits, and one in the history, whose times rise so too.
CREATE TABLE assim.exporters (
    tenant      uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    protocol    text NOT NULL CHECK (protocol IN ('grpc', 'http')),
    endpoint    text NOT NULL,                  -- http or https, host, port
    compression text NOT NULL CHECK (compression IN ('gzip', 'none')),
    signals     text[] NOT NULL,                -- of events, changes, metrics
    headers     text[] NOT NULL,                -- names of those in secret
    ca          text NOT NULL DEFAULT '',       -- PEM; '': the authorities of the system
    certificate text NOT NULL DEFAULT '',       -- PEM of the client's; its key is in secret
    secret      bytea NOT NULL,                 -- wrapped by the master key
    created_at  timestamptz NOT NULL,
    event_id    bigint NOT NULL,                -- the last event that was sent, or given up
    changed     jsonb NOT NULL,                 -- the last change
    sampled_at  timestamptz NOT NULL,           -- when metrics were taken last
    leased_until timestamptz NOT NULL DEFAULT '-infinity', -- by the process that sends
    next_at     timestamptz NOT NULL,           -- not before
    tries       integer NOT NULL DEFAULT 0,     -- since the last success
    problem     text NOT NULL DEFAULT '',       -- of the last try
    sent_at     timestamptz,                    -- the last success
    sent        bigint NOT NULL DEFAULT 0,      -- log records
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);
-- What a collector refused for good, and what waited too long.
CREATE TABLE assim.undelivered (
    tenant   uuid NOT NULL,
    exporter uuid NOT NULL,
    id       bigint GENERATED ALWAYS AS IDENTITY,
    at       timestamptz NOT NULL,
    signal   text NOT NULL,
    records  bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    reason   text NOT NULL,
    sample   text[] NOT NULL,                   -- the first lines
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, exporter) REFERENCES assim.exporters (tenant, id) ON DELETE CASCADE
);
CREATE INDEX ON assim.undelivered (tenant, exporter, id);

ALTER TABLE assim.exporters ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.exporters
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
ALTER TABLE assim.undelivered ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.undelivered
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));

-- Which exporters may be due: the lookup that spares a transaction for each tenant.
-- +goose StatementBegin
CREATE FUNCTION assim.exporters_awake(now timestamptz) RETURNS TABLE (tenant uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$ SELECT e.tenant, e.id FROM assim.exporters e WHERE e.next_at <= $1 AND e.leased_until <= $1 $$;
-- +goose StatementEnd
