-- +goose Up
-- Hosts that are taken out of the estate by themselves once they were away for what
-- their label "ephemeral" says, and which tenants have some that are away.
CREATE INDEX hosts_ephemeral ON assim.hosts (tenant, state_at) WHERE retired_at IS NULL AND state <> 'up' AND labels ? 'ephemeral';

-- +goose StatementBegin
CREATE FUNCTION assim.tenants_with_ephemeral_hosts(since timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$ SELECT DISTINCT tenant FROM assim.hosts WHERE retired_at IS NULL AND state <> 'up' AND labels ? 'ephemeral' AND state_at < since $$;
-- +goose StatementEnd

-- Probes that announce themselves at a relay and are not enrolled, as it said last.
ALTER TABLE assim.relays ADD COLUMN pending jsonb NOT NULL DEFAULT '[]';
