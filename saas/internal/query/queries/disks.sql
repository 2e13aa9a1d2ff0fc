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
WITH RECURSIVE within AS (
    SELECT d.id AS disk, d.id AS device, 0 AS depth FROM {Disk} d WHERE {$type:text} IN ('any', {d.type})
    UNION SELECT w.disk, c.end_id, w.depth + 1 FROM within w JOIN {CARRIES} c ON c.start_id = w.device WHERE w.depth < 8
), mounted AS (
    SELECT w.disk, string_agg(DISTINCT {f.target}, ', ' ORDER BY {f.target}) AS targets
    FROM within w JOIN {ON_DISK} o ON o.end_id = w.device JOIN {Filesystem} f ON f.id = o.start_id GROUP BY 1
)
SELECT {h.name} AS host, {d.name} AS disk, {d.type} AS type, {d.bytes:int} AS bytes, {d.content} AS content,
    (SELECT string_agg({b.name}, ', ' ORDER BY {b.name}) FROM {CARRIES} c JOIN {Disk} b ON b.id = c.start_id WHERE c.end_id = d.id) AS lies_on,
    m.targets AS filesystems, coalesce({d.array}, {d.state}) AS state, {d.serial} AS serial
FROM {Disk} d
JOIN {Host} h ON {h.key} = split_part({d.key}, '/', 1)
LEFT JOIN mounted m ON m.disk = d.id
WHERE {$type:text} IN ('any', {d.type})
ORDER BY lower({h.name}), {h.key}, 2, {d.key}
