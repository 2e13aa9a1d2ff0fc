-- Hardware addresses whose vendor is not known: set by software, or of a prefix that the IEEE lists nobody for.
-- group blind spots
-- missing vendor
-- column mac text
-- column vendor vendor: always nothing
-- column why text: set by software (the second bit of the first byte), or not registered
-- column ip text
-- column relation text: has or sees
-- column host text: that has it, else one that sees it
-- column realm text: within which the hardware address is unique
SELECT {n.mac} AS mac, {n.mac} AS vendor, CASE WHEN substr({n.mac}, 2, 1) IN ('2', '3', '6', '7', 'a', 'b', 'e', 'f') THEN 'set by software' ELSE 'not registered' END AS why,
    coalesce(o.ip, s.ip) AS ip, CASE WHEN o.host IS NULL THEN 'sees' ELSE 'has' END AS relation, coalesce(o.host, s.host) AS host, {n.realm} AS realm
FROM {NIC} n
LEFT JOIN LATERAL (
    SELECT {h.name} AS host, {a.ip} AS ip FROM {HAS_NIC} e JOIN {HAS_INTERFACE} hi ON hi.end_id = e.start_id JOIN {Host} h ON h.id = hi.start_id
    LEFT JOIN {HAS_ADDRESS} ha ON ha.start_id = e.start_id LEFT JOIN {Address} a ON a.id = ha.end_id
    WHERE e.end_id = n.id ORDER BY 1, ({a.ip})::inet LIMIT 1) o ON true
LEFT JOIN LATERAL (
    SELECT {h.name} AS host, {a.ip} AS ip FROM {SEES_NIC} e JOIN {HAS_INTERFACE} hi ON hi.end_id = e.start_id JOIN {Host} h ON h.id = hi.start_id
    LEFT JOIN ({SEES} v JOIN {Address} a ON a.id = v.end_id) ON v.start_id = e.start_id AND {v.mac} = {n.mac}
    WHERE e.end_id = n.id AND o.host IS NULL ORDER BY 1, ({a.ip})::inet LIMIT 1) s ON true
ORDER BY 1, 7, {n.key}
