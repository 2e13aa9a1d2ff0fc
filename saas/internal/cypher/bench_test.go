package cypher

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/saas/internal/cypher/syntax"
	"assimilation/tenancy/store"
)

// benched are questions that AGE answers alike, see honest, from those that people
// ask of one thing to those that read the whole graph.
var benched = []struct{ about, text string }{
	{"arithmetic", `RETURN 1 + 2 * 3`},
	{"a host by its key", `MATCH (h:Host {key: 'h77'}) RETURN h.name`},
	{"a host by its name", `MATCH (h:Host) WHERE h.name = 'host77' RETURN h`},
	{"three hosts by name", `MATCH (h:Host) WHERE h.name IN ['host7', 'host77', 'host777'] RETURN h.name, h.cores`},
	{"its services, 1 edge", `MATCH (h:Host {key: 'h77'})-[:RUNS]->(s:Service) RETURN s.name`},
	{"all around it", `MATCH (h:Host {key: 'h77'})-[r]->(x) RETURN type(r), x.key`},
	{"who depends on it, 4 edges", `MATCH (h:Host {key: 'h77'})-[:RUNS]->(:Service)-[:LISTENS_ON]->(:Endpoint)<-[:CONNECTS_TO]-(c:Service)<-[:RUNS]-(o:Host) RETURN o.name`},
	{"its addresses, 1 to 4 edges of any type", `MATCH (h:Host {key: 'h77'})-[*1..4]->(x:Address) RETURN x.ip`},
	{"hosts with more than 4 cores, counted", `MATCH (h:Host) WHERE h.cores > 4 RETURN count(*)`},
	{"hosts by the beginning of their names", `MATCH (h:Host) WHERE h.name STARTS WITH 'host19' RETURN h.name`},
	{"the 20 last hosts by name", `MATCH (h:Host) RETURN h.name ORDER BY h.name DESC LIMIT 20`},
	{"services by name, counted", `MATCH (h:Host)-[:RUNS]->(s:Service) RETURN s.name, count(*)`},
	{"services of each host, gathered", `MATCH (h:Host)-[:RUNS]->(s:Service) WITH h.state AS state, collect(s.name) AS names RETURN state, size(names)`},
	{"hosts without packages", `MATCH (h:Host) WHERE NOT exists((h)-[:HAS_PACKAGES]->()) RETURN count(*)`},
	{"hosts and their redis, if any", `MATCH (h:Host) OPTIONAL MATCH (h)-[:RUNS]->(s:Service {name: 'redis'}) RETURN count(h), count(s)`},
	{"clients of each endpoint, the 10 busiest", `MATCH (c:Service)-[:CONNECTS_TO]->(e:Endpoint) WITH e, count(*) AS n RETURN e.key, n ORDER BY n DESC, e.key LIMIT 10`},
}

// BenchmarkBesideAGE asks the same of the service and of AGE's cypher(), in turns,
// on 2000 hosts with some 23,000 elements: b.N rounds each, the whole way from the
// text to the last row. The service begins a transaction as the tenant's reader
// each time; AGE gets a warm connection of its own, as superuser.
func BenchmarkBesideAGE(b *testing.B) {
	w := newWorld(b, 2000)
	if _, err := w.admin.Exec(b.Context(), "SET search_path = ag_catalog, public"); err != nil {
		b.Fatal(err)
	}
	table := []string{"| question | rows | ours p50 | p95 | cypher() p50 | p95 | ours to cypher(), p50 |", "|---|---|---|---|---|---|---|"}
	var all [2][]time.Duration
	for _, q := range benched {
		b.Run(strings.ReplaceAll(q.about, " ", "-"), func(b *testing.B) {
			sql := overAGE(b, store.Graph(w.own), q.text)
			var taken [2][]time.Duration
			rows := 0
			for b.Loop() {
				start := time.Now()
				answer, err := w.Ask(b.Context(), w.own, Question{Text: q.text, Limit: maxRows})
				if err != nil {
					b.Fatal(err)
				}
				taken[0] = append(taken[0], time.Since(start))
				start = time.Now()
				found, err := w.admin.Exec(b.Context(), sql)
				if err != nil {
					b.Fatal(err)
				}
				taken[1] = append(taken[1], time.Since(start))
				if rows = len(answer.Items); int64(rows) != found.RowsAffected() {
					b.Fatalf("%s: %d rows, of AGE %d", q.text, rows, found.RowsAffected())
				}
			}
			line := fmt.Sprintf("| %s | %d |", q.about, rows)
			for i, who := range []string{"ours", "age"} {
				all[i] = append(all[i], taken[i]...)
				for _, p := range []int{50, 95} {
					b.ReportMetric(percentile(taken[i], p), fmt.Sprintf("%s-p%d-ms", who, p))
					line += fmt.Sprintf(" %.2f |", percentile(taken[i], p))
				}
			}
			b.ReportMetric(0, "ns/op")
			table = append(table, line+fmt.Sprintf(" %.2f |", percentile(taken[0], 50)/percentile(taken[1], 50)))
		})
	}
	table = append(table, fmt.Sprintf("| all | | %.2f | %.2f | %.2f | %.2f | %.2f |", percentile(all[0], 50), percentile(all[0], 95),
		percentile(all[1], 50), percentile(all[1], 95), percentile(all[0], 50)/percentile(all[1], 50)))
	var server, extension string
	if err := w.admin.QueryRow(b.Context(), `SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'age'`).Scan(&server, &extension); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\nPostgres %s, AGE %s, milliseconds:\n\n%s\n\n", server, extension, strings.Join(table, "\n"))
}

// percentile in milliseconds.
func percentile(all []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[(len(sorted)-1)*p/100].Microseconds()) / 1000
}

// overAGE asks AGE's own executor.
func overAGE(b *testing.B, graph, text string) string {
	tree, err := syntax.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	var columns []string
	for i := range tree.Clauses[len(tree.Clauses)-1].(*syntax.Projection).Items {
		columns = append(columns, fmt.Sprintf("c%d ag_catalog.agtype", i))
	}
	return fmt.Sprintf("SELECT * FROM ag_catalog.cypher('%s', $q$ %s $q$) AS (%s)", graph, text, strings.Join(columns, ", "))
}
