-- Who has an address, and who has seen it as a neighbour.
-- group network
-- from few
-- param ip ip: the address
-- example ip=10.0.0.5
-- column ip text
-- column relation text: has or sees
-- column host text
-- column interface text
-- column mac text: of the interface, or of the neighbour
-- column realm text: within which the address is unique
WITH wanted AS (SELECT a.id, a.properties FROM {Address} a WHERE {@a.ip} = {$ip})
SELECT {a.ip} AS ip, 'has' AS relation, {h.name} AS host, {i.name} AS interface, {n.mac} AS mac, {a.realm} AS realm
FROM wanted a
JOIN {HAS_ADDRESS} e ON e.end_id = a.id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
LEFT JOIN {HAS_NIC} hn ON hn.start_id = i.id
LEFT JOIN {NIC} n ON n.id = hn.end_id
UNION ALL
SELECT {a.ip}, 'sees', {h.name}, {i.name}, {e.mac}, {a.realm}
FROM wanted a
JOIN {SEES} e ON e.end_id = a.id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
ORDER BY relation, realm, host, interface, mac
