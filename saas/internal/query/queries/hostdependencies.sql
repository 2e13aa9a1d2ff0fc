-- Who uses a host's services, and whose services the host uses.
-- group services
-- from few
-- param host host: name or id of the host
-- example host=web1
-- column direction text: "used by" others, or "uses" others
-- column host text: that serves; empty where no enrolled host listens there
-- column service text: that serves
-- column ip text
-- column port int
-- column protocol text: tcp or udp
-- column client_host text
-- column client text: service that is the client
WITH own AS (
    SELECT h.id, h.properties, r.end_id AS service FROM {Host} h JOIN {RUNS} r ON r.start_id = h.id WHERE {@h.key} = {$host}
)
SELECT direction, host, service, ip, port, protocol, client_host, client FROM (
SELECT 'used by' AS direction, {o.name} AS host, {s.name} AS service, {e.ip} AS ip, {e.port:int} AS port, {e.protocol} AS protocol,
    {ch.name} AS client_host, {c.name} AS client, {ch.key} AS client_id, {s.key} AS service_key, {c.key} AS client_key
FROM own o
JOIN {Service} s ON s.id = o.service
JOIN {LISTENS_ON} l ON l.start_id = s.id
JOIN {Endpoint} e ON e.id = l.end_id
JOIN {CONNECTS_TO} t ON t.end_id = e.id
JOIN {Service} c ON c.id = t.start_id
JOIN {RUNS} cr ON cr.end_id = c.id
JOIN {Host} ch ON ch.id = cr.start_id
UNION ALL
SELECT 'uses', {sh.name}, {s.name}, {e.ip}, {e.port:int}, {e.protocol}, {o.name}, {c.name}, {o.key}, {s.key}, {c.key}
FROM own o
JOIN {Service} c ON c.id = o.service
JOIN {CONNECTS_TO} t ON t.start_id = c.id
JOIN {Endpoint} e ON e.id = t.end_id
LEFT JOIN {LISTENS_ON} l ON l.end_id = e.id
LEFT JOIN {Service} s ON s.id = l.start_id
LEFT JOIN {RUNS} sr ON sr.end_id = l.start_id
LEFT JOIN {Host} sh ON sh.id = sr.start_id
WHERE sh.id IS DISTINCT FROM o.id
) d
ORDER BY direction DESC, host NULLS LAST, port, protocol, ip, service, client_host, client, client_id, service_key, client_key
