-- +goose Up
-- Owner: tenancy/store. Every table of the service but the graphs (one schema
-- g_<id> per tenant, made by Provision). Tables with a column "tenant" are
-- under row-level security: a row is visible to the role of its tenant only,
-- looked up by current_user, never by a setting that a role could change.
CREATE EXTENSION IF NOT EXISTS age;
CREATE SCHEMA assim;

CREATE TABLE assim.tenants (
    id           uuid PRIMARY KEY,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    graph        name NOT NULL UNIQUE,          -- g_<32 hex digits>
    reader       name NOT NULL UNIQUE,          -- r_<32 hex digits>
    writer       name NOT NULL UNIQUE,          -- w_<32 hex digits>
    seal_key     bytea NOT NULL UNIQUE,         -- HPKE public key that relays seal to
    seal_key_hash bytea NOT NULL UNIQUE,        -- SHA-256 of it, as in relay tokens
    seal_private bytea NOT NULL,                -- wrapped by the master key
    created_at   timestamptz NOT NULL DEFAULT now()
);
-- Which tenant a database role speaks for.
CREATE TABLE assim.tenant_roles (
    role   name PRIMARY KEY,
    tenant uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE
);

-- A role sees its own row, and so its own tenant.
ALTER TABLE assim.tenant_roles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_role ON assim.tenant_roles FOR SELECT USING (role = current_user);

-- +goose StatementBegin
CREATE FUNCTION assim.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT tenant FROM assim.tenant_roles WHERE role = current_user $$;
-- +goose StatementEnd

ALTER TABLE assim.tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.tenants FOR SELECT USING (id = (SELECT assim.current_tenant()));
-- An envelope names its receiver's key by the first 8 bytes of the key's hash.
CREATE INDEX ON assim.tenants (substring(seal_key_hash FROM 1 FOR 8));
-- Label ids of the caller's own graph: ids of its rows are made of them.
CREATE VIEW assim.labels AS
    SELECT l.name::text AS name, l.id
    FROM ag_catalog.ag_label l
    JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
    JOIN assim.tenants t ON t.graph = g.name
    WHERE t.id = (SELECT assim.current_tenant());

