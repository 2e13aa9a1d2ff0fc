-- The endpoints on which one host's services listen.
-- group services
-- from few
-- param host host: name or id of the host
-- example host=web1
-- column host text
-- column ip text
-- column port int
-- column protocol text: tcp or udp
-- column service text
-- column exe text
-- column uid int: user that it runs as; -1 where not known
-- column container text
-- column wildcard text: 0.0.0.0 or :: where it listens on all addresses
SELECT {h.name} AS host, {e.ip} AS ip, {e.port:int} AS port, {e.protocol} AS protocol, {s.name} AS service, {s.exe} AS exe,
    {s.uid:int} AS uid, {s.container} AS container, {l.wildcard} AS wildcard
FROM {Host} h
JOIN {RUNS} r ON r.start_id = h.id
JOIN {Service} s ON s.id = r.end_id
JOIN {LISTENS_ON} l ON l.start_id = s.id
JOIN {Endpoint} e ON e.id = l.end_id
WHERE {@h.key} = {$host}
ORDER BY 3, 4, ({e.ip})::inet, 5, {s.key}
