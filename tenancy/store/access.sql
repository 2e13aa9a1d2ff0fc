-- Rights of the roles of this database; run after every migration, repeatable.
-- @name@ stands for a quoted role name. Roles: three logins that have nothing
-- but CONNECT (writer, reader) or the tables of people (global), and two groups
-- (writers, readers) that every tenant's roles are members of.

ALTER DATABASE @database@ SET session_preload_libraries = 'age';
-- With containment AGE looks keys up by a GIN index that we do not have.
ALTER DATABASE @database@ SET age.enable_containment = off;
-- Compiling a statement costs more than any of ours takes.
ALTER DATABASE @database@ SET jit = off;
REVOKE ALL ON DATABASE @database@ FROM PUBLIC;
GRANT CONNECT ON DATABASE @database@ TO @writer@, @reader@, @global@;
GRANT TEMPORARY ON DATABASE @database@ TO @writers@;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA assim TO @writers@, @readers@, @global@;
GRANT USAGE ON SCHEMA ag_catalog TO @writers@, @readers@;

-- Every role sees the one row that says whose it is.
GRANT SELECT ON assim.tenant_roles TO @writers@, @readers@;

-- The tenant's own row; the wrapped private keys are for the writer only.
GRANT SELECT ON assim.tenants TO @writers@, @global@;
GRANT SELECT ON assim.sites TO @writers@;
GRANT SELECT (id, name, graph, seal_key, seal_key_hash, created_at) ON assim.tenants TO @readers@;
GRANT SELECT (id, tenant, name, realm, site_key, orders_revision, created_at, residency, decided_at, beat_ms, places,
    location, latitude, longitude, key_sequence, keyed_at, former_key, next_key, next_at) ON assim.sites TO @readers@;

GRANT SELECT ON assim.relays, assim.tokens, assim.token_leases, assim.token_uses, assim.hosts, assim.streams, assim.stream_epochs, assim.writers,
    assim.fact_bodies, assim.facts, assim.fact_versions, assim.undo, assim.events, assim.findings, assim.audit, assim.labels,
    assim.verdicts, assim.verdict_hosts, assim.history TO @writers@, @readers@;
GRANT INSERT, UPDATE, DELETE ON assim.sites, assim.relays, assim.tokens, assim.token_leases, assim.hosts, assim.streams, assim.writers,
    assim.fact_bodies, assim.facts, assim.findings, assim.verdicts, assim.verdict_hosts TO @writers@;
GRANT SELECT, INSERT, DELETE ON assim.questions TO @writers@;
GRANT UPDATE (fact_days, graph_days, kept_at) ON assim.history TO @writers@;
-- History is written once.
GRANT INSERT ON assim.token_uses, assim.stream_epochs, assim.fact_versions, assim.undo, assim.events, assim.audit TO @writers@;

GRANT SELECT, INSERT, UPDATE, DELETE ON assim.users, assim.members, assim.sessions, assim.api_tokens, assim.known_addresses, assim.recovery_codes,
    assim.signups, assim.links, assim.site_members, assim.invitations, assim.entry_rules, assim.identity_providers, assim.domains,
    assim.identities, assim.sso_attempts TO @global@;
