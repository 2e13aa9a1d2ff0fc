package watch

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/topology"
	"assimilation/uplink"
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

// One who says that a neighbour is silent for thousands of years delays no verdict
// and moves none into another age.
func TestALiarIsNotOlderThanItsEdge(t *testing.T) {
	for _, age := range []int64{86_400_000, 9_000_000_000_000 /* 285 years */, wire.MaxTime} {
		inField(t, 2, 3, func(f *field, all []*probe) { lieAboutAge(f, all[:3], age) })
	}
}

func lieAboutAge(f *field, victims []*probe, age int64) {
	liar := victims[0]
	begun := time.Now()
	for range 3 {
		r := &wire.Report{Time: time.Now().UnixMilli()}
		f.set(liar, func(*probe) {
			for _, e := range liar.edges {
				r.Edges = append(r.Edges, wire.EdgeReport{ID: e.ID, State: wire.EdgeMissed, Age: age})
			}
		})
		f.watch.Observe(sessions.Reported{Host: liar.host.ID, Report: r})
		time.Sleep(100 * time.Millisecond)
	}
	for _, p := range victims {
		f.set(p, func(p *probe) { p.off = true })
	}
	v := f.expect(uplink.SwitchDown, longest, victims...)
	if since := time.UnixMilli(v.Since); since.Before(begun.Add(-time.Minute)) || since.After(time.Now()) {
		f.t.Errorf("told that one is silent for %d ms: silent since %v", age, since)
	}
}

// One who changes its mind all the time does not have the relay ask all the time:
// others' neighbours wait for their turn.
func TestALiarDoesNotKeepTheRelayAsking(t *testing.T) {
	inField(t, 2, 3, func(f *field, all []*probe) {
		liar, asked := all[0], f.asked()
		const seconds = 10
		for i := range 100 * seconds {
			r := &wire.Report{Time: time.Now().UnixMilli()}
			f.set(liar, func(*probe) {
				for _, e := range liar.edges {
					r.Edges = append(r.Edges, wire.EdgeReport{ID: e.ID, State: []wire.EdgeState{wire.EdgeMissed, wire.EdgeHeard}[i%2]})
				}
			})
			f.watch.Observe(sessions.Reported{Host: liar.host.ID, Report: r})
			time.Sleep(10 * time.Millisecond)
		}
		if n := f.asked() - asked; n > 20*seconds {
			t.Errorf("the relay has asked %d times within %d s", n, seconds)
		}
		f.set(all[4], func(p *probe) { p.off = true })
		f.expect(uplink.HostDown, longest, all[4])
	})
}

// One who speaks from another port with each packet does not have its neighbours
// ordered anew with each.
func TestAHostThatMovesAllTheTime(t *testing.T) {
	inField(t, 1, 4, func(f *field, all []*probe) {
		restless := all[0]
		before, home := f.orders(), restless.address
		const seconds = 5
		for i := range uint16(100 * seconds) {
			f.watch.Observe(sessions.Moved{Host: restless.host.ID, Address: netip.AddrPortFrom(home.Addr(), 2000+i)})
			time.Sleep(10 * time.Millisecond)
		}
		if n := f.orders() - before; n == 0 || n > 10*seconds {
			t.Errorf("%d orders within %d s", n, seconds)
		}
		f.watch.Observe(sessions.Moved{Host: restless.host.ID, Address: home})
		time.Sleep(10 * time.Second)
		f.quiet("when it is home again")
	})
}

// One who says by turns that it stands here and there does not have others ordered
// anew each time, and nobody goes unwatched.
func TestAHostThatChangesItsPlaceAllTheTime(t *testing.T) {
	inField(t, 2, 3, func(f *field, all []*probe) {
		here, there := all[0].place(), all[3].place()
		there.ID = here.ID
		before := f.orders()
		const seconds = 20
		for i := range 10 * seconds {
			f.watch.Place([]topology.Place{there, here}[i%2])
			time.Sleep(100 * time.Millisecond)
		}
		if n := f.orders() - before; n == 0 || n > 6*seconds {
			t.Errorf("%d orders within %d s", n, seconds)
		}
		f.set(all[4], func(p *probe) { p.off = true })
		f.expect(uplink.HostDown, longest, all[4])
		f.watch.Place(here)
		time.Sleep(2 * placeAgain)
		at, err := ask(context.Background(), f.watch, func(time.Time) string { return f.watch.hosts[here.ID].place.Domain })
		if err != nil || at != here.Domain {
			t.Errorf("in the end it stands behind %q, %v", at, err)
		}
	})
}
