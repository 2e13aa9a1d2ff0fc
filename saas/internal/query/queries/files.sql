-- The versions of a program, library or jar, by checksum: how many hosts have which.
-- group packages
-- note Of programs that listen, their libraries and their jars.
-- param file string: its name, or its path
-- example file=sshd
-- column path text
-- column sha256 text
-- column bytes int
-- column role text: program, library, jar
-- column hosts int
-- column names text: of the hosts, at most 5
SELECT {f.path} AS path, {x.sha256} AS sha256, max({x.bytes:int}) AS bytes, min({x.role}) AS role, count(DISTINCT h.id) AS hosts,
    array_to_string((array_agg(DISTINCT {h.name}))[1:5], ', ') AS names
FROM {File} f
JOIN {HOLDS} x ON x.end_id = f.id
JOIN {HAS_FILES} y ON y.end_id = x.start_id
JOIN {Host} h ON h.id = y.start_id
WHERE {@f.name} = {$file} OR {@f.key} = {$file}
GROUP BY 1, 2
ORDER BY 1, 5 DESC, 2
