-- Block devices of hosts, what lies on them, and which filesystems do.
-- group hosts
-- param type string=disk: disk, part, lvm, crypt, mpath, raid1..., or any
-- example type=any
-- column host text
-- column disk text
-- column type text
-- column bytes int
-- column content text: ext4, swap, LVM2_member...
-- column lies_on text: devices that it lies on
-- column filesystems text: on it, or on what lies on it
-- column state text: of an array, or of a disk that is not running
-- column serial text
SELECT {h.name} AS host, {d.name} AS disk, {d.type} AS type, {d.bytes:int} AS bytes, {d.content} AS content,
    (SELECT string_agg({b.name}, ', ' ORDER BY {b.name}) FROM (VALUES (d.id)) k(id) JOIN {near CARRIES} c ON c.end_id = k.id JOIN {near Disk} b ON b.id = c.start_id) AS lies_on,
    (WITH RECURSIVE within AS (
        SELECT d.id AS device, 0 AS depth
        UNION SELECT c.end_id, w.depth + 1 FROM within w JOIN {near CARRIES} c ON c.start_id = w.device WHERE w.depth < 8)
    SELECT string_agg(DISTINCT {f.target}, ', ' ORDER BY {f.target})
    FROM within w JOIN {near ON_DISK} o ON o.end_id = w.device JOIN {near Filesystem} f ON f.id = o.start_id) AS filesystems,
    coalesce({d.array}, {d.state}) AS state, {d.serial} AS serial
FROM {Disk} d
JOIN {Host} h ON {@h.key} = to_jsonb(split_part({d.key}, '/', 1))::text::ag_catalog.agtype
WHERE {$type:text} IN ('any', {d.type})
ORDER BY lower({h.name}), {h.key}, 2, {d.key}
