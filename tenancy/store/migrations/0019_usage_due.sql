-- +goose Up
-- Which tenants' quotas want a look: those that are near one, were told so, have
-- hosts that had no room, or were not measured for a day. The lookup that spares a
-- transaction for each tenant.
-- +goose StatementBegin
CREATE FUNCTION assim.usage_due(now timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$
        SELECT t.id FROM assim.tenants t CROSS JOIN assim.quotas d
            LEFT JOIN assim.quotas o ON o.tenant = t.id LEFT JOIN assim.usage u ON u.tenant = t.id
        WHERE d.tenant IS NULL AND NOT EXISTS (SELECT FROM assim.deletions e WHERE e.tenant = t.id AND e.begun_at IS NOT NULL) AND (
            u.tenant IS NULL OR u.measured_at < $1 - interval '1 day' OR u.told <> '{}'
            OR u.hosts >= 0.8 * coalesce(o.hosts, d.hosts) OR u.changes * exp(-least(extract(epoch FROM greatest($1 - u.changes_at, interval '0')) / 86400, 30)) >= 0.8 * coalesce(o.changes, d.changes) OR u.bytes >= 0.8 * coalesce(o.bytes, d.bytes)
            OR EXISTS (SELECT FROM assim.refused_hosts r WHERE r.tenant = t.id)
            OR NOT EXISTS (SELECT FROM assim.usage_days y WHERE y.tenant = t.id AND y.day = ($1 AT TIME ZONE 'UTC')::date))
    $$;
-- +goose StatementEnd
