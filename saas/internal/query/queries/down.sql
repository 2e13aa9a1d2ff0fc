-- Hosts that are not known to be up: down, cut off, fallen silent or shut down, with the verdict that says why.
-- group hosts
-- column host text
-- column id text
-- column site text
-- column state text: down, unreachable, agent down, unresponsive, silent, shut down; unknown while nothing is heard of its site
-- column since time: by the relay's clock
-- column verdict text: kind of the open verdict about it; empty where there is none
-- column last_sign time: the last sign of life, as the verdict has it
-- column confidence int: of the verdict, 1 to 100
-- column verdict_id text
SELECT h.name AS host, h.id::text AS id, s.name AS site, CASE WHEN d.id IS NULL THEN h.state ELSE 'unknown' END AS state,
    coalesce(d.since, h.state_at) AS since, coalesce(d.kind, w.kind) AS verdict, coalesce(d.since, w.since) AS last_sign,
    coalesce(d.confidence, w.confidence)::bigint AS confidence, coalesce(d.id, w.id)::text AS verdict_id
FROM assim.hosts h
JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
LEFT JOIN assim.verdicts d ON d.tenant = h.tenant AND d.site = h.site AND d.relay IS NULL AND d.over_at IS NULL
LEFT JOIN LATERAL (
    SELECT v.id, v.kind, v.since, v.confidence FROM assim.verdict_hosts vh JOIN assim.verdicts v ON v.tenant = vh.tenant AND v.id = vh.verdict
    WHERE vh.tenant = h.tenant AND vh.host = h.id AND v.over_at IS NULL ORDER BY v.at DESC, v.id LIMIT 1) w ON h.state <> 'up'
WHERE (h.state <> 'up' OR d.id IS NOT NULL) AND h.retired_at IS NULL
ORDER BY coalesce(d.since, h.state_at) DESC, lower(h.name), h.id
