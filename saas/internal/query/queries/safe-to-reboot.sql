-- Whether a host may go away for a while, and its guests with it: who uses their services, and what remains for them. Safe is yes where nothing is listed, or no row says no.
-- group questions
-- from few
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
WITH RECURSIVE going AS (
    SELECT h.id, 0 AS depth FROM {Host} h WHERE {@h.key} = {$host}
    UNION SELECT i.start_id, g.depth + 1 FROM going g JOIN {HAS_CHILD} c ON c.start_id = g.id JOIN {CHILD_NIC} n ON n.start_id = c.end_id
        JOIN {HAS_NIC} o ON o.end_id = n.end_id JOIN {HAS_INTERFACE} i ON i.end_id = o.start_id WHERE g.depth < 3
), used AS (
    SELECT DISTINCT h.id AS host, s.id AS service, s.properties AS service_properties, e.id AS endpoint, e.properties AS endpoint_properties, c.id AS client, cr.start_id AS client_host
    FROM (SELECT DISTINCT id FROM going) h
    JOIN {RUNS} r ON r.start_id = h.id
    JOIN {Service} s ON s.id = r.end_id
    JOIN {LISTENS_ON} l ON l.start_id = s.id
    JOIN {Endpoint} e ON e.id = l.end_id
    JOIN {CONNECTS_TO} t ON t.end_id = e.id
    JOIN {Service} c ON c.id = t.start_id
    JOIN {RUNS} cr ON cr.end_id = c.id
    WHERE cr.start_id NOT IN (SELECT id FROM going)
), replicas AS (
    SELECT DISTINCT u.service, {e.port:int} AS port, {e.protocol} AS protocol, u.client, rr.start_id AS host
    FROM (SELECT service, service_properties AS properties, endpoint_properties, client, host FROM used) u
    JOIN {CONNECTS_TO} t ON t.start_id = u.client
    JOIN {Endpoint} e ON e.id = t.end_id
    JOIN {LISTENS_ON} l ON l.end_id = e.id
    JOIN {Service} s ON s.id = l.start_id
    JOIN {RUNS} rr ON rr.end_id = s.id
    JOIN {Host} h ON h.id = rr.start_id
    WHERE rr.start_id NOT IN (SELECT id FROM going) AND {h.state} = 'up' AND {s.name} = {u.name} AND {s.exe} IS NOT DISTINCT FROM {u.exe}
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
