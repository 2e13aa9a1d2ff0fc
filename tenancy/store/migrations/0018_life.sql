-- +goose Up
-- Tenants whose people asked for their end. The row goes with its tenant, last of
-- all: a deletion that was interrupted goes on.
CREATE TABLE assim.deletions (
    tenant   uuid PRIMARY KEY REFERENCES assim.tenants ON DELETE CASCADE,
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    due_at   timestamptz NOT NULL,
    begun_at timestamptz                        -- from here on it cannot be taken back
);
CREATE INDEX deletions_due ON assim.deletions (due_at);
-- What stays of a tenant that was deleted.
CREATE TABLE assim.tombstones (
    id uuid PRIMARY KEY,                        -- random
    on_day date NOT NULL
);

-- How much a tenant may have. The row without a tenant is for all; NULL in
-- another: as for all. Only who runs the service sets it.
CREATE TABLE assim.quotas (
    tenant    uuid REFERENCES assim.tenants ON DELETE CASCADE,
    hosts     bigint CHECK (hosts >= 0),        -- enrolled and not retired
    changes   bigint CHECK (changes >= 0),      -- of facts, in any 24 hours
    bytes     bigint CHECK (bytes >= 0),        -- in the database
    questions bigint CHECK (questions > 0),     -- requests answered at once, by each process
    sites     bigint CHECK (sites >= 0),
    tokens    bigint CHECK (tokens >= 0),       -- that enrol and can still be used
    exporters bigint CHECK (exporters >= 0),
    UNIQUE NULLS NOT DISTINCT (tenant),
    CHECK (tenant IS NOT NULL OR num_nulls(hosts, changes, bytes, questions, sites, tokens, exporters) = 0)
);
INSERT INTO assim.quotas (tenant, hosts, changes, bytes, questions, sites, tokens, exporters)
    VALUES (NULL, 10000, 20000000, 100000000000, 4, 100, 1000, 5);
ALTER TABLE assim.quotas ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_or_all ON assim.quotas FOR SELECT USING (tenant IS NULL OR tenant = (SELECT assim.current_tenant()));

-- What a tenant has and does, counted where it happens so that nobody needs to
-- count rows to know.
CREATE TABLE assim.usage (
    tenant      uuid PRIMARY KEY REFERENCES assim.tenants ON DELETE CASCADE,
    hosts       bigint NOT NULL DEFAULT 0,
    changes     double precision NOT NULL DEFAULT 0, -- at changes_at; leaks away over a day
    changes_at  timestamptz NOT NULL DEFAULT now(),
    bytes       bigint NOT NULL DEFAULT 0,      -- as measured, and about what was written since
    measured_at timestamptz NOT NULL DEFAULT '-infinity',
    held_at     timestamptz NOT NULL DEFAULT '-infinity', -- when a batch was last sent back
    told        jsonb NOT NULL DEFAULT '{}',    -- of which quota an event said that 80 or 100 % is reached
    asked_at    timestamptz NOT NULL DEFAULT '-infinity'  -- when relays were last asked for the hosts that had no room
);
CREATE TABLE assim.usage_days (
    tenant  uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    day     date NOT NULL,                      -- UTC
    hosts   bigint NOT NULL,
    changes bigint NOT NULL,                    -- of this day
    bytes   bigint NOT NULL,
    PRIMARY KEY (tenant, day)
);
-- Hosts that a relay told of when there was no room.
CREATE TABLE assim.refused_hosts (
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    host       uuid NOT NULL,
    relay      uuid NOT NULL,
    name       text NOT NULL,
    refused_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, host),
    FOREIGN KEY (tenant, relay) REFERENCES assim.relays (tenant, id) ON DELETE CASCADE
);
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['usage', 'usage_days', 'refused_hosts'] LOOP
        EXECUTE format('ALTER TABLE assim.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_tenant ON assim.%I USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()))', t);
    END LOOP;
END $$;
-- +goose StatementEnd
INSERT INTO assim.usage (tenant, hosts)
    SELECT t.id, (SELECT count(*) FROM assim.hosts h WHERE h.tenant = t.id AND h.retired_at IS NULL) FROM assim.tenants t;
CREATE INDEX hosts_enrolled ON assim.hosts (tenant) WHERE retired_at IS NULL;
