-- Listening services that nobody was seen to use for some time.
-- group blind spots
-- note Only clients on enrolled hosts are seen; a service that is used from elsewhere, or for shorter than a probe looks, is listed too.
-- param unused duration=30d: for how long; services of hosts that enrolled since are left out
-- example unused=30d
-- column host text
-- column service text
-- column exe text
-- column uid int: user that it runs as; -1 where not known
-- column endpoints text: ports, at most 10
-- column watched_since time: since when the host is enrolled
WITH used AS MATERIALIZED (
    SELECT DISTINCT u.to_key AS key FROM assim.undo u WHERE u.label = 'CONNECTS_TO' AND u.at >= now() - {$unused:duration}
), idle AS (
    SELECT l.start_id AS service, array_to_string((array_agg(DISTINCT {e.port:int} || '/' || {e.protocol}))[1:10], ', ') AS endpoints
    FROM {LISTENS_ON} l JOIN {Endpoint} e ON e.id = l.end_id
    GROUP BY 1
    HAVING bool_and(NOT EXISTS (SELECT FROM {CONNECTS_TO} c WHERE c.end_id = l.end_id) AND NOT EXISTS (SELECT FROM used u WHERE u.key = {e.key}))
)
SELECT {h.name} AS host, {s.name} AS service, {s.exe} AS exe, {s.uid:int} AS uid, i.endpoints AS endpoints, o.enrolled_at AS watched_since
FROM idle i
JOIN {Service} s ON s.id = i.service
JOIN {RUNS} r ON r.end_id = s.id
JOIN {Host} h ON h.id = r.start_id
JOIN assim.hosts o ON o.id = {h.key}::uuid
WHERE o.retired_at IS NULL AND o.enrolled_at < now() - {$unused:duration}
ORDER BY lower({h.name}), {h.key}, 2, {s.key}
