-- +goose Up
-- Where a site is on the map of the world.
ALTER TABLE assim.sites
    ADD COLUMN location  text NOT NULL DEFAULT '' CHECK (length(location) <= 100), -- as people call it
    ADD COLUMN latitude  double precision CHECK (latitude BETWEEN -90 AND 90),     -- degrees, north is positive
    ADD COLUMN longitude double precision CHECK (longitude BETWEEN -180 AND 180),  -- degrees, east is positive
    ADD CHECK ((latitude IS NULL) = (longitude IS NULL));

-- Pages with the choices that somebody gave a name to.
CREATE TABLE assim.views (
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id         uuid NOT NULL,
    page       text NOT NULL CHECK (length(page) <= 100),  -- its path
    query      text NOT NULL CHECK (length(query) <= 2000), -- of its address
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    owner      uuid,                            -- who alone sees it; NULL: everybody of the tenant
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE NULLS NOT DISTINCT (tenant, page, owner, name),
    FOREIGN KEY (owner, tenant) REFERENCES assim.members (user_id, tenant) ON DELETE CASCADE
);
CREATE INDEX views_owner ON assim.views (owner, tenant);

-- What each person asked the graph, to ask it again.
CREATE TABLE assim.asked (
    tenant  uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    person  uuid NOT NULL,
    hash    bytea NOT NULL,                     -- SHA-256 of the address: each question once
    address text NOT NULL CHECK (length(address) <= 40000), -- of the page that asks it
    said    text NOT NULL,                      -- the question, as people read it
    times   bigint NOT NULL DEFAULT 1,
    at      timestamptz NOT NULL DEFAULT now(), -- the last time
    PRIMARY KEY (tenant, person, hash),
    FOREIGN KEY (person, tenant) REFERENCES assim.members (user_id, tenant) ON DELETE CASCADE
);
CREATE INDEX asked_at ON assim.asked (tenant, person, at DESC);
CREATE INDEX asked_person ON assim.asked (person, tenant);

ALTER TABLE assim.views ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.views
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
ALTER TABLE assim.asked ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.asked
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
