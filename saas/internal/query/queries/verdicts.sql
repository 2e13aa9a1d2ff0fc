-- What is wrong now: the verdicts that are not over, with their causes.
-- group hosts
-- column verdict text: kind
-- column hosts text: the first names
-- column count int: of hosts
-- column site text
-- column last_sign time: the last sign of life, by the relay's clock
-- column found time: when the verdict was reached
-- column confidence int: 1 to 100
-- column cause text: kind of the verdict that explains it
-- column relay text: that concluded it; empty: the service
-- column id text
SELECT v.kind AS verdict, n.names AS hosts, v.count AS count, s.name AS site, v.since AS last_sign, v.at AS found, v.confidence::bigint AS confidence,
    c.kind AS cause, r.name AS relay, v.id::text AS id
FROM assim.verdicts v
JOIN assim.sites s ON s.tenant = v.tenant AND s.id = v.site
LEFT JOIN assim.relays r ON r.tenant = v.tenant AND r.id = v.relay
LEFT JOIN assim.verdicts c ON c.tenant = v.tenant AND c.id = v.cause
LEFT JOIN LATERAL (
    SELECT string_agg(h.name, ', ' ORDER BY lower(h.name), h.id) AS names
    FROM (SELECT vh.host FROM assim.verdict_hosts vh WHERE vh.tenant = v.tenant AND vh.verdict = v.id ORDER BY vh.host LIMIT 10) f
    JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = f.host) n ON true
WHERE v.over_at IS NULL
ORDER BY v.at DESC, v.id
