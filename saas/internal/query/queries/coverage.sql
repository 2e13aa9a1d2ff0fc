-- How much of each subnet is enrolled, and what cannot be seen there.
-- group blind spots
-- note Seen is what hosts of the subnet have in their neighbour tables or hear by ARP and Neighbor Discovery; a machine that never speaks is not seen.
-- column subnet text
-- column site text
-- column hosts int: enrolled hosts with a link there
-- column unmanaged int: addresses seen there that no enrolled host has
-- column percent int: enrolled, of all that are seen
-- column listeners int: hosts that hear who speaks there
-- column blind_spot text: what cannot be seen
WITH enrolled AS MATERIALIZED (
    SELECT DISTINCT {n.realm} AS realm, {n.mac} AS mac FROM {HAS_NIC} e JOIN {NIC} n ON n.id = e.end_id
), seen AS (
    SELECT e.end_id AS address, e.start_id AS link, {e.mac} AS mac, {e.router} AS router FROM {SEES} e
    UNION ALL SELECT e.end_id, e.start_id, {e.mac}, {e.router} FROM {HEARS} e
), linked AS (
    SELECT s.end_id AS subnet, s.start_id AS link, hi.start_id AS host FROM {IN_SUBNET} s JOIN {HAS_INTERFACE} hi ON hi.end_id = s.start_id
), strangers AS (
    SELECT l.subnet, count(DISTINCT s.address) AS addresses
    FROM linked l JOIN seen s ON s.link = l.link JOIN {Address} a ON a.id = s.address JOIN {Subnet} n ON n.id = l.subnet
    WHERE NOT EXISTS (SELECT FROM {HAS_ADDRESS} o WHERE o.end_id = s.address) AND ({a.ip})::inet <<= ({n.cidr})::inet
        AND NOT EXISTS (SELECT FROM enrolled e WHERE e.realm = {a.realm} AND e.mac = s.mac)
    GROUP BY 1
), ours AS (
    SELECT l.subnet, min({h.site}) AS site, count(DISTINCT l.host) AS hosts,
        count(DISTINCT l.host) FILTER (WHERE EXISTS (SELECT FROM {HEARS} e WHERE e.start_id = l.link)) AS listeners
    FROM linked l JOIN {Host} h ON h.id = l.host GROUP BY 1
)
SELECT {n.cidr} AS subnet, p.name AS site, o.hosts AS hosts, coalesce(s.addresses, 0) AS unmanaged,
    (100 * o.hosts / (o.hosts + coalesce(s.addresses, 0)))::bigint AS percent, o.listeners AS listeners,
    CASE WHEN o.listeners = 0 AND o.hosts = 1 THEN 'one host, which hears nobody: only those that it talks to are seen'
        WHEN o.listeners = 0 THEN 'no host hears who speaks: only those that hosts talk to are seen'
        WHEN o.hosts = 1 THEN 'one host only: what stands behind another switch may not reach it'
        ELSE 'machines that never speak' END AS blind_spot
FROM ours o
JOIN {Subnet} n ON n.id = o.subnet
LEFT JOIN strangers s ON s.subnet = o.subnet
LEFT JOIN assim.sites p ON p.id::text = o.site
WHERE NOT starts_with({n.realm}, 'host:')
ORDER BY 5, 4 DESC, ({n.cidr})::inet, {n.key}