REVOKE EXECUTE ON FUNCTION assim.rename_tenant(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.rename_tenant(text) TO @writers@;
DROP POLICY IF EXISTS everybody ON assim.tenants;
CREATE POLICY everybody ON assim.tenants FOR SELECT TO @global@ USING (true);
REVOKE EXECUTE ON FUNCTION assim.tenant_of_relay(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.tenant_of_relay(uuid) TO @global@;
-- The two ways out of history: what is older than it is to be held, in steps or
-- a partition at a time, and topology that may no longer be here.
REVOKE EXECUTE ON FUNCTION assim.forget_history(integer), assim.turn_history(), assim.begin_history(), assim.history_partitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.forget_history(integer) TO @writers@;
GRANT EXECUTE ON FUNCTION assim.turn_history() TO @global@;
REVOKE EXECUTE ON FUNCTION assim.forget_topology(uuid[], text[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.forget_topology(uuid[], text[], text[], text[], text[], text[]) TO @writers@;
-- Exporters; what opens a tenant's collector is for the writer only.
GRANT SELECT, INSERT, UPDATE, DELETE ON assim.exporters, assim.undelivered TO @writers@;
GRANT SELECT (tenant, id, name, protocol, endpoint, compression, signals, headers, ca, certificate, created_at, event_id, changed, sampled_at, leased_until,
    next_at, tries, problem, sent_at, sent) ON assim.exporters TO @readers@;
GRANT SELECT ON assim.undelivered TO @readers@;
REVOKE EXECUTE ON FUNCTION assim.exporters_awake(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.exporters_awake(timestamptz) TO @global@;
-- Webhooks; what signs is for the writer only. Stored answers may hold secrets.
GRANT SELECT, INSERT, UPDATE, DELETE ON assim.webhooks, assim.webhook_messages, assim.webhook_tries, assim.answers TO @writers@;
GRANT SELECT (tenant, id, name, url, types, site, state, previous_until, created_at, event_id, leased_until, next_at, failures, failing_since, problem,
    sent_at, sent) ON assim.webhooks TO @readers@;
GRANT SELECT ON assim.webhook_messages, assim.webhook_tries TO @readers@;
REVOKE EXECUTE ON FUNCTION assim.webhooks_awake(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.webhooks_awake(timestamptz) TO @global@;
REVOKE EXECUTE ON FUNCTION assim.tenants_with_silent_relays(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.tenants_with_silent_relays(timestamptz) TO @global@;
REVOKE EXECUTE ON FUNCTION assim.tenants_with_ephemeral_hosts(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.tenants_with_ephemeral_hosts(timestamptz) TO @global@;

-- Row-level security lets an index be used with trusted operators only. Graph ids
-- are compared as the 64 bits that they are, which leaks nothing.
ALTER FUNCTION ag_catalog.graphid_eq(ag_catalog.graphid, ag_catalog.graphid) LEAKPROOF;

-- Functions. AGE's are for writers; readers get an allow-list without those that
-- write (AGE 1.5 checks no table rights in SET and DELETE), reach another graph
-- by its name, walk a whole graph into memory, or crash the server.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ag_catalog FROM PUBLIC, @readers@;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ag_catalog TO @writers@;
DO $access$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT oid::regprocedure FROM pg_catalog.pg_proc WHERE pronamespace = 'ag_catalog'::regnamespace AND (
        proname ~ '^(agtype|graphid)_(add|sub|mul|div|mod|pow|neg|concat|eq|ne|lt|le|gt|ge|any_.*|btree_cmp|btree_sort|hash_cmp|in_operator|access_operator|access_slice|string_match_.*|contains|contained_by|exists.*|build_.*|typecast_.*|volatile_wrapper|object_field.*|array_element.*|in|out|to_agtype|extract_path)$'
        OR proname ~ '^age_(abs|acos|asin|atan|atan2|avg|ceil|collect|cos|cot|degrees|e|end_id|eq_tilde|exists|exp|floor|head|id|isempty|keys|label|labels|last|left|length|log|log10|ltrim|max|min|nodes|percentilecont|percentiledisc|pi|properties|radians|rand|range|relationships|replace|reverse|right|round|rtrim|sign|sin|size|split|sqrt|start_id|stdev|stdevp|sum|tail|tan|timestamp|toboolean|tobooleanlist|tofloat|tointeger|tointegerlist|tolower|tostring|tostringlist|toupper|trim|type|unnest|is_valid_label_name|predicate.*|all_.*|any_.*|none_.*|single_.*|reduce.*)$'
        OR proname ~ '^(_agtype_build_.*|_label_name|_ag_enforce_edge_uniqueness[0-9]*|_extract_label_id|agtype_to_(bool|graphid|int8|float8|int4|int4_array|int2)|(int8|bool|float8)_to_agtype|(vertex|edge)_to_agtype|(vertex|edge|path)_(eq|ne)|cypher)$')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO @readers@', f);
    END LOOP;
    -- Of Postgres itself: nobody needs large objects, which two tenants could
    -- share, nor the functions among them that read and write files of the server.
    -- Slots of replication hold back the server's log.
    FOR f IN SELECT oid::regprocedure FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
        proname ~ '^(lo_.*|loread|lowrite|pg_create_.*_slot|pg_copy_.*_slot|pg_drop_replication_slot|pg_replication_slot_advance)$')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, @writers@', f);
    END LOOP;
    -- What waits, locks, changes a setting (a role is one) or runs SQL given as
    -- text is for writers only.
    FOR f IN SELECT oid::regprocedure FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
        proname ~ '^(pg_sleep.*|pg_advisory_.*|pg_try_advisory_.*|set_config|pg_notify|pg_cancel_backend|pg_terminate_backend|pg_logical_emit_message|pg_export_snapshot|ts_stat|ts_rewrite)$'
        OR proname ~ '^(query|cursor|table|schema|database)_to_xml.*')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO @writers@', f);
    END LOOP;
END $access$;
-- Named views, and what people asked.
GRANT SELECT ON assim.views, assim.asked TO @writers@, @readers@;
GRANT INSERT, UPDATE, DELETE ON assim.views, assim.asked TO @writers@;
-- The end of tenants, and how much they may have.
GRANT SELECT, INSERT, UPDATE, DELETE ON assim.deletions TO @global@;
GRANT SELECT ON assim.quotas TO @writers@, @readers@;
GRANT SELECT ON assim.usage, assim.usage_days, assim.refused_hosts TO @readers@;
GRANT SELECT, INSERT, UPDATE, DELETE ON assim.usage, assim.usage_days, assim.refused_hosts TO @writers@;
REVOKE EXECUTE ON FUNCTION assim.usage_due(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assim.usage_due(timestamptz) TO @global@;
