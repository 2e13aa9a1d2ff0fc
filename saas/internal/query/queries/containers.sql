-- Systems within hosts: containers, guests of hypervisors, pods.
-- group hosts
-- param sort string=any: container, guest, pod, or any
-- example sort=guest
-- column host text: that it runs on
-- column name text
-- column sort text: container, guest, pod
-- column state text: running, paused, stopped, as far as it is known
-- column engine text: docker, podman, containerd, libvirt, kubernetes...
-- column image text
-- column ports text: published, of a container
-- column services int: that were seen to run in it
-- column probe_host text: the enrolled host that a guest is
-- column pod text: that a container is part of
-- column id text
SELECT {h.name} AS host, {c.name} AS name, {c.sort} AS sort, {c.state} AS state, {c.engine} AS engine, {c.image} AS image,
    (SELECT string_agg(p, ', ') FROM jsonb_array_elements_text({c.ports}::jsonb) p) AS ports,
    (SELECT count(*) FROM (VALUES (c.id)) k(id) JOIN {near RUNS_IN} r ON r.end_id = k.id) AS services,
    (SELECT min({g.name}) FROM (VALUES (c.id)) k(id) JOIN {near CHILD_NIC} n ON n.start_id = k.id JOIN {near HAS_NIC} o ON o.end_id = n.end_id
        JOIN {near HAS_INTERFACE} i ON i.end_id = o.start_id JOIN {near Host} g ON g.id = i.start_id WHERE g.id <> h.id) AS probe_host,
    (SELECT min({p.name}) FROM (VALUES (c.id)) k(id) JOIN {near PART_OF} x ON x.start_id = k.id JOIN {near Child} p ON p.id = x.end_id) AS pod,
    {c.id} AS id
FROM {Child} c
JOIN {HAS_CHILD} x ON x.end_id = c.id
JOIN {Host} h ON h.id = x.start_id
WHERE {$sort:text} IN ('any', {c.sort})
ORDER BY lower({h.name}), {h.key}, 3, 2, {c.key}
