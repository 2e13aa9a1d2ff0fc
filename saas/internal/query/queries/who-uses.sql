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
WITH holders AS MATERIALIZED (
    SELECT h.id, h.properties AS host, p.properties AS package
    FROM {Package} p
    JOIN {CONTAINS} c ON c.end_id = p.id
    JOIN {HAS_PACKAGES} s ON s.end_id = c.start_id
    JOIN {Host} h ON h.id = s.start_id
    WHERE {@p.name} = {$package}
), listening AS (
    SELECT r.start_id AS host, l.start_id AS service, l.end_id AS endpoint
    FROM (SELECT DISTINCT id FROM holders) h
    JOIN {RUNS} r ON r.start_id = h.id
    JOIN {LISTENS_ON} l ON l.start_id = r.end_id
    JOIN {Endpoint} e ON e.id = l.end_id
    WHERE NOT starts_with({e.realm}, 'host:')
), uses AS (
    SELECT l.host, count(DISTINCT l.service) AS services, count(DISTINCT cr.start_id) FILTER (WHERE cr.start_id <> l.host) AS clients
    FROM listening l
    LEFT JOIN {CONNECTS_TO} t ON t.end_id = l.endpoint
    LEFT JOIN {RUNS} cr ON cr.end_id = t.start_id
    GROUP BY 1
)
SELECT (h.host ->> 'name'::text) AS host, (h.host ->> 'state'::text) AS state, (h.package ->> 'version'::text) AS version, (h.package ->> 'arch'::text) AS arch,
    (h.package ->> 'manager'::text) AS manager, coalesce(u.services, 0) AS services, coalesce(u.clients, 0) AS client_hosts
FROM holders h LEFT JOIN uses u ON u.host = h.id
ORDER BY 7 DESC, lower(h.host ->> 'name'::text), h.host ->> 'key'::text, 3, 4, 5
