-- The hosts that have a package whose name begins so.
-- group packages
-- from few
-- param prefix string: how the name begins
-- example prefix=libssl
-- column host text
-- column name text
-- column version text
-- column arch text
-- column manager text: dpkg, rpm or apk
WITH found AS MATERIALIZED ( -- an index over agtype orders texts otherwise than < compares them
    SELECT p.id, p.properties FROM {Package} p WHERE starts_with({p.name}, {$prefix:text}))
SELECT {h.name} AS host, {p.name} AS name, {p.version} AS version, {p.arch} AS arch, {p.manager} AS manager
FROM found p
JOIN {CONTAINS} c ON c.end_id = p.id
JOIN {HAS_PACKAGES} s ON s.end_id = c.start_id
JOIN {Host} h ON s.start_id = h.id
ORDER BY 2, 3, 4, 5, lower({h.name}), {h.key}
