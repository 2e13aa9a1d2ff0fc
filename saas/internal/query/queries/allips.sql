-- Every address that a host has, on which link.
-- group network
-- column ip text
-- column prefix int: length of the network part
-- column host text
-- column interface text
-- column mac text
-- column vendor vendor: holder of the hardware address's prefix
-- column realm text: within which the address is unique
SELECT {a.ip} AS ip, {e.prefix:int} AS prefix, {h.name} AS host, {i.name} AS interface, {n.mac} AS mac, {n.mac} AS vendor, {a.realm} AS realm
FROM {HAS_ADDRESS} e
JOIN {Address} a ON a.id = e.end_id
JOIN {Interface} i ON i.id = e.start_id
JOIN {HAS_INTERFACE} hi ON hi.end_id = i.id
JOIN {Host} h ON h.id = hi.start_id
LEFT JOIN {HAS_NIC} hn ON hn.start_id = i.id
LEFT JOIN {NIC} n ON n.id = hn.end_id
ORDER BY ({a.ip})::inet, 6, lower({h.name}), {h.key}, 4, 5
