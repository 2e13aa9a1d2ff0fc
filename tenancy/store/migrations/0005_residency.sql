-- +goose Up
-- What the tenant wants of a site's relays. residency: where facts of class
-- topology may be stored; decided_at: when that was last decided.
ALTER TABLE assim.sites
    ADD COLUMN residency  text NOT NULL DEFAULT 'site' CHECK (residency IN ('site', 'replicate')),
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN beat_ms    integer NOT NULL DEFAULT 1000 CHECK (beat_ms BETWEEN 500 AND 10000),
    ADD COLUMN places     jsonb NOT NULL DEFAULT '{}';

-- Questions that relays are to answer now: who asks waits, the answer is stored
-- nowhere.
CREATE TABLE assim.questions (
    tenant   uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id       uuid NOT NULL,
    site     uuid NOT NULL,
    kind     text NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
ALTER TABLE assim.questions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.questions
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));

-- What people once asked to be kept in their site goes out of history for good:
-- versions of facts of these kinds, undo of these elements (label, key of the
-- start, key of the end), labels of these names in the undo of hosts, and events
-- about the kinds. The caller's tenant is that of the role it has set, which this
-- function, running as the owner of history, would not see by current_user.
-- +goose StatementBegin
CREATE FUNCTION assim.forget_topology(hosts uuid[], kinds text[], elements text[], starts text[], ends text[], names text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
    AS $$
DECLARE own uuid;
BEGIN
    SELECT r.tenant INTO STRICT own FROM assim.tenant_roles r WHERE r.role = current_setting('role') AND starts_with(r.role, 'w_');
    DELETE FROM assim.fact_versions v WHERE v.tenant = own AND v.host = ANY(hosts) AND v.kind = ANY(kinds);
    DELETE FROM assim.undo u USING unnest(elements, starts, ends) AS k(label, key, to_key)
        WHERE u.tenant = own AND u.label = k.label AND u.key = k.key AND u.to_key = k.to_key;
    UPDATE assim.undo u SET before = jsonb_set(u.before, '{labels}', (
            SELECT coalesce(jsonb_agg(l), '[]') FROM jsonb_array_elements_text(u.before -> 'labels') l WHERE split_part(l, '=', 1) <> ALL(names)))
        WHERE u.tenant = own AND u.label = 'Host' AND u.key = ANY(SELECT h::text FROM unnest(hosts) h) AND u.before ? 'labels';
    DELETE FROM assim.events e WHERE e.tenant = own AND e.host = ANY(hosts) AND e.detail ->> 'kind' = ANY(kinds);
END $$;
-- +goose StatementEnd
