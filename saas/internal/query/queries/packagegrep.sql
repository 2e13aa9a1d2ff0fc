-- The hosts that have a package whose name matches a regular expression.
-- group packages
-- from few
-- param regex regex: as ^(lib)?ssl, at most 100 bytes, without references back
-- example regex=^lib.*ssl
-- column host text
-- column name text
-- column version text
-- column arch text
-- column manager text: dpkg, rpm or apk
WITH found AS MATERIALIZED (SELECT p.id, p.properties FROM {Package} p WHERE {p.name} ~ {$regex:text})
SELECT {h.name} AS host, {p.name} AS name, {p.version} AS version, {p.arch} AS arch, {p.manager} AS manager
FROM found p
JOIN {CONTAINS} c ON c.end_id = p.id
JOIN {HAS_PACKAGES} s ON s.end_id = c.start_id
JOIN {Host} h ON s.start_id = h.id
ORDER BY 2, 3, 4, 5, lower({h.name}), {h.key}
