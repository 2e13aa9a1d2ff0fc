package watch

import (
	"math/bits"
	"net/netip"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/verdict"
	"assimilation/wire"
)

// Times of the relay's own heartbeats, in halves of the interval; they are those
// of a probe.
const (
	missedAfter = 5
	newAfter    = 10
	newAtLeast  = 5 * time.Second
	hearsWithin = 4
	lateAfter   = 1
)

// settling is for how long after the interval has changed the longer of the two
// is expected of neighbours: they hear of it at other times.
const settling = 30 * time.Second

// pulse is the relay's own end of the edges that it has.
type pulse struct {
	self       ring.ID
	every      time.Duration
	patience   time.Duration // the interval that is expected
	settled    time.Time     // when patience is every again
	neighbours []ring.Neighbour
	edges      map[uint32]*ownEdge
	next       time.Time
	recent     uint16 // the last 16 beats: 1 was late

}

// ownEdge is one of them.
type ownEdge struct {
	id            uint32
	peer          ring.ID
	address       netip.AddrPort
	send, receive *wire.HeartbeatKey
	sent, highest uint64
	heard         time.Time // when the last beat came, or when the edge began
	since         time.Time // the same, less what the relay itself slept since
	missed        bool
}

func newPulse(self ring.ID, every time.Duration) pulse {
	return pulse{self: self, every: every, patience: every, edges: map[uint32]*ownEdge{}}
}

func (p *pulse) retime(now time.Time, every time.Duration) {
	p.patience, p.settled = max(p.patience, every), now.Add(settling)
	p.every = every
	p.next = now
}

func (p *pulse) move(peer ring.ID, address netip.AddrPort) {
	for _, e := range p.edges {
		if e.peer == peer {
			e.address = address
		}
	}
}

// pulseAgain makes the relay's own edges those of the book.
func (w *Watch) pulseAgain(now time.Time) {
	p := &w.pulse
	old := p.edges
	p.edges = make(map[uint32]*ownEdge, len(p.neighbours))
	for _, n := range p.neighbours {
		e := w.edges.need(w.self, n.ID)
		own := old[e.id]
		if own == nil {
			send, receive := w.edges.keys(e, w.self)
			own = &ownEdge{id: e.id, peer: n.ID, send: wire.NewHeartbeatKey(&send), receive: wire.NewHeartbeatKey(&receive), heard: now, since: now}
		}
		if h := w.hosts[n.ID]; h != nil {
			own.address = h.address
		}
		if mine := e.end(w.self); mine.adopted.IsZero() {
			mine.adopted, mine.state = now, wire.EdgeNew
		}
		p.edges[e.id] = own
	}
}

// receive takes in a heartbeat packet. One that is not authentic, or not new,
// changes nothing but a count.
func (w *Watch) receive(now time.Time, b beat) {
	id, err := wire.HeartbeatEdge(b.packet[:])
	if err != nil {
		w.Metrics.dropBeat("malformed")
		return
	}
	own := w.pulse.edges[id]
	if own == nil {
		w.Metrics.dropBeat("stray")
		return
	}
	heartbeat, err := own.receive.Open(b.packet[:])
	switch {
	case err != nil:
		w.Metrics.dropBeat("forged")
		return
	case heartbeat.Counter <= own.highest:
		w.Metrics.dropBeat("replayed")
		return
	}
	own.highest, own.heard, own.since = heartbeat.Counter, now, now
	e := w.edges.byID[id]
	mine := e.end(w.self)
	mine.said, mine.age = now, 0
	was := mine.state
	mine.state = wire.EdgeHeard
	if heartbeat.Flags&wire.Leaving != 0 {
		mine.state = wire.EdgeLeft
	}
	if was != mine.state {
		mine.turned = now
	}
	if own.missed || was != mine.state {
		own.missed = false
		w.say(now, e, w.self)
	}
}

// beatOut sends the relay's own beats when they are due, looks whose did not
// come, and returns when to do so again.
func (w *Watch) beatOut(now time.Time) (next time.Time) {
	p := &w.pulse
	if len(p.edges) == 0 {
		p.next = time.Time{}
		return time.Time{}
	}
	if p.next.IsZero() {
		p.next = now
	}
	if !p.settled.IsZero() && now.After(p.settled) {
		p.patience, p.settled = p.every, time.Time{}
	}
	if now.Before(p.next) {
		return w.missed(now)
	}
	late := now.Sub(p.next)
	p.recent <<= 1
	if late > p.every*lateAfter/2 {
		p.recent |= 1
		p.excuse(now, late)
	}
	if p.next = p.next.Add(p.every); !p.next.After(now) {
		p.next = now.Add(p.every)
	}
	buffer := make([]byte, 0, wire.HeartbeatSize)
	for _, own := range p.edges {
		var flags uint8
		if own.highest > 0 && now.Sub(own.heard) < p.patience*hearsWithin/2 {
			flags = wire.Hears
		}
		own.sent++
		w.Send.Send(own.send.Append(buffer[:0], wire.Heartbeat{Edge: own.id, Counter: own.sent, Health: p.health(), Flags: flags}), own.address)
	}
	return w.missed(now)
}

// excuse takes the time that the relay did not run out of its neighbours' silence.
func (p *pulse) excuse(now time.Time, late time.Duration) {
	for _, own := range p.edges {
		if own.since = own.since.Add(late); own.since.After(now) {
			own.since = now
		}
	}
}

func (p *pulse) health() uint8 { return uint8(bits.OnesCount16(p.recent)) }

// missed notes whose beats are overdue, and returns when to look again.
func (w *Watch) missed(now time.Time) (next time.Time) {
	p := &w.pulse
	next = p.next
	for _, own := range p.edges {
		if own.missed {
			continue
		}
		patience := p.patience * missedAfter / 2
		if own.highest == 0 {
			patience = max(p.patience*newAfter/2, newAtLeast)
		}
		at := own.since.Add(patience)
		if at.After(now) {
			if at.Before(next) {
				next = at
			}
			continue
		}
		own.missed = true
		e := w.edges.byID[own.id]
		mine := e.end(w.self)
		if mine.state == wire.EdgeLeft {
			continue
		}
		mine.state, mine.age, mine.said, mine.late = wire.EdgeMissed, now.Sub(own.heard), now, p.health()
		w.say(now, e, w.self)
	}
	return next
}

// say feeds the engine what an end of an edge says of the other, if it counts by
// now.
func (w *Watch) say(now time.Time, e *edge, by ring.ID) {
	about := e.other(by)
	said := e.end(by)
	switch said.state {
	case wire.EdgeHeard:
		w.step(now, verdict.Hears{By: by, About: about})
	case wire.EdgeMissed, wire.EdgeRefused, wire.EdgeLeft:
		since, ok := e.since()
		if !ok {
			return // whoever adopts the edge has this looked at again
		}
		due := since.Add(w.pulse.patience * missedAfter / 2)
		if said.state == wire.EdgeLeft {
			due = said.turned.Add(goodbyeTime) // its goodbye to the relay says more
		}
		// One that changes its mind all the time would have the relay do nothing but ask.
		if again := said.accused.Add(w.pulse.patience / 2); again.After(due) {
			due = again
		}
		if due.After(now) {
			w.lookLater(check{e.id, by}, due)
			return
		}
		said.accused = now
		// It cannot have been silent for longer than the edge is there, whose end has
		// it at most orderLimit before the relay knows.
		age := min(said.age+now.Sub(said.said), now.Sub(said.adopted)+orderLimit)
		w.step(now, verdict.Missed{By: by, About: about, Age: age, Late: said.late, Refused: said.state == wire.EdgeRefused})
	}
}
