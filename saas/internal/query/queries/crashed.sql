-- Hosts that went without a goodbye: the host is down, or its probe is.
-- group hosts
-- column host text
-- column id text
-- column site text
-- column state text: down: the whole host; agent down: the probe, the host lives
-- column since time: by the relay's clock
-- column last_sign time: the last sign of life, as the verdict has it
-- column confidence int: of the verdict, 1 to 100
-- column verdict_id text
-- column os text
SELECT h.name AS host, h.id::text AS id, s.name AS site, h.state AS state, h.state_at AS since, w.since AS last_sign,
    w.confidence::bigint AS confidence, w.id::text AS verdict_id, h.os AS os
FROM assim.hosts h
JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
LEFT JOIN LATERAL (
    SELECT v.id, v.since, v.confidence FROM assim.verdict_hosts vh JOIN assim.verdicts v ON v.tenant = vh.tenant AND v.id = vh.verdict
    WHERE vh.tenant = h.tenant AND vh.host = h.id AND v.over_at IS NULL AND v.kind IN ('host down', 'agent down')
    ORDER BY v.at DESC, v.id LIMIT 1) w ON true
WHERE h.state IN ('down', 'agent down') AND h.retired_at IS NULL
ORDER BY h.state_at DESC, lower(h.name), h.id
