-- The hosts that have a package, and in which version.
-- group packages
-- from few
-- param name string: the package's name, in full
-- example name=openssl
-- column host text
-- column name text
-- column version text
-- column arch text
-- column manager text: dpkg, rpm or apk
SELECT {h.name} AS host, {p.name} AS name, {p.version} AS version, {p.arch} AS arch, {p.manager} AS manager
FROM {Package} p
JOIN {CONTAINS} c ON c.end_id = p.id
JOIN {HAS_PACKAGES} s ON s.end_id = c.start_id
JOIN {Host} h ON s.start_id = h.id
WHERE {@p.name} = {$name}
ORDER BY lower({h.name}), {h.key}, 2, 3, 4, 5
