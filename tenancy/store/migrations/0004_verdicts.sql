-- +goose Up
-- What relays concluded of their hosts, and what the service did of relays.
CREATE TABLE assim.verdicts (
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id         uuid NOT NULL,                   -- given by a relay, so unique within the tenant only
    kind       text NOT NULL,                   -- host down, switch down...; the service's own: site dark, relay stopped
    site       uuid NOT NULL,
    relay      uuid,                            -- NULL: the service's own
    count      bigint NOT NULL,                 -- of hosts; more than verdict_hosts names where a relay cut its list
    domain     bytea,                           -- opaque name of the switch or zone
    since      timestamptz NOT NULL,            -- the last sign of life, relay's time as all but received_at
    at         timestamptz NOT NULL,            -- when it was reached
    over_at    timestamptz,
    ending     text NOT NULL DEFAULT '',
    cause      uuid,                            -- the verdict that explains this one
    confidence smallint NOT NULL CHECK (confidence BETWEEN 1 AND 100),
    evidence   jsonb NOT NULL DEFAULT '[]',
    received_at timestamptz NOT NULL,           -- the newest record of it
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
CREATE INDEX ON assim.verdicts (tenant, at, id);
CREATE INDEX ON assim.verdicts (tenant, site, at, id);
CREATE INDEX ON assim.verdicts (tenant, cause) WHERE cause IS NOT NULL;
CREATE INDEX verdicts_open ON assim.verdicts (tenant, site) WHERE over_at IS NULL;
-- However many processes of the service look, a site goes dark once.
CREATE UNIQUE INDEX verdicts_dark ON assim.verdicts (tenant, site) WHERE relay IS NULL AND over_at IS NULL;

CREATE INDEX verdicts_unexplained ON assim.verdicts (tenant, site) WHERE relay IS NULL AND ending = 'heard again';

-- Which tenants have relays that went silent, or a verdict that waits for the
-- service to settle it: the lookup that spares a transaction for each tenant.
-- +goose StatementBegin
CREATE FUNCTION assim.tenants_with_silent_relays(since timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$
        SELECT tenant FROM assim.relays WHERE revoked_at IS NULL AND seen_at < since
        UNION SELECT tenant FROM assim.verdicts WHERE relay IS NULL AND over_at IS NULL
        UNION SELECT tenant FROM assim.verdicts WHERE relay IS NULL AND ending = 'heard again'
        UNION SELECT v.tenant FROM assim.relays r JOIN assim.verdicts v ON v.tenant = r.tenant AND v.site = r.site AND v.relay = r.id
            WHERE r.revoked_at IS NOT NULL AND v.over_at IS NULL
    $$;
-- +goose StatementEnd

-- The hosts that a verdict is about.
CREATE TABLE assim.verdict_hosts (
    tenant  uuid NOT NULL,
    verdict uuid NOT NULL,
    host    uuid NOT NULL,
    PRIMARY KEY (tenant, verdict, host),
    FOREIGN KEY (tenant, verdict) REFERENCES assim.verdicts (tenant, id) ON DELETE CASCADE
);
CREATE INDEX ON assim.verdict_hosts (tenant, host, verdict);

ALTER TABLE assim.verdicts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.verdicts
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
ALTER TABLE assim.verdict_hosts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.verdict_hosts
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));

-- An event of a verdict is one event, whatever the number of its hosts.
ALTER TABLE assim.events ADD COLUMN verdict uuid;
CREATE INDEX ON assim.events (tenant, verdict, id) WHERE verdict IS NOT NULL;
-- What happened, by the relay's clock: a site that was cut off tells late. A
-- clock that runs ahead of ours counts as ours, or it would come first for years.
CREATE INDEX ON assim.events (tenant, least(seen_at, at), id);
CREATE INDEX ON assim.events (tenant, host, least(seen_at, at), id);
CREATE INDEX ON assim.events (tenant, site, least(seen_at, at), id);
CREATE INDEX events_relay_life ON assim.events (tenant, relay, id) WHERE type IN ('relay.started', 'relay.stopped');

-- Events are numbered in the order of their commits, so that who reads what came
-- after a number misses nothing.
-- +goose StatementBegin
CREATE FUNCTION assim.one_teller() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('assim events ' || assim.current_tenant(), 0));
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER one_teller BEFORE INSERT ON assim.events FOR EACH STATEMENT EXECUTE FUNCTION assim.one_teller();
