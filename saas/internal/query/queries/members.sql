-- Who is in a group: accounts that can log in, by host.
-- group hosts
-- note Groups without such an account, and each account's own, are not in the graph.
-- param group string: name of the group
-- example group=sudo
-- column host text
-- column user text
-- column uid int
-- column password text: set, empty, locked; empty where shadow could not be read
-- column gid int: of the group
SELECT {h.name} AS host, {u.name} AS user, {u.uid:int} AS uid, {u.password} AS password, {g.gid:int} AS gid
FROM {Group} g
JOIN {HAS_GROUP} x ON x.end_id = g.id
JOIN {Host} h ON h.id = x.start_id
JOIN {MEMBER_OF} m ON m.end_id = g.id
JOIN {User} u ON u.id = m.start_id
WHERE {@g.name} = {$group}
ORDER BY lower({h.name}), {h.key}, 2
