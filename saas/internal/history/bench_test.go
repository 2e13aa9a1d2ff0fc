package history_test

import (
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/internal/pgtest"
	"assimilation/saas/internal/changes"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/query"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

var (
	benchHosts = flag.Int("hosts", 20_000, "hosts of BenchmarkPast")
	benchDays  = flag.Int("days", 14, "days of history of BenchmarkPast")
)

// BenchmarkPast looks back at an estate of many hosts, of which each day all
// changed two facts, a tenth its state and back and a fifth whom it uses, and
// prints how much history takes on disk.
func BenchmarkPast(b *testing.B) {
	e := newEstate(b)
	grow(b, e, *benchHosts, *benchDays)
	s, actor := teller(e)
	questions, err := query.New(e.db)
	if err != nil {
		b.Fatal(err)
	}
	host := func(i int) tenancy.HostID {
		var id tenancy.HostID
		id.UUID[0], id.UUID[15] = byte(i>>8), byte(i)
		return id
	}
	week := time.Now().Add(-min(7, time.Duration(*benchDays)) * 24 * time.Hour)
	read := func(fn func(tx pgx.Tx, i int) error) func(i int) error {
		return func(i int) error {
			return e.db.Read(b.Context(), e.source.Tenant, func(tx pgx.Tx) error { return fn(tx, i) })
		}
	}
	ask := func(name, parameters string, asOf time.Time) func(int) error {
		return func(int) error {
			values, err := url.ParseQuery(parameters)
			if err == nil {
				_, err = questions.Ask(b.Context(), e.source.Tenant, name, values, query.Page{Limit: 1000, AsOf: asOf})
			}
			return err
		}
	}
	admin, err := pgx.Connect(b.Context(), e.url)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close(b.Context())
	for _, bench := range []struct {
		name string
		do   func(i int) error
	}{
		{"50-entities-a-week-back", read(func(tx pgx.Tx, i int) error {
			var refs []cmdb.Ref
			for n := range 50 {
				refs = append(refs, cmdb.Ref{Label: cmdb.Host, Key: host((i*50 + n) % *benchHosts).String()})
			}
			found, err := history.ElementsAt(b.Context(), tx, e.source.Tenant, refs, week)
			if err == nil && len(found.Vertices) != 50 {
				err = fmt.Errorf("%d vertices", len(found.Vertices))
			}
			return err
		})},
		{"elements-of-a-host-a-week-back", read(func(tx pgx.Tx, i int) error {
			_, _, err := history.HostAt(b.Context(), tx, e.source.Tenant, host(i%*benchHosts), week)
			return err
		})},
		{"facts-of-a-host-a-week-back", read(func(tx pgx.Tx, i int) error {
			_, _, err := history.FactsAt(b.Context(), tx, host(i%*benchHosts), history.Choice{Bodies: true}, week, 1<<20)
			return err
		})},
		{"changes-of-24h-all", read(func(tx pgx.Tx, _ int) error {
			var n int
			return tx.QueryRow(b.Context(), `SELECT count(*) FROM (SELECT v.*, h.name FROM assim.fact_versions v JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = v.host
				WHERE v.at >= now() - interval '24 hours' ORDER BY v.at DESC, v.host OFFSET 0) c`).Scan(&n)
		})},
		{"changes-of-24h-page-of-200", func(int) error {
			_, _, err := s.List(b.Context(), actor, changes.Filter{Since: time.Now().Add(-24 * time.Hour), Limit: 200})
			return err
		}},
		{"changes-near-a-host", func(i int) error {
			_, _, err := s.List(b.Context(), actor, changes.Filter{Near: host(i % *benchHosts).String(), Hops: 2, Limit: 200})
			return err
		}},
		{"diff-over-a-day-of-a-host", func(i int) error {
			_, _, err := s.Diff(b.Context(), actor, changes.Span{From: time.Now().Add(-24 * time.Hour), Host: host(i % *benchHosts).String(), Limit: 200})
			return err
		}},
		{"diff-over-a-day-page-of-200", func(int) error {
			_, _, err := s.Diff(b.Context(), actor, changes.Span{From: time.Now().Add(-24 * time.Hour), Limit: 200})
			return err
		}},
		{"query-hostdependencies-now", ask("hostdependencies", "host=h7", time.Time{})},
		{"query-hostdependencies-a-week-back", ask("hostdependencies", "host=h7", week)},
		{"query-allservers-now", ask("allservers", "", time.Time{})},
		{"query-allservers-a-week-back", ask("allservers", "", week)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var took []time.Duration
			if err := bench.do(0); err != nil { // plans and pages are there the second time
				b.Fatal(err)
			}
			used := pgtest.CPU(b, admin)
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				if err := bench.do(i); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			// What lasts when others use the machine too.
			b.ReportMetric(float64((pgtest.CPU(b, admin)-used).Microseconds())/1000/float64(len(took)), "cpu-ms/op")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// grow makes hosts that run a service each, which uses that of the next host,
// and their past.
func grow(b *testing.B, e *estate, hosts, days int) {
	b.Helper()
	began := time.Now()
	host := `(lpad(to_hex(i / 256), 2, '0') || '000000-0000-0000-0000-0000000000' || lpad(to_hex(i % 256), 2, '0'))`
	replace := strings.NewReplacer("{host}", host, "{t}", "'"+e.source.Tenant.String()+"'::uuid", "{site}", "'"+e.source.Site.String()+"'", "{g}", store.Graph(e.source.Tenant),
		"{n}", fmt.Sprint(hosts), "{days}", fmt.Sprint(days), "{relay}", "'"+e.source.Relay.String()+"'::uuid")
	id := func(label, i string) string {
		return `ag_catalog._graphid((SELECT l.id FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph WHERE g.name = '{g}' AND l.name = '` + label + `'), ` + i + `)`
	}
	vertex := func(label, props string) string {
		return `INSERT INTO {g}."` + label + `" (id, properties) SELECT ` + id(label, "i + 1") + `,
			(` + props + `)::text::ag_catalog.agtype FROM generate_series(0, {n} - 1) i`
	}
	edge := func(label, from, to, end string) string {
		return `INSERT INTO {g}."` + label + `" (id, start_id, end_id, properties) SELECT ` + id(label, "i + 1") + `, ` + id(from, "i + 1") + `, ` + id(to, end) + `, '{}'::ag_catalog.agtype FROM generate_series(0, {n} - 1) i`
	}
	endpoint := func(i string) string { return `'s|10.0.0.1|tcp|' || ` + i }
	conn, err := pgx.Connect(b.Context(), e.url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	for _, sql := range []string{
		`SET search_path = assim, ag_catalog`,
		`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at)
			SELECT {host}::uuid, {t}, {site}, {relay}, 'h' || i, '', 'up', now(), now(), now() FROM generate_series(0, {n} - 1) i`,
		vertex("Host", `jsonb_build_object('key', {host}, 'name', 'h' || i, 'state', 'up', 'site', {site}::text)`),
		vertex("Service", `jsonb_build_object('key', {host} || '/nginx', 'name', 'nginx', 'exe', '/usr/sbin/nginx')`),
		vertex("Endpoint", `jsonb_build_object('key', `+endpoint("i")+`, 'ip', '10.0.0.1', 'port', i, 'protocol', 'tcp')`),
		edge("RUNS", "Host", "Service", "i + 1"), edge("LISTENS_ON", "Service", "Endpoint", "i + 1"), edge("CONNECTS_TO", "Service", "Endpoint", "(i + 1) % {n} + 1"),
		`INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size)
			SELECT {t}, sha256(convert_to('b' || i, 'UTF8')), 'x-bench', 1, '\x28b52ffd04581100007b7d'::bytea || sha256(convert_to(i::text, 'UTF8')), 2 FROM generate_series(0, 9999) i`,
		`INSERT INTO assim.facts (tenant, host, kind, instance, hash, term, version, at, seen_at)
			SELECT {t}, {host}::uuid, 'x-bench', f::text, sha256(convert_to('b' || (i + f) % 10000, 'UTF8')), 1, 1, now(), now() FROM generate_series(0, {n} - 1) i, generate_series(0, 9) f`,
		`INSERT INTO assim.fact_versions (tenant, host, kind, instance, at, seen_at, hash, previous, term, version, relay, epoch, seq)
			SELECT {t}, {host}::uuid, 'x-bench', f::text, at, at, sha256(convert_to('b' || (i + f + d) % 10000, 'UTF8')), sha256(convert_to('b' || (i + f + d + 1) % 10000, 'UTF8')), 1, {days} - d, {relay}, 1, i
			FROM generate_series(0, {n} - 1) i, generate_series(0, 1) f, generate_series(0, {days} - 1) d,
			LATERAL (SELECT now() - d * interval '1 day' - i * interval '3 seconds' - f * interval '1 millisecond' - interval '1 hour' AS at) a`,
		`INSERT INTO assim.undo (tenant, at, step, label, key, id, before)
			SELECT {t}, now() - d * interval '1 day' - i * interval '3 seconds' - f * interval '1 hour', 1, 'Host', {host}, ` + id("Host", "i + 1") + `,
				jsonb_build_object('key', {host}, 'name', 'h' || i, 'state', CASE f WHEN 0 THEN 'silent' ELSE 'up' END, 'site', {site}::text)
			FROM generate_series(0, {days} - 1) d, generate_series(d % 10, {n} - 1, 10) i, generate_series(0, 1) f`,
		`INSERT INTO assim.undo (tenant, at, step, label, key, to_key, from_label, to_label, id, start_id, end_id, before)
			SELECT {t}, now() - d * interval '1 day' - i * interval '3 seconds' - f * interval '1 hour', 1, 'CONNECTS_TO', {host} || '/nginx', ` + endpoint("(i + 7) % {n}") + `, 'Service', 'Endpoint',
				` + id("CONNECTS_TO", "{n} + i + 1") + `, ` + id("Service", "i + 1") + `, ` + id("Endpoint", "(i + 7) % {n} + 1") + `,
				CASE f WHEN 0 THEN NULL ELSE '{}'::jsonb END
			FROM generate_series(0, {days} - 1) d, generate_series(d % 5, {n} - 1, 5) i, generate_series(0, 1) f`,
		`UPDATE assim.history SET facts_from = now() - interval '1 year', graph_from = now() - interval '1 year'`,
		`ANALYZE`,
	} {
		if _, err := conn.Exec(b.Context(), replace.Replace(sql)); err != nil {
			b.Fatalf("%v in %s", err, replace.Replace(sql))
		}
	}
	e.read(b, func(tx pgx.Tx) error {
		for table, what := range map[string]string{"fact_versions": "version of a fact", "undo": "change of an element", "fact_bodies": "body"} {
			var size, rows int64
			err := tx.QueryRow(b.Context(), `SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint, (SELECT count(*) FROM assim.`+table+`) FROM pg_partition_tree('assim.`+table+`') t`).Scan(&size, &rows)
			if err != nil {
				return err
			}
			if size == 0 {
				if err := tx.QueryRow(b.Context(), `SELECT pg_total_relation_size('assim.`+table+`')`).Scan(&size); err != nil {
					return err
				}
			}
			b.Logf("%d rows of %s: %d bytes per %s with its indexes", rows, table, size/max(rows, 1), what)
		}
		return nil
	})
	b.Logf("%d hosts, %d days, made in %s", hosts, days, time.Since(began).Round(time.Second))
}
