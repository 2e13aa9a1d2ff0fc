-- Who listens on a port, and how many services use it.
-- group questions
-- param port int: 1 to 65535
-- example port=443
-- column host text
-- column state text
-- column ip text
-- column protocol text: tcp or udp
-- column service text
-- column exe text
-- column uid int: user that it runs as; -1 where not known
-- column wildcard text: 0.0.0.0 or :: where it listens on all addresses
-- column clients int: services that use this endpoint
SELECT {h.name} AS host, {h.state} AS state, {e.ip} AS ip, {e.protocol} AS protocol, {s.name} AS service, {s.exe} AS exe, {s.uid:int} AS uid,
    {l.wildcard} AS wildcard, (SELECT count(*) FROM {CONNECTS_TO} t WHERE t.end_id = e.id) AS clients
FROM {Endpoint} e
JOIN {LISTENS_ON} l ON l.end_id = e.id
JOIN {Service} s ON s.id = l.start_id
JOIN {RUNS} r ON r.end_id = s.id
JOIN {Host} h ON h.id = r.start_id
WHERE {@e.port} = {$port}
ORDER BY lower({h.name}), {h.key}, 4, ({e.ip})::inet, 5, {s.key}
