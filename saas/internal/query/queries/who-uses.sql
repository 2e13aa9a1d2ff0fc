-- The hosts that have a package, and how many others would notice if they had to be restarted for it.
-- group questions
-- note Which service loads a package's files is not known; all services of the hosts are counted.
-- param package string: the package's name, in full
-- example package=openssl
-- column host text
-- column state text
-- column version text
-- column arch text
-- column manager text: dpkg, rpm or apk
-- column services int: services of the host that listen for others
-- column client_hosts int: other hosts that use them
SELECT {h.name} AS host, {h.state} AS state, {p.version} AS version, {p.arch} AS arch, {p.manager} AS manager, u.services AS services, u.clients AS client_hosts
FROM {Package} p
JOIN {CONTAINS} c ON c.end_id = p.id
JOIN {HAS_PACKAGES} s ON s.end_id = c.start_id
JOIN {Host} h ON h.id = s.start_id
CROSS JOIN LATERAL (
    SELECT count(DISTINCT l.start_id) AS services, count(DISTINCT cr.start_id) FILTER (WHERE cr.start_id <> h.id) AS clients
    FROM {RUNS} r JOIN {LISTENS_ON} l ON l.start_id = r.end_id JOIN {Endpoint} e ON e.id = l.end_id AND NOT starts_with({e.realm}, 'host:')
    LEFT JOIN ({CONNECTS_TO} t JOIN {RUNS} cr ON cr.end_id = t.start_id) ON t.end_id = e.id
    WHERE r.start_id = h.id) u
WHERE {@p.name} = {$package}
ORDER BY 7 DESC, lower({h.name}), {h.key}, 3, 4, 5
