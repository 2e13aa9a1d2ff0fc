-- What changed lately on a host, on its hypervisor and on what it depends on, the likeliest cause first.
-- group questions
-- note Dependencies are those of now: one that ended before the question is not followed.
-- param host host: name or id of the host that behaves strangely
-- param since duration=24h: how far back to look
-- param hops int=3: how far to follow dependencies, 1 to 6
-- example host=web1
-- walk servers host
-- column rank int: minutes since, times one more than the distance; lowest first
-- column distance int: 0: the host itself
-- column host text: where something changed
-- column at time: by the relay's clock
-- column kind text: of fact, or what happened to the host
-- column instance text
-- column what step: what changed, in words
WITH near AS (
    SELECT key, min(distance) AS distance FROM (
        SELECT {h.key} AS key, w.distance FROM {walk} w JOIN {RUNS} r ON r.end_id = w.service JOIN {Host} h ON h.id = r.start_id
        UNION ALL SELECT {$host:text}, 0
        UNION ALL SELECT {v.key}, 1 FROM {Host} g JOIN {HAS_INTERFACE} i ON i.start_id = g.id JOIN {HAS_NIC} o ON o.start_id = i.end_id
            JOIN {CHILD_NIC} n ON n.end_id = o.end_id JOIN {HAS_CHILD} c ON c.end_id = n.start_id JOIN {Host} v ON v.id = c.start_id
        WHERE {@g.key} = {$host}) n
    GROUP BY 1
), happened AS (
    SELECT n.key, n.distance, v.seen_at, v.at, v.kind, v.instance,
        'step ' || v.kind || ' ' || coalesce(encode(v.hash, 'hex'), '-') || ' ' || coalesce(encode(v.previous, 'hex'), '-') AS what
    FROM near n CROSS JOIN LATERAL (
        SELECT * FROM assim.fact_versions f WHERE f.host = n.key::uuid AND f.at >= now() - {$since:duration} ORDER BY f.at DESC LIMIT 500) v
    UNION ALL
    SELECT n.key, n.distance, e.seen_at, e.at, e.type, '', coalesce(e.detail ->> 'state', e.type)
    FROM near n CROSS JOIN LATERAL (
        SELECT * FROM assim.events f WHERE f.host = n.key::uuid AND f.at >= now() - {$since:duration} AND starts_with(f.type, 'host.') ORDER BY f.id DESC LIMIT 50) e
)
SELECT (greatest(extract(epoch FROM now() - h.at), 0) / 60 * (1 + h.distance))::bigint AS rank, h.distance::bigint AS distance, o.name AS host, h.seen_at AS at,
    h.kind AS kind, h.instance AS instance, h.what AS what
FROM happened h JOIN assim.hosts o ON o.id = h.key::uuid
ORDER BY extract(epoch FROM now() - h.at) * (1 + h.distance), h.distance, lower(o.name), h.key, h.kind, h.instance, h.what
