-- Who has a hardware address, and who has seen it as a neighbour, with the IP addresses that go with it there.
-- group network
-- from few
-- param mac mac: the hardware address
-- example mac=02:fc:00:00:00:01
-- column mac text
-- column vendor vendor: holder of the address's prefix
-- column relation text: has or sees
-- column host text
-- column interface text
-- column ip text
-- column realm text: within which the hardware address is unique
WITH wanted AS (SELECT n.id, n.properties FROM {NIC} n WHERE {@n.mac} = {$mac})
SELECT {n.mac} AS mac, {n.mac} AS vendor, 'has' AS relation, {h.name} AS host, {i.name} AS interface, {a.ip} AS ip, {n.realm} AS realm
FROM wanted n
JOIN {HAS_NIC} e ON e.end_id = n.id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
LEFT JOIN {HAS_ADDRESS} ha ON ha.start_id = i.id
LEFT JOIN {Address} a ON a.id = ha.end_id
UNION ALL
SELECT {n.mac}, {n.mac}, 'sees', {h.name}, {i.name}, {a.ip}, {n.realm}
FROM wanted n
JOIN {SEES_NIC} e ON e.end_id = n.id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
LEFT JOIN {SEES} s ON s.start_id = i.id AND {s.mac} = {n.mac}
LEFT JOIN {Address} a ON a.id = s.end_id
ORDER BY relation, realm, host, interface, ip
