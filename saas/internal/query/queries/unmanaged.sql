-- Machines without a probe: addresses that hosts see, hear or use, which no enrolled host has.
-- group blind spots
-- note A machine that never speaks where a probe listens, and that no host uses, is not seen; see coverage.
-- column ip text
-- column mac text
-- column vendor vendor: holder of the hardware address's prefix
-- column role text: router, where it says so
-- column site text: of who sees it
-- column seen_by int: number of hosts
-- column seen_on text: their links, at most 5
-- column used_by int: number of services that use it
-- column users text: their hosts, at most 5
WITH enrolled AS MATERIALIZED (
    SELECT DISTINCT {n.realm} AS realm, {n.mac} AS mac FROM {HAS_NIC} e JOIN {NIC} n ON n.id = e.end_id
), seen AS (
    SELECT e.end_id AS address, e.start_id AS link, {e.mac} AS mac, {e.router} AS router FROM {SEES} e
    UNION ALL SELECT e.end_id, e.start_id, {e.mac}, {e.router} FROM {HEARS} e
), known AS (
    SELECT s.address, max(s.mac) AS mac, bool_or(s.router = 'true') AS router, min({h.site}) AS site, count(DISTINCT h.id) AS hosts,
        array_to_string((array_agg(DISTINCT {h.name} || '/' || {i.name}))[1:5], ', ') AS links
    FROM seen s JOIN {Interface} i ON i.id = s.link JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id JOIN {Host} h ON h.id = hi.start_id
    WHERE NOT EXISTS (SELECT FROM {HAS_ADDRESS} o WHERE o.end_id = s.address)
    GROUP BY 1
), used AS (
    SELECT x.end_id AS address, count(DISTINCT c.start_id) AS services, min({h.site}) AS site, array_to_string((array_agg(DISTINCT {h.name}))[1:5], ', ') AS hosts
    FROM {AT} x JOIN {CONNECTS_TO} c ON c.end_id = x.start_id JOIN {RUNS} r ON r.end_id = c.start_id JOIN {Host} h ON h.id = r.start_id
    WHERE NOT EXISTS (SELECT FROM {HAS_ADDRESS} o WHERE o.end_id = x.end_id)
    GROUP BY 1
)
SELECT {a.ip} AS ip, k.mac AS mac, k.mac AS vendor, CASE WHEN k.router THEN 'router' END AS role, p.name AS site, coalesce(k.hosts, 0) AS seen_by, k.links AS seen_on,
    coalesce(u.services, 0) AS used_by, u.hosts AS users
FROM known k FULL JOIN used u ON u.address = k.address
JOIN {Address} a ON a.id = coalesce(k.address, u.address)
LEFT JOIN assim.sites p ON p.id::text = coalesce(k.site, u.site)
WHERE starts_with({a.realm}, 'site:') AND NOT EXISTS (SELECT FROM enrolled n WHERE n.realm = {a.realm} AND n.mac = k.mac)
ORDER BY p.name NULLS LAST, ({a.ip})::inet, {a.key}
