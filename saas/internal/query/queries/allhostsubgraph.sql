-- The whole graph as nodes and relationships, page by page.
-- group graph
-- param labels string=all: only nodes with these labels, by comma, as Host,Service,Endpoint
-- example labels=Host,Service,Endpoint
-- column element text: node or relationship
-- column label text
-- column id text
-- column from_id text: where a relationship begins
-- column to_id text: where it ends
-- column properties json
WITH chosen AS (SELECT name, id FROM assim.labels l WHERE {$labels:text} = 'all' OR l.name = ANY(string_to_array({$labels:text}, ',')))
SELECT element, label, id, from_id, to_id, properties FROM (
SELECT 'node' AS element, l.name AS label, n.id::text AS id, NULL AS from_id, NULL AS to_id, {n.*} AS properties, n.id AS number
FROM {Vertex} n JOIN chosen l ON l.id = ag_catalog._extract_label_id(n.id)
UNION ALL
SELECT 'relationship', l.name, x.id::text, x.start_id::text, x.end_id::text, {x.*}, x.id
FROM {Edge} x JOIN assim.labels l ON l.id = ag_catalog._extract_label_id(x.id)
WHERE ag_catalog._extract_label_id(x.start_id) IN (SELECT id FROM chosen) AND ag_catalog._extract_label_id(x.end_id) IN (SELECT id FROM chosen)
) d
ORDER BY element, number
