-- Every endpoint on which a service listens.
-- group services
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
FROM {LISTENS_ON} l
JOIN {Endpoint} e ON e.id = l.end_id
JOIN {Service} s ON s.id = l.start_id
JOIN {RUNS} r ON r.end_id = s.id
JOIN {Host} h ON h.id = r.start_id
ORDER BY lower({h.name}), {h.key}, 3, 4, ({e.ip})::inet, 5, {s.key}
