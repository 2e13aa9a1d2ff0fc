package beat

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"assimilation/wire"
)

// mind is all that a heart knows, but what it has dropped.
func mind(h *Heart, now time.Time) []any {
	var all []any
	for _, n := range h.Neighbours(now) {
		all = append(all, n)
	}
	return append(all, h.due, h.news, h.doubt, h.next, h.recent, h.interval, len(h.farewells), h.revision)
}

// Nothing that a stranger sends, or sends again, changes anything but a count.
func TestAttacks(t *testing.T) {
	s := newSite(t, 3, 3)
	seen := map[*node][][]byte{} // by who sent it
	s.tap = func(from, _ *node, d []byte) { seen[from] = append(seen[from], d) }
	s.ring(1, time.Second)
	s.run(30 * time.Second)
	h := s.nodes[0].heart
	last := seen[s.nodes[1]]
	var genuine []byte
	for _, d := range last {
		if edgeOf(d) == 100 {
			genuine = d
		}
	}
	if counterOf(genuine) < 20 {
		t.Fatalf("counter %d", counterOf(genuine))
	}
	e := s.edge(100, 0, 1)
	receive := (*[32]byte)(e.Receive)
	changed := func(at int, by byte) []byte {
		d := bytes.Clone(genuine)
		d[at] ^= by
		return d
	}
	type attack struct {
		name     string
		datagram []byte
		want     error
	}
	attacks := []attack{
		{"replayed", genuine, ErrReplayed},
		{"counter 0", wire.Heartbeat{Edge: 100}.Append(nil, receive), ErrReplayed},
		{"reflected", seen[s.nodes[0]][len(seen[s.nodes[0]])-2], ErrForged},
		{"forged with a higher counter", changed(9, 1), ErrForged},
		{"said to leave", changed(15, wire.Leaving), ErrForged},
		{"other health", changed(14, 3), ErrForged},
		{"other MAC", changed(31, 1), ErrForged},
		{"of another edge of this probe", func() []byte {
			d := changed(5, 0)
			d[5] = 102
			return d
		}(), ErrForged},
		{"of no edge", changed(2, 1), ErrStray},
		{"under a key of zeros", wire.Heartbeat{Edge: 100, Counter: 1 << 40}.Append(nil, &[32]byte{}), ErrForged},
	}
	for _, d := range seen[s.nodes[1]] {
		if edgeOf(d) == 100 {
			attacks = append(attacks, attack{"an old one", d, ErrReplayed})
		}
	}
	for _, d := range seen[s.nodes[0]] {
		attacks = append(attacks, attack{"sent back", d, ErrForged})
	}
	for _, a := range attacks {
		before, drops := mind(h, s.now), h.drops
		if err := h.Receive(s.now, a.datagram); !errors.Is(err, a.want) {
			t.Errorf("%s: %v, want %v", a.name, err, a.want)
		}
		if after := mind(h, s.now); !reflect.DeepEqual(before, after) {
			t.Fatalf("%s: %+v became %+v", a.name, before, after)
		}
		if h.drops == drops {
			t.Errorf("%s is not counted", a.name)
		}
	}
	for _, d := range [][]byte{nil, {7}, {7, 1}, genuine[:31], append(bytes.Clone(genuine), 0), changed(1, 3)} {
		before := mind(h, s.now)
		if err := h.Receive(s.now, d); wire.ReasonOf(err) == wire.Accepted {
			t.Errorf("%x was taken", d)
		}
		if after := mind(h, s.now); !reflect.DeepEqual(before, after) {
			t.Fatalf("%x: %+v became %+v", d, before, after)
		}
	}
}

// The relay hears of an attack, and not more often than every 30 s.
func TestAlarm(t *testing.T) {
	s := newSite(t, 3, 2)
	s.ring(1, time.Second)
	s.run(2 * time.Minute)
	h := s.nodes[0].heart
	reports := len(s.nodes[0].reports)
	forged := wire.Heartbeat{Edge: 100, Counter: 1 << 30}.Append(nil, &[32]byte{1})
	for range 6000 { // a minute
		h.Receive(s.now, forged)
		s.run(tick)
	}
	s.run(time.Minute)
	told := s.nodes[0].reports[reports:]
	if len(told) != 3 || told[2].Forged != 6000 {
		t.Errorf("%d reports in two minutes, the last %+v", len(told), told[len(told)-1])
	}
	for i := 1; i < len(told); i++ {
		if gap := told[i].Time - told[i-1].Time; gap < alarmEvery.Milliseconds() {
			t.Errorf("reports %d ms apart", gap)
		}
	}
	s.wantStates(0, wire.EdgeHeard)
	for range 100 { // strays are usual after a change
		h.Receive(s.now, wire.Heartbeat{Edge: 5}.Append(nil, &[32]byte{}))
	}
	s.run(time.Minute)
	if n := len(s.nodes[0].reports) - reports; n != 3 {
		t.Errorf("%d reports for strays", n-3)
	}
}

// FuzzReceive: whatever comes, only what the edge's key has made changes anything.
func FuzzReceive(f *testing.F) {
	f.Add(wire.Heartbeat{Edge: 100, Counter: 9}.Append(nil, &[32]byte{1}), uint8(0))
	f.Add(wire.Heartbeat{Edge: 1, Counter: 1<<64 - 1, Health: 255, Flags: 255}.Append(nil, &[32]byte{}), uint8(200))
	f.Add([]byte{7, 1}, uint8(3))
	f.Fuzz(func(t *testing.T, d []byte, seconds uint8) {
		s := newSite(t, 1, 2)
		s.ring(1, time.Second)
		s.run(3 * time.Second)
		h := s.nodes[0].heart
		e := s.edge(100, 0, 1)
		_, genuine := wire.OpenHeartbeat(d, (*[32]byte)(e.Receive))
		before := mind(h, s.now)
		err := h.Receive(s.now, d)
		if (err == nil) != (genuine == nil) {
			t.Fatalf("%x: %v, though its MAC: %v", d, err, genuine)
		}
		if err != nil && !reflect.DeepEqual(before, mind(h, s.now)) {
			t.Fatalf("%x changed something", d)
		}
		h.Step(s.now.Add(time.Duration(seconds)*time.Second), func(netip.AddrPort, []byte) {})
	})
}
