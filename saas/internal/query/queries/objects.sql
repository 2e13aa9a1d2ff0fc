-- What the script agents of hosts say, see docs/scripts.md.
-- group hosts
-- param kind string=all: of one script, as x-reboot-required
-- example kind=x-reboot-required
-- column host text
-- column kind text: x- and the script's name
-- column says json: the outermost fields of what it printed that are text, whole numbers or true and false
SELECT {h.name} AS host, {o.kind} AS kind, {o.*} AS says
FROM {Object} o
JOIN {HAS_OBJECT} p ON p.end_id = o.id
JOIN {Host} h ON h.id = p.start_id
WHERE {$kind:text} = 'all' OR {@o.kind} = {$kind}
ORDER BY lower({h.name}), {h.key}, 2, {o.key}
