-- +goose Up
-- Before-images know the ids of what they are of, so that looking back joins
-- tables as they were without looking up a key for each row that changed. What is
-- no longer there gets an id that nothing else has.
ALTER TABLE assim.undo ADD COLUMN id ag_catalog.graphid, ADD COLUMN start_id ag_catalog.graphid, ADD COLUMN end_id ag_catalog.graphid;
-- Every row is written anew: indexes are cheaper to make afterwards.
DROP INDEX assim.undo_tenant_label_key_at_idx, assim.undo_tenant_at_idx;

-- +goose StatementBegin
DO $$
DECLARE
    t record;
    l record;
    begun boolean;
BEGIN
    SET LOCAL search_path = pg_catalog, ag_catalog;
    -- Whole tables are joined, of which the planner knows nothing.
    SET LOCAL work_mem = '256MB';
    SET LOCAL enable_nestloop = off;
    SET LOCAL enable_mergejoin = off;
    CREATE TEMP TABLE points (label text, key text, id graphid) ON COMMIT DROP;
    CREATE TEMP TABLE known (label text, key text, to_key text, id graphid, start_id graphid, end_id graphid) ON COMMIT DROP;
    FOR t IN SELECT id, graph FROM assim.tenants LOOP
        SELECT EXISTS (SELECT FROM assim.undo u WHERE u.tenant = t.id) INTO begun;
        CONTINUE WHEN NOT begun;
        TRUNCATE points, known;
        FOR l IN SELECT a.name::text AS name, a.id, a.kind, format('%I.%I', t.graph, a.name) AS tab, format('%I.%I', t.graph, a.name || '_id_seq') AS seq
            FROM ag_label a JOIN ag_graph g ON g.graphid = a.graph WHERE g.name = t.graph AND a.name NOT LIKE '\_ag\_label\_%' ORDER BY a.kind DESC
        LOOP
            IF l.kind = 'v' THEN
                EXECUTE format('INSERT INTO points SELECT $1, v.properties ->> ''key''::text, v.id FROM %s v', l.tab) USING l.name;
                INSERT INTO points SELECT l.name, o.key, _graphid(l.id, nextval(l.seq::regclass)) FROM (
                    SELECT u.key FROM assim.undo u WHERE u.tenant = t.id AND u.label = l.name
                    UNION SELECT u.key FROM assim.undo u WHERE u.tenant = t.id AND u.from_label = l.name
                    UNION SELECT u.to_key FROM assim.undo u WHERE u.tenant = t.id AND u.to_label = l.name
                    EXCEPT SELECT p.key FROM points p WHERE p.label = l.name) o;
            ELSE
                EXECUTE format('INSERT INTO known SELECT $1, a.key, z.key, e.id, a.id, z.id
                    FROM %s e JOIN points a ON a.id = e.start_id JOIN points z ON z.id = e.end_id', l.tab) USING l.name;
                INSERT INTO known SELECT l.name, o.key, o.to_key, _graphid(l.id, nextval(l.seq::regclass)), a.id, z.id FROM (
                    SELECT DISTINCT u.key, u.to_key, u.from_label, u.to_label FROM assim.undo u WHERE u.tenant = t.id AND u.label = l.name
                    AND NOT EXISTS (SELECT FROM known k WHERE k.label = l.name AND k.key = u.key AND k.to_key = u.to_key)) o
                JOIN points a ON a.label = o.from_label AND a.key = o.key JOIN points z ON z.label = o.to_label AND z.key = o.to_key;
            END IF;
        END LOOP;
        INSERT INTO known (label, key, to_key, id) SELECT p.label, p.key, '', p.id FROM points p;
        UPDATE assim.undo u SET id = k.id, start_id = k.start_id, end_id = k.end_id FROM known k
            WHERE u.tenant = t.id AND k.label = u.label AND k.key = u.key AND k.to_key = u.to_key;
    END LOOP;
    RESET search_path;
    RESET work_mem;
    RESET enable_nestloop;
    RESET enable_mergejoin;
END $$;
-- +goose StatementEnd

ALTER TABLE assim.undo ALTER COLUMN id SET NOT NULL;
-- All that happened, to one element, and of one label.
CREATE INDEX undo_by_time ON assim.undo (tenant, at);
CREATE INDEX undo_by_id ON assim.undo (tenant, id, at);
CREATE INDEX undo_by_label ON assim.undo (tenant, label, at);
-- What had a key, what led from a vertex, what led to it: few rows, as most images
-- say that something was not there.
CREATE INDEX undo_by_key ON assim.undo (tenant, label, key, at) WHERE before IS NOT NULL;
CREATE INDEX undo_by_start ON assim.undo (tenant, start_id, at) WHERE before IS NOT NULL;
CREATE INDEX undo_by_end ON assim.undo (tenant, end_id, at) WHERE before IS NOT NULL;

-- In order of time again, and without the room of the rows as they were.
-- +goose StatementBegin
DO $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT i.indrelid::regclass AS tab, c.relname AS by_time FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
        JOIN pg_class c ON c.oid = i.indexrelid WHERE h.inhparent = 'assim.undo_by_time'::regclass
    LOOP
        EXECUTE format('CLUSTER %s USING %I', part.tab, part.by_time);
        EXECUTE format('ALTER TABLE %s SET WITHOUT CLUSTER', part.tab);
    END LOOP;
END $$;
-- +goose StatementEnd
