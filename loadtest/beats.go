package loadtest

import (
	"net/netip"
	"slices"
	"time"

	"assimilation/wire"
)

// neighbour is one end of an edge, as a probe has it.
type neighbour struct {
	edge          wire.Edge
	send, receive *wire.HeartbeatKey
	to            netip.AddrPort
	sent, highest uint64
	heard         time.Time
	state         wire.EdgeState
}

// Silence that a probe reports, in halves of the beat.
const (
	missedAfter = 5
	newAtLeast  = 5 * time.Second
)

// adopt takes the neighbours that the relay orders. Edges go on over sessions.
func (p *probe) adopt(now time.Time, ring *wire.Ring) {
	p.forgetEdges()
	old := p.neighbours
	p.neighbours, p.ring = nil, ring
	for _, e := range ring.Edges {
		n := &neighbour{heard: now, state: wire.EdgeNew}
		if i := slices.IndexFunc(old, func(o *neighbour) bool { return o.edge.ID == e.ID }); i >= 0 {
			n = old[i]
		}
		n.edge, n.to = e, p.lane.relay
		n.send, n.receive = wire.NewHeartbeatKey((*[32]byte)(e.Send)), wire.NewHeartbeatKey((*[32]byte)(e.Receive))
		if a, ok := wire.ParseAddress(e.Address); ok {
			n.to = a
		}
		p.neighbours = append(p.neighbours, n)
		p.lane.byEdge[e.ID] = append(p.lane.byEdge[e.ID], p)
	}
	if p.beatAt.IsZero() {
		p.beatAt = now.Add(time.Duration(p.lane.random.Float64() * float64(p.beat())))
	}
}

func (p *probe) forgetEdges() {
	for _, n := range p.neighbours {
		left := slices.DeleteFunc(p.lane.byEdge[n.edge.ID], func(o *probe) bool { return o == p })
		if len(left) == 0 {
			delete(p.lane.byEdge, n.edge.ID)
		} else {
			p.lane.byEdge[n.edge.ID] = left
		}
	}
}

func (p *probe) beat() time.Duration { return time.Duration(p.ring.Beat) * time.Millisecond }

// hear takes a heartbeat in. Both ends of an edge may share a lane: the key says
// whose it is.
func (l *lane) hear(now time.Time, packet []byte) {
	id, err := wire.HeartbeatEdge(packet)
	if err != nil {
		return
	}
	for _, p := range l.byEdge[id] {
		for _, n := range p.neighbours {
			if n.edge.ID != id {
				continue
			}
			if b, err := n.receive.Open(packet); err == nil && b.Counter > n.highest {
				n.highest, n.heard = b.Counter, now
			}
		}
	}
}

// pulse sends the beats that are due, and reports neighbours whose state has
// changed. It returns when to do so again; zero: it has none.
func (p *probe) pulse(now time.Time) time.Time {
	if len(p.neighbours) == 0 {
		return time.Time{}
	}
	if now.Before(p.beatAt) {
		return p.beatAt
	}
	if p.beatAt = p.beatAt.Add(p.beat()); !p.beatAt.After(now) {
		p.beatAt = now.Add(p.beat())
	}
	changed := false
	for _, n := range p.neighbours {
		n.sent++
		p.count.Beats.Add(1)
		p.lane.out.carry(n.send.Append(nil, wire.Heartbeat{Edge: n.edge.ID, Counter: n.sent}), n.to)
		state := wire.EdgeNew
		switch silence := now.Sub(n.heard); {
		case n.highest > 0 && silence < p.beat()*missedAfter/2:
			state = wire.EdgeHeard
		case n.highest > 0 || silence > newAtLeast:
			state = wire.EdgeMissed
		}
		changed = changed || n.state != state
		n.state = state
	}
	if changed {
		p.report(now)
	}
	return p.beatAt
}

func (p *probe) report(now time.Time) {
	r := &wire.Report{Revision: p.ring.Revision, Time: now.UnixMilli()}
	for _, n := range p.neighbours {
		r.Edges = append(r.Edges, wire.EdgeReport{ID: n.edge.ID, State: n.state, Age: now.Sub(n.heard).Milliseconds()})
	}
	if _, err := p.link.Send(now, r); err == nil { // else its queue is full: the next change is told
		p.count.Reports.Add(1)
	}
}
