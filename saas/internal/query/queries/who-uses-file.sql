-- The services that run a program, or have a library or jar loaded, and the checksum of the file on their hosts.
-- group questions
-- note Only services that listen or connect are looked into. Files within containers are their images'.
-- param file string: its name, or its path
-- example file=libssl.so.3
-- column host text
-- column state text
-- column service text
-- column path text
-- column role text: program, library, jar
-- column stale text: yes: it runs what was there before, until it is restarted
-- column unit text: that starts it
-- column sha256 text: of what is on the disk, where it is known
SELECT {h.name} AS host, {h.state} AS state, {s.name} AS service, {f.path} AS path, {x.role} AS role,
    CASE WHEN {l.stale}::jsonb ? {f.path} THEN 'yes' END AS stale,
    (SELECT min({u.name}) FROM (VALUES (s.id)) k(id) JOIN {near STARTED_BY} b ON b.start_id = k.id JOIN {near Unit} u ON u.id = b.end_id) AS unit,
    (SELECT min({d.sha256}) FROM (VALUES (h.id)) k(id) JOIN {near HAS_FILES} y ON y.start_id = k.id JOIN {near HOLDS} d ON d.start_id = y.end_id
        WHERE d.end_id = f.id) AS sha256
FROM {File} f
JOIN {HOLDS} x ON x.end_id = f.id
JOIN {LOADS} l ON l.end_id = x.start_id
JOIN {Service} s ON s.id = l.start_id
JOIN {RUNS} r ON r.end_id = s.id
JOIN {Host} h ON h.id = r.start_id
WHERE {@f.name} = {$file} OR {@f.key} = {$file}
ORDER BY lower({h.name}), {h.key}, 4, 3, {s.key}
