-- Who breaks if a host, a service, a container or an address dies: those that use it or run within it, those that use them, and so on.
-- group questions
-- note Only clients on enrolled hosts are seen. That a client has another to turn to is not taken into account: see safe-to-reboot.
-- param entity entity: a host, a service, a container or guest, an address or address:port; host:NAME, service:NAME, child:NAME where several have the name
-- param hops int=6: how far to go on, 1 to 6
-- example entity=db1
-- walk clients entity
-- column distance int: 1: uses it itself, or is a guest of it
-- column host text
-- column state text
-- column service text
-- column through_host text: that it needs; empty of a guest, and at distance 1 of an address without a probe
-- column through text: service that it needs
SELECT w.distance::bigint AS distance, {h.name} AS host, {h.state} AS state, {s.name} AS service, {vh.name} AS through_host, {v.name} AS through
FROM {walk} w
JOIN {Service} s ON s.id = w.service
JOIN {RUNS} r ON r.end_id = s.id
JOIN {Host} h ON h.id = r.start_id
LEFT JOIN ({Service} v JOIN {RUNS} vr ON vr.end_id = v.id JOIN {Host} vh ON vh.id = vr.start_id) ON v.id = w.via
WHERE w.distance > 0
ORDER BY 1, lower({h.name}), {h.key}, 4, {s.key}
