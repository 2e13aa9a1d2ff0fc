-- Hardware addresses whose vendor is not known: set by software, or of a prefix that the IEEE lists nobody for.
-- group blind spots
-- from few
-- missing vendor
-- column mac text
-- column vendor vendor: always nothing
-- column why text: set by software (the second bit of the first byte), or not registered
-- column ip text
-- column relation text: has or sees
-- column host text: that has it, else one that sees it
-- column realm text: within which the hardware address is unique
WITH nics AS NOT MATERIALIZED ( -- in order before anything is joined: only rows that are read are looked up
    SELECT n.id, {n.mac} AS mac, {n.realm} AS realm, {n.key} AS key FROM {NIC} n ORDER BY 2, 3, 4)
SELECT n.mac AS mac, n.mac AS vendor, CASE WHEN substr(n.mac, 2, 1) IN ('2', '3', '6', '7', 'a', 'b', 'e', 'f') THEN 'set by software' ELSE 'not registered' END AS why,
    coalesce(o.ip, s.ip) AS ip, CASE WHEN o.host IS NULL THEN 'sees' ELSE 'has' END AS relation, coalesce(o.host, s.host) AS host, n.realm AS realm
FROM nics n
LEFT JOIN LATERAL (
    SELECT {h.name} AS host, {a.ip} AS ip FROM (SELECT n.id) x
    JOIN {HAS_NIC} e ON e.end_id = x.id
    JOIN {HAS_INTERFACE} hi ON hi.end_id = e.start_id
    JOIN {Host} h ON h.id = hi.start_id
    LEFT JOIN {HAS_ADDRESS} ha ON ha.start_id = e.start_id
    LEFT JOIN {Address} a ON a.id = ha.end_id
    ORDER BY 1, ({a.ip})::inet LIMIT 1) o ON true
LEFT JOIN LATERAL ( -- a router is seen by hundreds: one is chosen before addresses are looked up
    SELECT f.host AS host, {a.ip} AS ip FROM (
        SELECT {h.name} AS host, e.start_id AS link FROM (SELECT n.id) x
        JOIN {SEES_NIC} e ON e.end_id = x.id
        JOIN {HAS_INTERFACE} hi ON hi.end_id = e.start_id
        JOIN {Host} h ON h.id = hi.start_id
        WHERE o.host IS NULL ORDER BY 1, {h.key}, 2 LIMIT 1) f
    LEFT JOIN {SEES} v ON v.start_id = f.link AND {v.mac} = n.mac
    LEFT JOIN {Address} a ON a.id = v.end_id
    ORDER BY ({a.ip})::inet LIMIT 1) s ON true
ORDER BY n.mac, n.realm, n.key
