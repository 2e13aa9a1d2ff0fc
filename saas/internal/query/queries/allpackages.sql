-- Every package version that is installed anywhere, and on how many hosts.
-- group packages
-- column name text
-- column version text
-- column arch text
-- column manager text: dpkg, rpm or apk
-- column hosts int: number of hosts
WITH sets AS (SELECT end_id AS id, count(*) AS hosts FROM {HAS_PACKAGES} GROUP BY 1),
totals AS (SELECT c.end_id AS id, sum(s.hosts)::bigint AS hosts FROM sets s JOIN {CONTAINS} c ON c.start_id = s.id GROUP BY 1)
SELECT {p.name} AS name, {p.version} AS version, {p.arch} AS arch, {p.manager} AS manager, t.hosts AS hosts
FROM totals t JOIN {Package} p ON p.id = t.id
ORDER BY 1, 2, 3, 4
