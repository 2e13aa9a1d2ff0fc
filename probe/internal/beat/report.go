package beat

import (
	"math/bits"
	"net/netip"
	"time"

	"assimilation/wire"
)

// News reports, once, that a report became due.
func (h *Heart) News() bool {
	n := h.news
	h.news = false
	return n
}

// RelayInDoubt reports, once, that the relay's own beats have stopped.
func (h *Heart) RelayInDoubt() bool {
	d := h.doubt
	h.doubt = false
	return d
}

// Report returns what the relay has to know; nil: nothing new. Only one may be
// under way: Told says what became of it.
func (h *Heart) Report(now time.Time) *wire.Report {
	if !h.due {
		return nil
	}
	h.due = false
	h.told, h.toldAt = h.drops, now
	r := &wire.Report{
		Revision: h.revision,
		Health:   h.health(),
		Stepped:  h.clock.stepped.Milliseconds(),
		Forged:   h.drops.forged, Replayed: h.drops.replayed, Stray: h.drops.stray,
		Time: now.UnixMilli(),
	}
	for _, e := range h.edges {
		r.Edges = append(r.Edges, wire.EdgeReport{ID: e.id, State: e.state, Age: now.Sub(e.heard).Milliseconds(), Lost: e.lost})
	}
	return r
}

// Told notes that the relay has taken a report, or that it has refused it for a
// reason that passes: then there is a new one.
func (h *Heart) Told(r *wire.Report, taken bool) {
	if !taken {
		h.due = true
		return
	}
	h.clock.stepped -= time.Duration(r.Stepped) * time.Millisecond
	if h.clock.stepped.Abs() < time.Millisecond {
		h.clock.stepped = 0
	}
}

// alarmAt is when forged or replayed beats are worth a report; zero: never.
func (h *Heart) alarmAt() time.Time {
	if h.drops.forged == h.told.forged && h.drops.replayed == h.told.replayed {
		return time.Time{}
	}
	return h.toldAt.Add(alarmEvery)
}

// health is how many of the last 16 beats were late.
func (h *Heart) health() uint8 { return uint8(bits.OnesCount16(h.recent)) }

// Neighbour is what a person is shown of an edge.
type Neighbour struct {
	Edge    uint32
	Peer    [wire.IDSize]byte
	Relay   bool
	Address netip.AddrPort
	State   wire.EdgeState
	Age     time.Duration // since its last beat, or since the edge began
	Sent    uint64
	Lost    uint64
	Health  uint8 // of its last 16 beats so many were late, it says
}

// Neighbours lists the edges of the newest ring, in the relay's order.
func (h *Heart) Neighbours(now time.Time) []Neighbour {
	var all []Neighbour
	for _, e := range h.edges {
		all = append(all, Neighbour{e.id, e.peer, e.relay, e.address, e.state, now.Sub(e.heard), e.sent, e.lost, e.health})
	}
	return all
}

// Late is how many of the own last 16 beats were late.
func (h *Heart) Late() int { return int(h.health()) }

// Idle reports whether nobody expects beats of this probe.
func (h *Heart) Idle() bool { return len(h.edges)+len(h.farewells) == 0 }
