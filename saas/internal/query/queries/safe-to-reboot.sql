-- Whether a host may go away for a while: who uses its services, and what remains for them. Safe is yes where nothing is listed, or no row says no.
-- group questions
-- note Only clients on enrolled hosts are seen. A replica is the same executable on the same port of another host that is up, and counts for a client that is connected to it now.
-- param host host: name or id of the host
-- example host=db1
-- column safe text: yes: every client has a replica that it uses already; no: somebody is hit
-- column service text
-- column port int
-- column protocol text: tcp or udp
-- column client_hosts int: other hosts that use it
-- column hit int: of those, without a replica
-- column hit_hosts text: their names, at most 10
-- column replicas int: hosts that remain
-- column replica_hosts text: their names, at most 10
WITH used AS (
    SELECT h.id AS host, s.id AS service, s.properties AS service_properties, e.properties AS endpoint_properties, c.id AS client, cr.start_id AS client_host
    FROM {Host} h
    JOIN {RUNS} r ON r.start_id = h.id
    JOIN {Service} s ON s.id = r.end_id
    JOIN {LISTENS_ON} l ON l.start_id = s.id
    JOIN {Endpoint} e ON e.id = l.end_id
    JOIN {CONNECTS_TO} t ON t.end_id = e.id
    JOIN {Service} c ON c.id = t.start_id
    JOIN {RUNS} cr ON cr.end_id = c.id
    WHERE {@h.key} = {$host} AND cr.start_id <> h.id
), replicas AS (
    SELECT DISTINCT u.service, {e.port:int} AS port, {e.protocol} AS protocol, u.client, rr.start_id AS host
    FROM (SELECT service, service_properties AS properties, endpoint_properties, client, host FROM used) u
    JOIN {CONNECTS_TO} t ON t.start_id = u.client
    JOIN {Endpoint} e ON e.id = t.end_id
    JOIN {LISTENS_ON} l ON l.end_id = e.id
    JOIN {Service} s ON s.id = l.start_id
    JOIN {RUNS} rr ON rr.end_id = s.id
    JOIN {Host} h ON h.id = rr.start_id
    WHERE rr.start_id <> u.host AND {h.state} = 'up' AND {s.name} = {u.name} AND {s.exe} IS NOT DISTINCT FROM {u.exe}
        AND {e.port:int} = (u.endpoint_properties ->> 'port'::text)::bigint AND {e.protocol} = (u.endpoint_properties ->> 'protocol'::text)
), clients AS (
    SELECT u.service, {s.name} AS name, {s.key} AS key, (u.endpoint_properties ->> 'port'::text)::bigint AS port, u.endpoint_properties ->> 'protocol'::text AS protocol,
        u.client_host, bool_and(EXISTS (SELECT FROM replicas r WHERE r.service = u.service AND r.client = u.client
            AND r.port = (u.endpoint_properties ->> 'port'::text)::bigint AND r.protocol = (u.endpoint_properties ->> 'protocol'::text))) AS covered
    FROM (SELECT u.*, u.service_properties AS properties FROM used u) u JOIN {Service} s ON s.id = u.service
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT CASE WHEN bool_and(c.covered) THEN 'yes' ELSE 'no' END AS safe, c.name AS service, c.port AS port, c.protocol AS protocol, count(*) AS client_hosts,
    count(*) FILTER (WHERE NOT c.covered) AS hit, array_to_string((array_agg({h.name} ORDER BY lower({h.name}), {h.key}) FILTER (WHERE NOT c.covered))[1:10], ', ') AS hit_hosts,
    max(o.count) AS replicas, max(o.names) AS replica_hosts
FROM clients c
JOIN {Host} h ON h.id = c.client_host
CROSS JOIN LATERAL (
    SELECT count(DISTINCT o.id) AS count, array_to_string((array_agg(DISTINCT {o.name}))[1:10], ', ') AS names
    FROM replicas r JOIN {Host} o ON o.id = r.host WHERE r.service = c.service AND r.port = c.port AND r.protocol = c.protocol) o
GROUP BY c.service, c.name, c.key, c.port, c.protocol
ORDER BY 1, 6 DESC, 5 DESC, 2, 3, 4, c.key
