-- The switch ports that one host is wired to; a site that keeps its topology is asked live.
-- group network
-- source relay
-- param host host: name or id of the host
-- example host=web1
-- column host text
-- column state text
-- column interface text
-- column switch text: its name, where it tells one
-- column chassis text
-- column port text
-- column description text
-- column vlan int: of the port
-- column protocol text: lldp, cdp or both
SELECT {h.name} AS host, {h.state} AS state, {i.name} AS interface, {w.name} AS switch, {p.chassis} AS chassis, {p.port} AS port,
    {w.description} AS description, {w.vlan:int} AS vlan, {w.protocol} AS protocol
FROM {Host} h
JOIN {HAS_INTERFACE} hi ON hi.start_id = h.id
JOIN {Interface} i ON i.id = hi.end_id
JOIN {WIRED_TO} w ON w.start_id = i.id
JOIN {SwitchPort} p ON p.id = w.end_id
WHERE {@h.key} = {$host}
ORDER BY 5, 6, lower({h.name}), {h.key}, 3
