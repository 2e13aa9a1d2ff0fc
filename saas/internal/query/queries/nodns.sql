-- Addresses that no fact names: no enrolled host has them, though hosts see or use them.
-- group blind spots
-- note Names come from the hosts that have an address; the DNS is not asked.
-- column ip text
-- column mac text: that others see it with
-- column vendor vendor: holder of the hardware address's prefix
-- column realm text: within which the address is unique
-- column seen_by int: number of links that see or hear it
-- column used_by int: number of services that use an endpoint there
SELECT {a.ip} AS ip, s.mac AS mac, s.mac AS vendor, {a.realm} AS realm, s.links AS seen_by, u.services AS used_by
FROM {Address} a
CROSS JOIN LATERAL (SELECT max(k.mac) AS mac, count(DISTINCT k.link) AS links FROM (
    SELECT {e.mac} AS mac, e.start_id AS link FROM {SEES} e WHERE e.end_id = a.id UNION ALL SELECT {e.mac}, e.start_id FROM {HEARS} e WHERE e.end_id = a.id) k) s
CROSS JOIN LATERAL (SELECT count(DISTINCT c.start_id) AS services FROM {AT} x JOIN {CONNECTS_TO} c ON c.end_id = x.start_id WHERE x.end_id = a.id) u
WHERE NOT EXISTS (SELECT FROM {HAS_ADDRESS} o WHERE o.end_id = a.id) AND NOT starts_with({a.realm}, 'host:') AND s.links + u.services > 0
ORDER BY ({a.ip})::inet, 4
