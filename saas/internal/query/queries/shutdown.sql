-- Hosts whose probe said goodbye: they were shut down, they did not crash.
-- group hosts
-- column host text
-- column id text
-- column site text
-- column since time: by the relay's clock
-- column os text
-- column agent_version text
SELECT h.name AS host, h.id::text AS id, s.name AS site, h.state_at AS since, h.os AS os, h.agent_version AS agent_version
FROM assim.hosts h JOIN assim.sites s ON s.tenant = h.tenant AND s.id = h.site
WHERE h.state = 'shut down' AND h.retired_at IS NULL
ORDER BY h.state_at DESC, lower(h.name), h.id
