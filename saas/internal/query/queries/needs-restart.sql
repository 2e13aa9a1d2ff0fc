-- Services that still run files which were replaced since they started.
-- group services
-- column host text
-- column service text
-- column unit text: to restart
-- column files int
-- column stale text: the files, at most 16
SELECT {h.name} AS host, {s.name} AS service,
    (SELECT min({u.name}) FROM (VALUES (s.id)) k(id) JOIN {near STARTED_BY} b ON b.start_id = k.id JOIN {near Unit} u ON u.id = b.end_id) AS unit,
    jsonb_array_length({l.stale}::jsonb)::bigint AS files, (SELECT string_agg(f, ', ') FROM jsonb_array_elements_text({l.stale}::jsonb) f) AS stale
FROM {LOADS} l
JOIN {Service} s ON s.id = l.start_id
JOIN {RUNS} r ON r.end_id = s.id
JOIN {Host} h ON h.id = r.start_id
WHERE {l.stale} IS NOT NULL
ORDER BY lower({h.name}), {h.key}, 2, {s.key}
