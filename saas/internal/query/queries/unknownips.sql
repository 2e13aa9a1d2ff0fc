-- Addresses that hosts have seen as neighbours and that no enrolled host has: machines without a probe.
-- group blind spots
-- column ip text
-- column mac text
-- column vendor vendor: holder of the hardware address's prefix
-- column realm text: within which the address is unique
-- column seen_by int: number of hosts
-- column hosts text: their names, at most 10
SELECT {a.ip} AS ip, {e.mac} AS mac, {e.mac} AS vendor, {a.realm} AS realm, count(DISTINCT h.id) AS seen_by,
    array_to_string((array_agg(DISTINCT {h.name}))[1:10], ', ') AS hosts
FROM {SEES} e
JOIN {Address} a ON a.id = e.end_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = e.start_id
JOIN {Host} h ON h.id = hi.start_id
WHERE NOT EXISTS (SELECT FROM {HAS_ADDRESS} o WHERE o.end_id = a.id)
GROUP BY 1, 2, 3, 4
ORDER BY ({a.ip})::inet, 4, 2
