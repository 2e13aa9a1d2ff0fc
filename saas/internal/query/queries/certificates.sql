-- Certificates that end within some days, or have ended: where they lie, and who serves them.
-- group services
-- note Authorities in bundles are not listed, and a certificate that only another machine shows is not seen.
-- param days int=30: from now; 100000 lists all
-- example days=60
-- column ends text: when, in UTC
-- column days int: left; below 0 it has ended
-- column host text
-- column service text: that serves it; empty where it lies in files
-- column places text: files, or addresses and ports where it is served
-- column subject text
-- column names text
-- column issuer text
-- column algorithm text: of the key
-- column bits int
-- column sha256 text
WITH used AS (
    SELECT x.end_id AS certificate, x.start_id AS host, NULL::text AS service, {x.paths}::jsonb AS places FROM {HAS_CERTIFICATE} x
    UNION ALL
    SELECT x.end_id, r.start_id, {s.name}, {x.listeners}::jsonb FROM {SERVES} x JOIN {Service} s ON s.id = x.start_id JOIN {RUNS} r ON r.end_id = s.id
)
SELECT {c.not_after} AS ends, floor(extract(epoch FROM {c.not_after}::timestamptz - now()) / 86400)::bigint AS days, {h.name} AS host, u.service AS service,
    (SELECT string_agg(p, ', ') FROM jsonb_array_elements_text(u.places) p) AS places, {c.subject} AS subject,
    (SELECT string_agg(n, ', ') FROM jsonb_array_elements_text({c.names}::jsonb) n) AS names, {c.issuer} AS issuer, {c.algorithm} AS algorithm,
    {c.bits:int} AS bits, {c.sha256} AS sha256
FROM {Certificate} c
JOIN used u ON u.certificate = c.id
JOIN {Host} h ON h.id = u.host
WHERE {c.not_after}::timestamptz < now() + make_interval(days => least({$days:int}, 100000)::int)
ORDER BY {c.not_after}, {c.sha256}, lower({h.name}), {h.key}, 4 NULLS LAST, 5
