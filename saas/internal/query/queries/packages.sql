-- Every package that is installed anywhere, by name: in how many versions, and on how many hosts.
-- group packages
-- param regex regex=.: of names, as ^(lib)?ssl, at most 100 bytes, without references back
-- example regex=^lib.*ssl
-- column name text
-- column manager text: dpkg, rpm or apk; the first where a name is of several
-- column versions int: different versions
-- column hosts int: hosts that have any of them
WITH found AS MATERIALIZED (SELECT p.id, {p.name} AS name, {p.version} AS version, {p.manager} AS manager FROM {Package} p WHERE {p.name} ~ {$regex:text}),
sets AS (SELECT end_id AS id, count(*) AS hosts FROM {HAS_PACKAGES} GROUP BY 1),
held AS (SELECT DISTINCT f.name, c.start_id AS id FROM found f JOIN {CONTAINS} c ON c.end_id = f.id),
totals AS (SELECT h.name, sum(s.hosts)::bigint AS hosts FROM held h JOIN sets s ON s.id = h.id GROUP BY 1)
SELECT f.name AS name, min(f.manager) AS manager, count(DISTINCT f.version) AS versions, t.hosts AS hosts
FROM found f JOIN totals t ON t.name = f.name
GROUP BY f.name, t.hosts
ORDER BY t.hosts DESC, f.name
