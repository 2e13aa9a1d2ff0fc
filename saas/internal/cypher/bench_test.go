package cypher

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"assimilation/tenancy/store"
)

// BenchmarkBesideAGE asks the same of our SQL and of AGE's cypher(), in turns, on
// 2000 hosts with some 20,000 elements: b.N rounds, the whole way from the text
// to the last row. AGE gets a warm connection of its own.
func BenchmarkBesideAGE(b *testing.B) {
	w := newWorld(b, 2000)
	for _, q := range []struct{ name, text string }{
		{"point", `MATCH (h:Host {key: 'h77'}) RETURN h.name`},
		{"hop", `MATCH (h:Host {key: 'h77'})-[:RUNS]->(s:Service) RETURN s.name`},
		{"dependents", `MATCH (h:Host {key: 'h77'})-[:RUNS]->(:Service)-[:LISTENS_ON]->(:Endpoint)<-[:CONNECTS_TO]-(c:Service)<-[:RUNS]-(o:Host) RETURN o.name`},
		{"walk", `MATCH (h:Host {key: 'h77'})-[*1..4]->(x:Address) RETURN x.ip`},
		{"scan", `MATCH (h:Host) WHERE h.cores > 4 RETURN count(*)`},
		{"group", `MATCH (h:Host)-[:RUNS]->(s:Service) RETURN s.name, count(*)`},
	} {
		b.Run(q.name, func(b *testing.B) {
			sql := fmt.Sprintf("SELECT * FROM ag_catalog.cypher('%s', $q$ %s $q$) AS (c0 ag_catalog.agtype%s)", store.Graph(w.own), q.text, map[bool]string{true: ", c1 ag_catalog.agtype"}[q.name == "group"])
			if _, err := w.admin.Exec(b.Context(), "SET search_path = ag_catalog, public"); err != nil {
				b.Fatal(err)
			}
			var own, theirs []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := w.ask(b, q.text, nil); err != nil {
					b.Fatal(err)
				}
				own = append(own, time.Since(start))
				start = time.Now()
				if _, err := w.admin.Exec(b.Context(), sql); err != nil {
					b.Fatal(err)
				}
				theirs = append(theirs, time.Since(start))
			}
			for who, all := range map[string][]time.Duration{"own": own, "age": theirs} {
				slices.Sort(all)
				for _, p := range []int{50, 95} {
					b.ReportMetric(float64(all[(len(all)-1)*p/100].Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", who, p))
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
