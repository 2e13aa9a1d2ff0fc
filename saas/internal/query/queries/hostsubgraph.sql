-- The part of the graph around one host: what it has, and what that leads to, as nodes and relationships.
-- group graph
-- param host host: name or id of the host
-- param labels string=all: only nodes with these labels, by comma, as Host,Service,Endpoint
-- example host=web1
-- column element text: node or relationship
-- column label text
-- column id text
-- column from_id text: where a relationship begins
-- column to_id text: where it ends
-- column properties json
WITH own AS (SELECT h.id FROM {Host} h WHERE {@h.key} = {$host}),
first AS (SELECT e.id, e.start_id, e.end_id, e.properties FROM {Edge} e WHERE e.start_id IN (SELECT id FROM own)),
second AS (SELECT e.id, e.start_id, e.end_id, e.properties FROM {Edge} e WHERE e.start_id IN (SELECT end_id FROM first)),
third AS (SELECT e.id, e.start_id, e.end_id, e.properties FROM {Edge} e WHERE e.start_id IN (SELECT end_id FROM second)),
edges AS (SELECT * FROM first UNION ALL SELECT * FROM second UNION ALL SELECT * FROM third),
ends AS (SELECT id FROM own UNION SELECT end_id FROM edges),
labels AS (SELECT name, id FROM assim.labels),
nodes AS (
    SELECT v.id, l.name, v.properties FROM {Vertex} v JOIN labels l ON l.id = ag_catalog._extract_label_id(v.id)
    WHERE v.id IN (SELECT id FROM ends) AND ({$labels:text} = 'all' OR l.name = ANY(string_to_array({$labels:text}, ',')))
)
SELECT element, label, id, from_id, to_id, properties FROM (
SELECT DISTINCT ON (x.id) 'relationship' AS element, l.name AS label, x.id::text AS id, x.start_id::text AS from_id, x.end_id::text AS to_id, {x.*} AS properties
FROM edges x JOIN labels l ON l.id = ag_catalog._extract_label_id(x.id)
WHERE x.start_id IN (SELECT id FROM nodes) AND x.end_id IN (SELECT id FROM nodes)
UNION ALL
SELECT 'node', n.name, n.id::text, NULL, NULL, {n.*} FROM nodes n
) d
ORDER BY element, label, id
