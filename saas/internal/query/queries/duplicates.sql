-- Addresses and hardware addresses that two hosts have at once within one realm.
-- group blind spots
-- note Addresses that hosts share on purpose (VRRP, anycast) are listed too; a host's own bridges and loopback are not.
-- column what text: ip or mac
-- column value text
-- column vendor vendor: of a hardware address
-- column realm text: within which it should be unique
-- column hosts int
-- column names text: host/interface, at most 10
SELECT what, value, vendor, realm, hosts, names FROM (
SELECT 'ip' AS what, {a.ip} AS value, NULL::text AS vendor, {a.realm} AS realm, count(DISTINCT hi.start_id) AS hosts,
    array_to_string((array_agg(DISTINCT {h.name} || '/' || {i.name}))[1:10], ', ') AS names
FROM {HAS_ADDRESS} e
JOIN {Address} a ON a.id = e.end_id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
WHERE e.end_id IN (SELECT d.end_id FROM {HAS_ADDRESS} d GROUP BY 1 HAVING count(*) > 1)
GROUP BY a.id, a.properties HAVING count(DISTINCT hi.start_id) > 1
UNION ALL
SELECT 'mac', {n.mac}, {n.mac}, {n.realm}, count(DISTINCT hi.start_id), array_to_string((array_agg(DISTINCT {h.name} || '/' || {i.name}))[1:10], ', ')
FROM {HAS_NIC} e
JOIN {NIC} n ON n.id = e.end_id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
WHERE e.end_id IN (SELECT d.end_id FROM {HAS_NIC} d GROUP BY 1 HAVING count(*) > 1)
GROUP BY n.id, n.properties HAVING count(DISTINCT hi.start_id) > 1
) d
ORDER BY what, hosts DESC, value, realm
