-- What the replicas of a service share, and would lose at once: hypervisor, site, subnet, switch, storage, or a place that labels name.
-- group questions
-- note Places are those that hosts' labels name (rack, room, row, cage, power, psu, ups); hypervisors too (hypervisor), and those with a probe that have the host as a guest. Local disks are not compared.
-- source relay
-- param service string: the service's name
-- param port int=0: only those that listen on this port; 0: any
-- example service=postgres
-- column fate text: hypervisor, subnet, switch, storage, site, a label's name; no replica where there is one host only
-- column what text: that is shared
-- column hosts int: replicas that share it
-- column of int: replicas there are
-- column names text: of the hosts, at most 10
WITH replicas AS MATERIALIZED (
    SELECT DISTINCT h.id, h.properties FROM {Service} s
    JOIN {RUNS} r ON r.end_id = s.id
    JOIN {Host} h ON h.id = r.start_id
    JOIN {LISTENS_ON} l ON l.start_id = s.id
    JOIN {Endpoint} e ON e.id = l.end_id
    WHERE {@s.name} = {$service} AND NOT starts_with({e.realm}, 'host:') AND ({$port:int} = 0 OR {e.port:int} = {$port:int})
), fates AS (
    SELECT h.id, l.key AS fate, l.value AS what FROM replicas h JOIN assim.hosts o ON o.id = {h.key}::uuid CROSS JOIN LATERAL jsonb_each_text(o.labels) l
    WHERE l.key IN ('hypervisor', 'rack', 'room', 'row', 'cage', 'power', 'psu', 'ups')
    UNION SELECT h.id, 'site', p.name FROM replicas h JOIN assim.sites p ON p.id::text = {h.site}
    UNION SELECT h.id, 'subnet', {n.cidr} FROM replicas h JOIN {HAS_INTERFACE} hi ON hi.start_id = h.id JOIN {IN_SUBNET} i ON i.start_id = hi.end_id
        JOIN {Subnet} n ON n.id = i.end_id WHERE NOT starts_with({n.realm}, 'host:')
    UNION SELECT h.id, 'hypervisor', {v.name} FROM replicas h JOIN {HAS_INTERFACE} i ON i.start_id = h.id JOIN {HAS_NIC} o ON o.start_id = i.end_id
        JOIN {CHILD_NIC} n ON n.end_id = o.end_id JOIN {HAS_CHILD} c ON c.end_id = n.start_id JOIN {Host} v ON v.id = c.start_id
    UNION SELECT h.id, 'storage', {f.source} FROM replicas h JOIN {MOUNTS} m ON m.start_id = h.id JOIN {Filesystem} f ON f.id = m.end_id WHERE {f.remote} = 'true'
    UNION SELECT h.id, 'switch', coalesce({w.name} || ' ', '') || {p.chassis} FROM replicas h JOIN {HAS_INTERFACE} hi ON hi.start_id = h.id
        JOIN {WIRED_TO} w ON w.start_id = hi.end_id JOIN {SwitchPort} p ON p.id = w.end_id
    UNION SELECT h.id, 'switch', coalesce(x.name || ' ', '') || x.chassis FROM replicas h JOIN {wiring} x ON x.host = {h.key}
), total AS (SELECT count(*) AS n FROM replicas)
SELECT fate, what, hosts, of, names FROM (
SELECT f.fate, f.what, count(*) AS hosts, max(t.n) AS of, array_to_string((array_agg({h.name} ORDER BY lower({h.name}), {h.key}))[1:10], ', ') AS names
FROM fates f JOIN replicas h ON h.id = f.id CROSS JOIN total t
GROUP BY 1, 2 HAVING count(*) > 1
UNION ALL
SELECT 'no replica', {h.name}, 1, t.n, {h.name} FROM replicas h CROSS JOIN total t WHERE t.n = 1
) d
ORDER BY hosts DESC, fate, what
