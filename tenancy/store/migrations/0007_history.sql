-- +goose Up
-- History lies in partitions, which go as a whole when nobody may look at them
-- any more: versions of facts by month, undo by week. What was written so far is
-- the first partition of each; what finds no partition goes to the default one.
-- +goose StatementBegin
DO $$
DECLARE
    part record;
    first timestamptz;
BEGIN
    FOR part IN SELECT * FROM (VALUES ('fact_versions', 'month'), ('undo', 'week')) AS p(name, span) LOOP
        EXECUTE format('SELECT greatest(max(at), now()) FROM assim.%I', part.name) INTO first;
        first := date_trunc(part.span, first, 'UTC') + ('1 ' || part.span)::interval;
        EXECUTE format('ALTER TABLE assim.%I DETACH PARTITION assim.%I', part.name, part.name || '_default');
        EXECUTE format('ALTER TABLE assim.%I RENAME TO %I', part.name || '_default', part.name || '_first');
        EXECUTE format('ALTER TABLE assim.%I ATTACH PARTITION assim.%I FOR VALUES FROM (MINVALUE) TO (%L)', part.name, part.name || '_first', first);
        EXECUTE format('CREATE TABLE assim.%I PARTITION OF assim.%I DEFAULT', part.name || '_default', part.name);
    END LOOP;
END $$;
-- +goose StatementEnd

-- How long each tenant's past is held, and since when it is held without a gap.
CREATE TABLE assim.history (
    tenant     uuid PRIMARY KEY REFERENCES assim.tenants ON DELETE CASCADE,
    fact_days  integer NOT NULL DEFAULT 400 CHECK (fact_days BETWEEN 7 AND 3650),
    graph_days integer NOT NULL DEFAULT 90 CHECK (graph_days BETWEEN 7 AND 3650),
    facts_from timestamptz NOT NULL,
    graph_from timestamptz NOT NULL,
    kept_at    timestamptz NOT NULL DEFAULT '-infinity'  -- when a process last took up the tenant's housekeeping
);
ALTER TABLE assim.history ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.history
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
INSERT INTO assim.history (tenant, facts_from, graph_from) SELECT id, created_at, created_at FROM assim.tenants;
-- +goose StatementBegin
CREATE FUNCTION assim.begin_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO assim.history (tenant, facts_from, graph_from) VALUES (NEW.id, NEW.created_at, NEW.created_at) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER begin_history AFTER INSERT ON assim.tenants FOR EACH ROW EXECUTE FUNCTION assim.begin_history();

-- The partitions of history and where each ends; NULL: the default one.
-- +goose StatementBegin
CREATE FUNCTION assim.history_partitions() RETURNS TABLE (parent text, name text, upto timestamptz) LANGUAGE sql STABLE SET search_path = pg_catalog
    AS $$
        SELECT p.relname::text, c.relname::text, substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz
        FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
        WHERE p.relnamespace = 'assim'::regnamespace AND c.relkind = 'r'
    $$;
-- +goose StatementEnd

-- Makes the partitions that the coming weeks need and drops those that no tenant
-- may look at any more, a day late: whoever began to read before still reads.
-- Returns how many were made and dropped.
-- +goose StatementBegin
CREATE FUNCTION assim.turn_history(OUT made integer, OUT dropped integer) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
    AS $$
DECLARE
    part record;
    old record;
    at timestamptz;
    upto timestamptz;
    strays boolean;
    name text;
BEGIN
    made := 0;
    dropped := 0;
    -- Ingestion waits for us while we wait for readers: rather try again later.
    SET LOCAL lock_timeout = '2s';
    PERFORM pg_advisory_xact_lock(hashtextextended('assim history', 0));
    FOR part IN SELECT 'fact_versions' AS name, 'month' AS span, interval '2 months' AS ahead, (SELECT max(h.fact_days) FROM assim.history h) AS days
        UNION ALL SELECT 'undo', 'week', interval '3 weeks', (SELECT max(h.graph_days) FROM assim.history h)
    LOOP
        at := date_trunc(part.span, now(), 'UTC');
        WHILE at < now() + part.ahead LOOP
            upto := at + ('1 ' || part.span)::interval;
            name := part.name || '_' || to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD');
            -- Where the default partition has rows of this time they stay there.
            EXECUTE format('SELECT EXISTS (SELECT FROM assim.%I WHERE at >= %L AND at < %L)', part.name || '_default', at, upto) INTO strays;
            IF NOT strays AND to_regclass('assim.' || name) IS NULL AND NOT EXISTS (
                SELECT FROM assim.history_partitions() p WHERE p.parent = part.name AND p.upto > at)
            THEN
                EXECUTE format('CREATE TABLE assim.%I PARTITION OF assim.%I FOR VALUES FROM (%L) TO (%L)', name, part.name, at, upto);
                made := made + 1;
            END IF;
            at := upto;
        END LOOP;
        FOR old IN SELECT p.name FROM assim.history_partitions() p WHERE p.parent = part.name AND p.upto < now() - make_interval(days => part.days + 1) LOOP
            EXECUTE format('DROP TABLE assim.%I', old.name);
            dropped := dropped + 1;
        END LOOP;
    END LOOP;
END $$;
-- +goose StatementEnd
-- Takes about so many rows out of the caller's history that are older than it
-- wants to be held, and notes since when it is whole. Where nobody wants it
-- longer, rows go with their partition instead. As in forget_topology the caller
-- is who it has set its role to. Returns how many rows went.
-- +goose StatementBegin
CREATE FUNCTION assim.forget_history(most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
    AS $$
DECLARE
    own assim.history;
    gone bigint := 0;
    n bigint;
BEGIN
    SELECT h.* INTO STRICT own FROM assim.history h JOIN assim.tenant_roles r ON r.tenant = h.tenant
        WHERE r.role = current_setting('role') AND starts_with(r.role, 'w_') FOR UPDATE OF h;
    own.facts_from := greatest(own.facts_from, now() - make_interval(days => own.fact_days));
    own.graph_from := greatest(own.graph_from, now() - make_interval(days => own.graph_days));
    UPDATE assim.history h SET facts_from = own.facts_from, graph_from = own.graph_from WHERE h.tenant = own.tenant;
    IF own.fact_days < (SELECT max(h.fact_days) FROM assim.history h) THEN
        DELETE FROM assim.fact_versions v WHERE v.tenant = own.tenant AND v.at <= (SELECT max(o.at) FROM (
            SELECT f.at FROM assim.fact_versions f WHERE f.tenant = own.tenant AND f.at < own.facts_from ORDER BY f.at LIMIT most) o);
        GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    IF own.graph_days < (SELECT max(h.graph_days) FROM assim.history h) THEN
        DELETE FROM assim.undo u WHERE u.tenant = own.tenant AND u.at <= (SELECT max(o.at) FROM (
            SELECT f.at FROM assim.undo f WHERE f.tenant = own.tenant AND f.at < own.graph_from ORDER BY f.at LIMIT most) o);
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
    END IF;
    RETURN gone;
END $$;
-- +goose StatementEnd
