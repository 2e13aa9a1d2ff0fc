package graph

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/internal/pgtest"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

var benchHosts = flag.Int("hosts", 2000, "hosts of the estate that benchmarks write to, each of 123 elements")

const (
	benchServices = 20  // of a host
	benchBatch    = 500 // services of a batch, a vertex and an edge each
	mergeBatch    = 20  // of the slow way, whose rate does not depend on it
)

// BenchmarkWrite compares three ways to bring a large graph up to date with like
// batches: the Writer, plain tables of the same shape (keys, properties as jsonb,
// before-images), and Cypher's UNWIND MERGE SET, which writes no history. Rates
// count what a batch asks for, unchanged or not; those per processor second
// count our time and the server's sessions'.
func BenchmarkWrite(b *testing.B) {
	ctx := context.Background()
	db, url := storetest.OpenURL(b)
	f := &fixture{db, storetest.Tenant(b, db), NewWriter(), start}
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close(ctx)
	plain := newPlain(b, admin)
	var deltas []cmdb.Delta
	elements := 0
	for h := range *benchHosts {
		e := benchHost(h)
		elements += len(e.Vertices) + len(e.Edges)
		deltas = append(deltas, cmdb.Diff(cmdb.Elements{}, e))
		if len(deltas) == 50 || h == *benchHosts-1 {
			if _, err := f.apply(deltas...); err != nil {
				b.Fatal(err)
			}
			plain.write(b, deltas)
			deltas = deltas[:0]
		}
	}
	b.Logf("%d elements", elements)
	if _, err := admin.Exec(ctx, `VACUUM (ANALYZE)`); err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name  string
		size  int
		write func([]cmdb.Delta)
	}{
		{"graph", benchBatch, func(d []cmdb.Delta) {
			if _, err := f.apply(d...); err != nil {
				b.Fatal(err)
			}
		}},
		{"tables", benchBatch, func(d []cmdb.Delta) { plain.write(b, d) }},
		{"merge", mergeBatch, func(d []cmdb.Delta) { f.merge(b, d) }}, // last: it leaves edges behind
	} {
		estate := estate{rand.New(rand.NewPCG(1, 2)), map[[2]int]int{}}
		for _, unchanged := range []int{70, 0} {
			b.Run(fmt.Sprintf("way=%s/unchanged=%d", way.name, unchanged), func(b *testing.B) {
				var took []time.Duration
				written := 0
				used := pgtest.CPU(b, admin)
				for b.Loop() {
					batch := estate.change(way.size, unchanged)
					if way.name == "merge" {
						batch.PutEdges = nil
					}
					written += len(batch.PutVertices) + len(batch.PutEdges)
					began := time.Now()
					way.write([]cmdb.Delta{batch})
					took = append(took, time.Since(began))
				}
				used = pgtest.CPU(b, admin) - used
				var wall time.Duration
				for _, t := range took {
					wall += t
				}
				slices.Sort(took)
				b.ReportMetric(float64(written)/wall.Seconds(), "elements/s")
				b.ReportMetric(float64(written)/used.Seconds(), "elements/cpu-s")
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			})
		}
	}
}

func benchHost(h int) cmdb.Elements {
	var e cmdb.Elements
	id := fmt.Sprintf("host-%05d", h)
	host := e.AddVertex(cmdb.Host, id, map[string]any{"name": id})
	ip := fmt.Sprintf("10.%d.%d.1", h/256, h%256)
	address := e.AddVertex(cmdb.Address, "site:s|"+ip, map[string]any{"ip": ip, "realm": "site:s"})
	for s := range benchServices {
		service, listens := benchService(h, s, 0)
		e.Vertices = append(e.Vertices, service)
		e.AddEdge(cmdb.Runs, host, service.Ref, nil)
		endpoint := e.AddVertex(cmdb.Endpoint, listens.To.Key, map[string]any{"ip": ip, "realm": "site:s", "protocol": "tcp", "port": int64(1000 + s)})
		e.AddEdge(cmdb.At, endpoint, address, nil)
		e.Edges = append(e.Edges, listens)
	}
	return e
}

// benchService is a service and the edge to its endpoint, as revision says.
func benchService(h, s, revision int) (cmdb.Vertex, cmdb.Edge) {
	ref := cmdb.Ref{Label: cmdb.Service, Key: fmt.Sprintf("host-%05d/%032d", h, s)}
	endpoint := cmdb.Ref{Label: cmdb.Endpoint, Key: fmt.Sprintf("site:s|10.%d.%d.1|tcp|%d", h/256, h%256, 1000+s)}
	return cmdb.Vertex{Ref: ref, Props: map[string]any{
		"name": fmt.Sprint("service-", s), "exe": "/usr/lib/services/bin/service", "argv": []string{"service", "--config", "/etc/service.conf", "--revision"},
		"uid": int64(1000 + s), "gid": int64(1000 + s), "container": strings.Repeat("0123456789abcdef", 4), "revision": int64(revision),
	}}, cmdb.Edge{Type: cmdb.ListensOn, From: ref, To: endpoint, Props: map[string]any{"wildcard": "0.0.0.0", "revision": int64(revision)}}
}

// estate knows what was written: the revision of each service.
type estate struct {
	random    *rand.Rand
	revisions map[[2]int]int
}

// change draws services and changes all but so many of a hundred of them.
func (e estate) change(size, unchanged int) cmdb.Delta {
	var d cmdb.Delta
	drawn := map[[2]int]bool{}
	for len(drawn) < size {
		at := [2]int{e.random.IntN(*benchHosts), e.random.IntN(benchServices)}
		if drawn[at] {
			continue
		}
		drawn[at] = true
		if e.random.IntN(100) >= unchanged {
			e.revisions[at]++
		}
		service, listens := benchService(at[0], at[1], e.revisions[at])
		d.PutVertices, d.PutEdges = append(d.PutVertices, service), append(d.PutEdges, listens)
	}
	return d
}

// merge writes the vertices of a delta as one would in Cypher.
func (f *fixture) merge(b *testing.B, deltas []cmdb.Delta) {
	var rows []map[string]any
	for _, d := range deltas {
		for _, v := range d.PutVertices {
			row := map[string]any{"key": v.Key}
			for name, value := range v.Props {
				row[name] = value
			}
			rows = append(rows, row)
		}
	}
	arguments, err := json.Marshal(map[string]any{"rows": rows})
	if err != nil {
		b.Fatal(err)
	}
	err = f.db.In(context.Background(), f.tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), fmt.Sprintf(`SELECT * FROM cypher('%s', $q$
			UNWIND $rows AS r MERGE (s:Service {key: r.key})
			SET s.name = r.name, s.exe = r.exe, s.argv = r.argv, s.uid = r.uid, s.gid = r.gid, s.container = r.container, s.revision = r.revision $q$, $1) AS (r agtype)`,
			store.Graph(f.tenant)), string(arguments))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
