package watch

import (
	"context"
	"fmt"
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/topology"
	"assimilation/wire"
)

// A probe may say what it likes as often as it may speak: it fills no memory.
func TestALiarFillsNoMemory(t *testing.T) {
	inField(t, 2, 3, func(f *field, all []*probe) {
		liar := all[0]
		r := &wire.Report{Time: time.Now().UnixMilli()}
		f.set(liar, func(*probe) {
			for _, e := range liar.edges {
				r.Edges = append(r.Edges, wire.EdgeReport{ID: e.ID, State: wire.EdgeLeft})
			}
		})
		for range 500 {
			f.watch.Observe(sessions.Reported{Host: liar.host.ID, Report: r})
			time.Sleep(10 * time.Millisecond)
		}
		waiting, err := ask(context.Background(), f.watch, func(time.Time) int { return len(f.watch.checks) })
		if err != nil || waiting > 2*len(r.Edges) {
			t.Errorf("%d things are to be looked at again, %v", waiting, err)
		}
		place := liar.place()
		for i := range 20_000 {
			place.Zone = fmt.Sprint("zone ", i)
			f.watch.Place(place)
		}
		names, err := f.watch.Places()
		if err != nil || len(names) > 2*spareNames {
			t.Errorf("%d names of places are remembered, %v", len(names), err)
		}
		if _, ok := names[topology.Opaque(f.watch.Secret, liar.place().Domain)]; !ok {
			t.Error("the name of a switch with hosts is forgotten")
		}
	})
}
