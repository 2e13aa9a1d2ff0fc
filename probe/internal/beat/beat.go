// Package beat is the probe's side of its rings: it sends a sign of life to each
// neighbour once per interval, and notices when a neighbour's stop coming.
//
// A Heart is a state machine without socket, clock and goroutine; one owner drives
// it by Receive, Refused and Step. It beats on whether there is a session with a
// relay or not, and has a Report ready when there is something to tell.
//
//	       beat                 silence: 2.5 intervals
//	New ----------> Heard ---------------------------------> Missed
//	 |               |  ^  beat (from any state)               ^
//	 | silence:      |  +---- Left, Refused, Missed            | no more refusals
//	 | 5 intervals   |                                         |
//	 +-> Missed      +-- port unreachable, a beat overdue --> Refused
//	                 +-- beat that says Leaving ------------> Left
//
// Nothing that a stranger can send changes a state: a beat has to carry the MAC of
// its edge and direction and a counter above all before, wherever it came from; and
// an ICMP message, which anybody can forge, is believed only of a neighbour whose
// beat is overdue.
package beat

import (
	"errors"
	"net/netip"
	"time"

	"assimilation/wire"
)

// Times, in halves of the interval.
const (
	missedAfter  = 5
	newAfter     = 10 // and at least newAtLeast
	hearsWithin  = 4
	overdueAfter = 3
	refusedFor   = 10 // after the last refusal; the kernel sends one per second at most (icmp(7))
	lateAfter    = 1  // a wake-up that comes later is late
	frozenAfter  = 3  // and one that comes later still says that nothing is known of the neighbours
)

const (
	newAtLeast = 5 * time.Second
	// settling: for so long after the interval has changed, beats are sent at the
	// shorter one and expected at the longer one, for the neighbours hear of it at
	// other times.
	settling = 30 * time.Second
	// farewell is how long an edge of an earlier session is beaten on.
	farewell = 10 * time.Second
	// alarmEvery is how often at most a report is made for forged or replayed
	// beats alone.
	alarmEvery = 30 * time.Second
)

// Why a heartbeat was dropped.
var (
	ErrStray    = errors.New("heartbeat of no edge of this probe")
	ErrForged   = errors.New("heartbeat that its edge's key has not made")
	ErrReplayed = errors.New("heartbeat that came before")
)

// Send sends one heartbeat; the slice is the Heart's again when it returns.
type Send func(to netip.AddrPort, datagram []byte)

// Heart beats for one probe.
type Heart struct {
	random   func() float64
	ring     time.Duration // the interval that was ordered; zero: no ring yet
	interval time.Duration // between own beats
	patience time.Duration // the interval that is expected of neighbours
	settled  time.Time     // when the two are ring again; zero: they are

	edges     []*edge // of the newest ring
	farewells []*edge // of an earlier session
	revision  uint64
	fresh     bool // no ring in this session yet

	next   time.Time // of the next beat
	wake   time.Time // what Step has returned; zero: nothing was due
	recent uint16    // the last 16 beats: 1 was late
	clock  clock
	buffer []byte

	due    bool // a report
	news   bool // and its owner was not told yet
	doubt  bool // the relay's own beats have stopped
	told   dropped
	drops  dropped
	toldAt time.Time // when forged or replayed beats were reported
}

// dropped counts heartbeats that changed nothing.
type dropped struct{ forged, replayed, stray uint64 }

// New makes a heart that has no neighbours. Random returns numbers in [0, 1).
func New(random func() float64) *Heart {
	return &Heart{random: random, fresh: true, clock: newClock(), buffer: make([]byte, 0, wire.HeartbeatSize)}
}

// Session notes that a session began: the relay has heard nothing yet, and counts
// its rings anew.
func (h *Heart) Session() {
	h.fresh, h.revision = true, 0
	h.due = len(h.edges) > 0 || h.clock.stepped != 0
}

// Adopt takes the neighbours that a relay at the address orders, unless it has
// ordered others since.
func (h *Heart) Adopt(now time.Time, ring *wire.Ring, relay netip.AddrPort) {
	if !h.fresh && ring.Revision <= h.revision {
		return
	}
	h.retime(now, time.Duration(ring.Beat)*time.Millisecond)
	before := append(h.edges, h.farewells...)
	h.edges, h.farewells = make([]*edge, 0, len(ring.Edges)), nil
	for _, ordered := range ring.Edges {
		e := newEdge(ordered, relay, now)
		for i, old := range before {
			if old != nil && old.same(e) {
				old.peer, old.address, old.relay, old.until = e.peer, e.address, e.relay, time.Time{}
				e, before[i] = old, nil
			}
		}
		h.edges = append(h.edges, e)
	}
	for _, old := range before {
		if old == nil || len(h.farewells) == wire.MaxEdges {
			continue
		}
		if old.until.IsZero() && h.fresh {
			old.until = now.Add(farewell)
		}
		if now.Before(old.until) {
			h.farewells = append(h.farewells, old)
		}
	}
	h.fresh, h.revision = false, ring.Revision
}

