-- Images that containers are made of, and on how many hosts.
-- group packages
-- column image text: a name by which it was asked for
-- column id text: hash of its configuration; empty where only the name is known
-- column names int: under which it is in use
-- column containers int
-- column running int
-- column hosts int
SELECT coalesce(min({o.name}), {i.name}) AS image, {i.id} AS id, count(DISTINCT {o.name}) AS names, count(*) AS containers,
    count(*) FILTER (WHERE {c.state} = 'running') AS running, count(DISTINCT x.start_id) AS hosts
FROM {Image} i
JOIN {OF_IMAGE} o ON o.end_id = i.id
JOIN {Child} c ON c.id = o.start_id
JOIN {HAS_CHILD} x ON x.end_id = c.id
GROUP BY i.id, i.properties
ORDER BY 4 DESC, 1, {i.key}
