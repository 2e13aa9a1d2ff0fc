-- Every enrolled host, its state and what it runs.
-- group hosts
-- column host text: name
-- column id text
-- column state text: as its relay said last
-- column site text
-- column os text
-- column kernel text
-- column arch text
-- column agent_version text
SELECT {h.name} AS host, {h.key} AS id, {h.state} AS state, s.name AS site,
    coalesce({r.pretty_name}, {h.os}) AS os, {r.kernel_release} AS kernel, {h.arch} AS arch, {h.agent_version} AS agent_version
FROM {Host} h
LEFT JOIN assim.sites s ON s.id::text = {h.site}
LEFT JOIN {RUNS_OS} r ON r.start_id = h.id
ORDER BY lower({h.name}), 2, 6