// retime takes the interval of a ring. The first beat comes within one of it, at
// random, so that the probes of a site do not beat as one.
func (h *Heart) retime(now time.Time, interval time.Duration) {
	switch {
	case interval == h.ring:
		return
	case h.ring == 0:
		h.interval, h.patience = interval, interval
	default:
		h.interval, h.patience = min(interval, h.interval), max(interval, h.patience)
		h.settled = now.Add(settling)
	}
	h.ring = interval
	if first := now.Add(time.Duration(h.random() * float64(h.interval))); h.next.IsZero() || first.Before(h.next) {
		h.next = first
	}
}

// Receive takes a heartbeat packet. An error says why it was dropped: nothing but
// a count has changed then.
func (h *Heart) Receive(now time.Time, datagram []byte) error {
	id, err := wire.HeartbeatEdge(datagram)
	if err != nil {
		return err
	}
	e := h.find(id)
	if e == nil {
		h.drops.stray++
		return ErrStray
	}
	b, err := e.receive.Open(datagram)
	if err != nil {
		h.drops.forged++
		return ErrForged
	}
	if b.Counter <= e.highest {
		h.drops.replayed++
		return ErrReplayed
	}
	if e.hear(now, b) {
		h.tell(e)
	}
	return nil
}

func (h *Heart) find(id uint32) *edge {
	for _, list := range [...][]*edge{h.edges, h.farewells} {
		for _, e := range list {
			if e.id == id {
				return e
			}
		}
	}
	return nil
}

// tell notes that the state of an edge has changed.
func (h *Heart) tell(e *edge) {
	if !e.until.IsZero() {
		return // another relay's business
	}
	h.due, h.news = true, true
	h.doubt = h.doubt || e.relay && (e.state == wire.EdgeMissed || e.state == wire.EdgeRefused)
}

// Refused notes that a host answered a datagram to the address with "port
// unreachable".
func (h *Heart) Refused(now time.Time, from netip.AddrPort) {
	for _, e := range h.edges {
		if e.address == from {
			e.refused = now
		}
	}
}

// Step sends the beats that are due, looks for neighbours that are silent, and
// returns when to call again at the latest; zero: not before something happens. It
// must also be called after Receive and Refused.
func (h *Heart) Step(now time.Time, send Send) (wake time.Time) {
	if h.ring == 0 {
		return time.Time{}
	}
	if !h.settled.IsZero() && !now.Before(h.settled) {
		h.interval, h.patience, h.settled = h.ring, h.ring, time.Time{}
	}
	h.excuse(now)
	if !now.Before(h.next) {
		h.beat(now, send)
	}
	for _, e := range h.edges {
		if e.judge(now, h.patience) {
			h.tell(e)
		}
	}
	h.wake = h.next
	for _, e := range h.edges {
		h.wake = earliest(h.wake, e.deadline(h.patience))
	}
	if alarm := h.alarmAt(); !alarm.IsZero() {
		if now.Before(alarm) {
			h.wake = earliest(h.wake, alarm)
		} else {
			h.due, h.news = true, true
			h.told, h.toldAt = h.drops, now
		}
	}
	return h.wake
}

// excuse looks whether this call is late. While the probe did not run, neighbours
// may have beaten as they should, so that time does not count against them; if it
// was long, they begin anew.
func (h *Heart) excuse(now time.Time) {
	late := now.Sub(h.wake)
	if h.wake.IsZero() || late <= halves(lateAfter, h.interval) {
		return
	}
	frozen := late > halves(frozenAfter, h.interval)
	for _, e := range h.edges {
		e.excuse(now, late, frozen)
	}
}

// beat sends one beat on every edge.
func (h *Heart) beat(now time.Time, send Send) {
	late := now.Sub(h.next)
	missed := min(late/h.interval, 16) // beats that were never sent count as late
	h.recent = h.recent<<missed | (1<<missed - 1)
	h.recent <<= 1
	if late-missed*h.interval > halves(lateAfter, h.interval) || missed > 0 {
		h.recent |= 1
	}
	if h.next = h.next.Add(h.interval); !h.next.After(now) {
		h.next = now.Add(h.interval)
	}
	if h.clock.look(now) {
		h.due, h.news = true, true
	}
	h.sendAll(now, 0, send)
}

func (h *Heart) sendAll(now time.Time, flags uint8, send Send) {
	keep := h.farewells[:0]
	for _, e := range h.farewells {
		if now.Before(e.until) {
			keep = append(keep, e)
		}
	}
	clear(h.farewells[len(keep):])
	h.farewells = keep
	for _, list := range [...][]*edge{h.edges, h.farewells} {
		for _, e := range list {
			send(e.address, e.beat(now, h.buffer, h.patience, flags, h.health()))
		}
	}
}

// Leave tells all neighbours that the probe stops in good order, and stops.
func (h *Heart) Leave(now time.Time, send Send) {
	if h.ring == 0 {
		return
	}
	h.sendAll(now, wire.Leaving, send)
	*h = *New(h.random)
}

func halves(n time.Duration, interval time.Duration) time.Duration { return n * interval / 2 }

// earliest is the earlier of two times of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
