package ingest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/sockets"
	"assimilation/internal/pgtest"
	"assimilation/wire"
)

var benchHosts = flag.Int("hosts", 1500, "hosts of the estate that benchmarks write to, each of 153 elements")

const (
	benchServices = 30 // of a host
	benchFacts    = 8  // facts of a batch, 151 elements each
)

// BenchmarkApply takes in batches of socket facts: in each fact some services
// move to another port, which makes new elements and removes old ones. Beside
// facts it counts the elements that the facts assert, changed or not, and those
// that were written. Rates per processor second count our time and the server's
// sessions'.
func BenchmarkApply(b *testing.B) {
	f := newFixture(b)
	r := f.relay(b)
	var probes []*probe
	ports := make([][]int64, *benchHosts)
	for h := range *benchHosts {
		probes = append(probes, r.probe(b, fmt.Sprint("host", h)))
		for s := range benchServices {
			ports[h] = append(ports[h], int64(1000+s))
		}
		probes[h].put(b, sockets.Kind, "", benchSockets(h, ports[h]))
		if uint64(len(r.records))-r.taken >= 80 {
			benchSend(b, r)
		}
	}
	benchSend(b, r)
	admin, err := pgx.Connect(context.Background(), f.url)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close(context.Background())
	if _, err := admin.Exec(context.Background(), `VACUUM (ANALYZE)`); err != nil {
		b.Fatal(err)
	}
	for _, unchanged := range []int{70, 0} {
		b.Run(fmt.Sprintf("unchanged=%d", unchanged), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			facts := 0
			var took []time.Duration
			var wall, used time.Duration
			before := written(b, f)
			for b.Loop() {
				for _, h := range random.Perm(*benchHosts)[:benchFacts] {
					for s := range ports[h] {
						if random.IntN(100) >= unchanged {
							ports[h][s] = (ports[h][s]-1000+benchServices)%(9*benchServices) + 1000
						}
					}
					probes[h].put(b, sockets.Kind, "", benchSockets(h, ports[h]))
					facts++
				}
				sofar, began := pgtest.CPU(b, admin), time.Now()
				benchSend(b, r)
				took = append(took, time.Since(began))
				used += pgtest.CPU(b, admin) - sofar
			}
			for _, t := range took {
				wall += t
			}
			// An address; service, its edge, endpoint and the two edges to and from that.
			asserted := facts * (1 + 5*benchServices)
			slices.Sort(took)
			b.ReportMetric(float64(facts)/wall.Seconds(), "facts/s")
			b.ReportMetric(float64(facts)/used.Seconds(), "facts/cpu-s")
			b.ReportMetric(float64(asserted)/wall.Seconds(), "elements/s")
			b.ReportMetric(float64(asserted)/used.Seconds(), "elements/cpu-s")
			b.ReportMetric((written(b, f)-before)/used.Seconds(), "written/cpu-s")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// written is how many elements were put or removed: each left its image.
func written(b *testing.B, f *fixture) float64 {
	return float64(value[int64](b, f, `SELECT count(*) FROM assim.undo`))
}

func benchSockets(h int, ports []int64) sockets.Facts {
	var f sockets.Facts
	for s, port := range ports {
		f.Services = append(f.Services, sockets.Service{
			Name: fmt.Sprint("service", s), Exe: "/usr/bin/service", Argv: []string{"service", "--number", fmt.Sprint(s)}, UID: int64(s), GID: int64(s),
			Listens: []sockets.Listen{{Protocol: "tcp", IP: fmt.Sprintf("10.%d.%d.1", h/256, h%256), Port: port}},
		})
	}
	return f
}

// benchSend sends the records that were not sent yet.
func benchSend(b *testing.B, r *relay) {
	first, last := r.taken+1, uint64(len(r.records))
	if first > last {
		return
	}
	if ack := r.send(b, first, last); ack.Reason != wire.Accepted || ack.Position != last {
		b.Fatalf("%+v", ack)
	}
	r.taken = last
}
