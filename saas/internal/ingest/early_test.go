package ingest

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/discovery/os"
	"assimilation/uplink"
	"assimilation/wire"
)

// TestBatchesInAnyOrder sends windows of four batches at once, each to one of two
// services over one database, in random order.
func TestBatchesInAnyOrder(t *testing.T) {
	f := newFixture(t)
	other, err := New(f.db, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	replicas := []*Service{f.service, other}
	r := f.relay(t)
	p := r.probe(t, "h")
	r.flush(t)
	const windows, size = 12, 5
	for n := range windows * 4 * size {
		p.put(t, os.Kind, "", osFacts(fmt.Sprint("release ", n)))
	}
	random := rand.New(rand.NewPCG(1, 2))
	next := uint64(2)
	for range windows {
		var all sync.WaitGroup
		for _, i := range random.Perm(4) {
			first := next + uint64(i*size)
			header, payload := r.batch(t, first, first+size-1)
			replica := replicas[random.IntN(2)]
			all.Go(func() {
				ack, err := replica.Apply(t.Context(), r.source, header, payload)
				if err != nil || ack.Reason != wire.Accepted || ack.Position < header.Last {
					t.Errorf("batch %d to %d: %+v, %v", header.First, header.Last, ack, err)
				}
			})
		}
		all.Wait()
		next += 4 * size
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions`); n != windows*4*size {
		t.Errorf("%d versions, want %d", n, windows*4*size)
	}
	if n := value[int](t, f, `SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY at, seq) AS before FROM assim.fact_versions) v WHERE before IS NOT NULL AND seq <> before + 1`); n != 0 {
		t.Errorf("%d versions are out of order", n)
	}
	f.consistent(t)
}

func TestWhatComesMuchTooEarlyIsSentBack(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	r.flush(t)
	for n := range 20 {
		p.put(t, os.Kind, "", osFacts(fmt.Sprint(n)))
	}
	var all sync.WaitGroup
	answers := make(chan uplink.Ack, 6)
	for i := range 6 { // more than are held
		header, payload := r.batch(t, uint64(4+i), uint64(4+i))
		all.Go(func() {
			ack, err := f.service.Apply(t.Context(), r.source, header, payload)
			if err != nil {
				t.Error(err)
			}
			answers <- ack
		})
	}
	all.Wait()
	close(answers)
	for ack := range answers {
		if ack.Reason != wire.Accepted || ack.Position != 1 {
			t.Errorf("the answer is %+v, want position 1", ack)
		}
	}
	if e := f.service.early; e.held != 0 || len(e.moved) != 0 {
		t.Errorf("%d batches are still held", e.held)
	}
	r.flush(t)
	f.consistent(t)
}