-- People. Not of a tenant: reached through store.Global only.
CREATE TABLE assim.users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) <= 254),
    password_hash text NOT NULL,                -- argon2id, PHC string
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE assim.members (
    tenant  uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES assim.users ON DELETE CASCADE,
    role    text NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'viewer')),
    PRIMARY KEY (user_id, tenant)
);
CREATE TABLE assim.sessions (
    hash       bytea PRIMARY KEY,               -- SHA-256 of the cookie
    user_id    uuid NOT NULL REFERENCES assim.users ON DELETE CASCADE,
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    agent      text NOT NULL DEFAULT '',
    address    text NOT NULL DEFAULT ''
);
CREATE TABLE assim.api_tokens (
    id         text PRIMARY KEY,
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    user_id    uuid REFERENCES assim.users ON DELETE CASCADE,
    name       text NOT NULL,
    hash       bytea NOT NULL,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- Sites, their relays, the tokens that enrol.
CREATE TABLE assim.sites (
    id          uuid PRIMARY KEY,
    tenant      uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    realm       text NOT NULL,                  -- realm label of its private addresses; default the id
    site_key    bytea NOT NULL UNIQUE,          -- Ed25519 public key
    site_private bytea NOT NULL,                -- wrapped by the master key
    orders_revision bigint NOT NULL DEFAULT 1,  -- rises with every change that relays must hear of
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, name),
    UNIQUE (tenant, id)                         -- what others refer to: never another tenant's site
);
CREATE TABLE assim.relays (
    id          uuid PRIMARY KEY,
    tenant      uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    site        uuid NOT NULL,
    name        text NOT NULL,
    token       text NOT NULL,
    noise_key   bytea NOT NULL,
    sign_key    bytea NOT NULL UNIQUE,
    seal_key    bytea NOT NULL,
    certificate bytea NOT NULL,
    version     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz,
    sent_at     bigint NOT NULL DEFAULT 0,      -- the newest orders request, Unix ms by the relay's clock: an older one is a replay
    backlog     bigint NOT NULL DEFAULT 0,
    revoked_at  timestamptz,
    UNIQUE (tenant, id),
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
-- The lookup that comes before a tenant is known.
-- +goose StatementBegin
CREATE FUNCTION assim.tenant_of_relay(relay uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$ SELECT tenant FROM assim.relays WHERE id = relay $$;
-- +goose StatementEnd
CREATE TABLE assim.tokens (
    id         text PRIMARY KEY,
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    site       uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('enr', 'rly')),
    name       text NOT NULL DEFAULT '',
    hash       bytea NOT NULL,
    labels     jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT '',
    expires_at timestamptz,
    max_uses   bigint CHECK (max_uses > 0),
    uses       bigint NOT NULL DEFAULT 0,
    revoked_at timestamptz,
    last_used_at timestamptz,
    last_used_by text NOT NULL DEFAULT '',
    UNIQUE (tenant, id),
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
-- What an offline relay may count by itself.
CREATE TABLE assim.token_leases (
    tenant  uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    token   text NOT NULL,
    relay   uuid NOT NULL,
    granted bigint NOT NULL,
    used    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (token, relay),
    FOREIGN KEY (tenant, token) REFERENCES assim.tokens (tenant, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant, relay) REFERENCES assim.relays (tenant, id) ON DELETE CASCADE
);

-- Hosts, facts, history.
CREATE TABLE assim.hosts (
    id          uuid NOT NULL,                  -- given by a relay, so unique within the tenant only
    tenant      uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    site        uuid NOT NULL,
    relay       uuid NOT NULL,
    name        text NOT NULL,
    probe_key   bytea NOT NULL,
    state       text NOT NULL,                  -- up, silent, shut down
    state_at    timestamptz NOT NULL,           -- relay's time
    agent_version text NOT NULL DEFAULT '',
    os          text NOT NULL DEFAULT '',
    arch        text NOT NULL DEFAULT '',
    labels      jsonb NOT NULL DEFAULT '{}',
    token       text NOT NULL DEFAULT '',
    enrolled_at timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,           -- of its newest fact
    retired_at  timestamptz,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
CREATE INDEX ON assim.hosts (tenant, lower(name));
CREATE TABLE assim.streams (
    tenant   uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    relay    uuid NOT NULL,
    epoch    bigint NOT NULL,
    position bigint NOT NULL,
    chain    bytea NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, relay),
    FOREIGN KEY (tenant, relay) REFERENCES assim.relays (tenant, id) ON DELETE CASCADE
);
-- When each tenant was last written to; the next writer's time is later, whatever
-- the clock does.
CREATE TABLE assim.writers (
    tenant uuid PRIMARY KEY REFERENCES assim.tenants ON DELETE CASCADE,
    at     timestamptz NOT NULL
);
-- Epochs that a stream ever had: a copy of an old batch cannot begin one anew.
CREATE TABLE assim.stream_epochs (
    tenant   uuid NOT NULL,
    relay    uuid NOT NULL,
    epoch    bigint NOT NULL,
    begun_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, relay, epoch),
    FOREIGN KEY (tenant, relay) REFERENCES assim.relays (tenant, id) ON DELETE CASCADE
);
CREATE TABLE assim.fact_bodies (
    tenant uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    hash   bytea NOT NULL,
    kind   text NOT NULL,
    schema smallint NOT NULL,
    body   bytea NOT NULL,                      -- zstd of canonical JSON
    size   integer NOT NULL,                    -- of the JSON
    PRIMARY KEY (tenant, hash)
);
CREATE TABLE assim.facts (
    tenant   uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    host     uuid NOT NULL,
    kind     text NOT NULL,
    instance text NOT NULL,
    hash     bytea NOT NULL,
    term     bigint NOT NULL,
    version  bigint NOT NULL,
    at       timestamptz NOT NULL,              -- taken after the tenant's lock: the order of effects
    seen_at  timestamptz NOT NULL,              -- relay's time: what people see
    PRIMARY KEY (tenant, host, kind, instance)
);
-- One row per change of a fact, hash NULL when it went. Two consecutive rows of
-- one (host, kind, instance) never have the same hash.
CREATE TABLE assim.fact_versions (
    tenant   uuid NOT NULL,
    host     uuid NOT NULL,
    kind     text NOT NULL,
    instance text NOT NULL,
    at       timestamptz NOT NULL,
    seen_at  timestamptz NOT NULL,
    observed_at timestamptz,
    hash     bytea,
    previous bytea,
    term     bigint NOT NULL,
    version  bigint NOT NULL,
    relay    uuid NOT NULL,
    epoch    bigint NOT NULL,
    seq      bigint NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON assim.fact_versions (tenant, host, kind, instance, at);
CREATE INDEX ON assim.fact_versions (tenant, at);
CREATE TABLE assim.fact_versions_default PARTITION OF assim.fact_versions DEFAULT;

-- Before-images of graph elements, with natural keys: current state and undo
-- together answer "as of".
CREATE TABLE assim.undo (
    tenant uuid NOT NULL,
    at     timestamptz NOT NULL,
    step   smallint NOT NULL,                   -- order within one time: 1 put, 2 removed, 3 swept
    label  text NOT NULL,                       -- vertex label or edge type
    key    text NOT NULL,                       -- of the vertex, or of the edge's start
    to_key text NOT NULL DEFAULT '',            -- of the edge's end; '' for a vertex
    from_label text NOT NULL DEFAULT '',
    to_label   text NOT NULL DEFAULT '',
    before jsonb                                -- properties before; NULL: it did not exist
) PARTITION BY RANGE (at);
CREATE INDEX ON assim.undo (tenant, label, key, at);
CREATE INDEX ON assim.undo (tenant, at);
CREATE TABLE assim.undo_default PARTITION OF assim.undo DEFAULT;

-- What happened that is not a fact: host states, refusals, relay states.
CREATE TABLE assim.events (
    tenant  uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    type    text NOT NULL,                      -- host.enrolled, host.up, host.silent, host.shut-down, refusal, relay.*
    site    uuid, relay uuid, host uuid,
    detail  jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, id)
);
CREATE TABLE assim.findings (
    tenant    uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    host      uuid NOT NULL,
    rule      text NOT NULL,                    -- refused-fact, missing-right
    subject   text NOT NULL,                    -- kind/instance
    detail    text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (tenant, host, rule, subject)
);
CREATE TABLE assim.audit (
    tenant uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id     bigint GENERATED ALWAYS AS IDENTITY,
    at     timestamptz NOT NULL DEFAULT now(),
    actor  text NOT NULL,
    action text NOT NULL,
    object text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, id)
);

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['sites', 'relays', 'tokens', 'token_leases', 'hosts', 'streams', 'stream_epochs', 'writers', 'fact_bodies', 'facts',
        'fact_versions', 'undo', 'events', 'findings', 'audit'] LOOP
        EXECUTE format('ALTER TABLE assim.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_tenant ON assim.%I USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()))', t);
    END LOOP;
END $$;
-- +goose StatementEnd
