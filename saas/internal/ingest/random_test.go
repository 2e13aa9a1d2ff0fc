package ingest

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/sockets"
	"assimilation/uplink"
)

// Batches cut anywhere, sent twice, in the wrong order, broken off in the middle
// by a deadline: at the end the service holds exactly what the relays sent last,
// each change once, and the graph says the same.
func TestStreamsThatAreCutResentAndBrokenOff(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := newFixture(t)
	sim := &simulation{f: f, random: random, last: map[string]string{}}
	for i := range 2 {
		r := f.relay(t)
		sim.relays = append(sim.relays, r)
		for n := range 2 {
			sim.probes = append(sim.probes, r.probe(t, fmt.Sprint("h", i, n)))
		}
	}
	broken := 0
	for range 60 {
		for range random.IntN(6) {
			sim.change(t, sim.probes[random.IntN(len(sim.probes))])
		}
		if !sim.send(t, sim.relays[random.IntN(len(sim.relays))]) {
			broken++
		}
	}
	t.Logf("%d batches were broken off", broken)
	for _, r := range sim.relays {
		r.flush(t)
	}
	f.consistent(t)
	held := column[string](t, f, `SELECT host || ' ' || kind || ' ' || instance || ' ' || encode(hash, 'hex') FROM assim.facts ORDER BY 1`)
	var want []string
	for key, hash := range maps.All(sim.last) {
		want = append(want, key+" "+hash)
	}
	slices.Sort(want)
	slices.Sort(held)
	if !slices.Equal(held, want) {
		t.Errorf("held\n%q\nsent last\n%q", held, want)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions`); n != sim.changes {
		t.Errorf("%d versions, %d changes were sent", n, sim.changes)
	}
}

type simulation struct {
	f       *fixture
	random  *rand.Rand
	relays  []*relay
	probes  []*probe
	last    map[string]string // host, kind, instance -> hash
	changes int
}

func (s *simulation) change(t *testing.T, p *probe) {
	t.Helper()
	n := s.random.IntN(4)
	key := func(kind string) string { return fmt.Sprint(p.id, " ", kind, " ") }
	note := func(c uplink.Change) {
		hash := hex.EncodeToString(c.Hash)
		if s.last[key(c.Kind)] != hash {
			s.changes++
		}
		s.last[key(c.Kind)] = hash
	}
	switch s.random.IntN(6) {
	case 0:
		note(p.put(t, os.Kind, "", osFacts(fmt.Sprint(n))))
	case 1:
		note(p.put(t, network.Kind, "", links([]string{"eth0=10.0.0.1", "eth1=10.0.1.1", "eth0=10.0.0.2", "eth2=10.9.9.9"}[:n]...)))
	case 2:
		note(p.put(t, neighbours.Kind, "", seen([]string{"eth0=10.0.0.1", "eth1=10.0.1.7", "eth2=10.0.0.3"}[:min(n, 3)]...)))
	case 3:
		note(p.put(t, sockets.Kind, "", services(t, fmt.Sprintf("a <10.0.0.%d:80 >10.0.0.%d:81", n, n+1), "b >10.0.0.1:80")))
	case 4:
		p.r.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{State: []uplink.State{uplink.Up, uplink.Silent}[n%2]}})
	default:
		kind := []string{"os", "network", "neighbours", "sockets"}[n]
		if _, there := s.last[key(kind)]; there {
			s.changes++
			delete(s.last, key(kind))
		}
		p.drop(t, kind, "")
	}
}

// send cuts some batch out of the stream and sends it, with little time. It
// reports whether the service answered.
func (s *simulation) send(t *testing.T, r *relay) bool {
	t.Helper()
	first := 1 + s.random.Uint64N(uint64(len(r.records)))
	if s.random.IntN(3) > 0 { // mostly what is due
		position := value[uint64](t, s.f, `SELECT coalesce((SELECT position FROM assim.streams WHERE relay = $1), 0)`, r.source.Relay)
		first = min(position+1, uint64(len(r.records)))
	}
	last := min(first+s.random.Uint64N(8), uint64(len(r.records)))
	header, payload := r.batch(t, first, last)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond<<s.random.IntN(9))
	defer cancel()
	ack, err := s.f.service.Apply(ctx, r.source, header, payload)
	if err == nil && ack.Position > uint64(len(r.records)) {
		t.Fatalf("acknowledged %d of %d records", ack.Position, len(r.records))
	}
	return err == nil
}
