-- Units of systemd by their state: those that should run and do not, those that run, and timers of the host's own.
-- group services
-- note A stopped unit is one that starts by itself and has no processes; why, its host's journal knows. Units that run for a moment, have a condition, or run on every host for the system itself are not listed.
-- param state string=stopped: stopped, running, enabled (timers), or any
-- example state=running
-- column host text
-- column unit text
-- column state text
-- column services text: that it started
-- column triggers text: of a timer
-- column host_id text
SELECT {h.name} AS host, {u.name} AS unit, {u.state} AS state,
    (SELECT string_agg({s.name}, ', ' ORDER BY {s.name}) FROM {STARTED_BY} b JOIN {Service} s ON s.id = b.start_id WHERE b.end_id = u.id) AS services,
    (SELECT string_agg(t, ', ') FROM jsonb_array_elements_text({u.triggers}::jsonb) t) AS triggers,
    {h.key} AS host_id
FROM {Unit} u
JOIN {HAS_UNIT} x ON x.end_id = u.id
JOIN {Host} h ON h.id = x.start_id
WHERE {$state:text} IN ('any', {u.state})
ORDER BY lower({h.name}), {h.key}, 2, {u.key}
