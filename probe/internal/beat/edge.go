package beat

import (
	"net/netip"
	"time"

	"assimilation/wire"
)

// edge is what is known of one neighbour.
type edge struct {
	id            uint32
	peer          [wire.IDSize]byte
	address       netip.AddrPort
	relay         bool     // it is the relay of the session
	keys          [64]byte // both, to know the edge by
	send, receive *wire.HeartbeatKey

	state   wire.EdgeState
	sent    uint64    // counter of the last beat that was sent
	highest uint64    // counter of the last that came
	lost    uint64    // counters between two that came
	heard   time.Time // when that was, or when the edge began
	since   time.Time // the same, less what the probe itself slept since
	refused time.Time // the last port unreachable after that; zero: none
	health  uint8     // the neighbour's
	until   time.Time // when it ends, being of an earlier session; zero: it does not
}

func newEdge(ordered wire.Edge, relay netip.AddrPort, now time.Time) *edge {
	e := &edge{
		id: ordered.ID, peer: [wire.IDSize]byte(ordered.Peer),
		send: wire.NewHeartbeatKey((*[32]byte)(ordered.Send)), receive: wire.NewHeartbeatKey((*[32]byte)(ordered.Receive)),
		state: wire.EdgeNew, heard: now, since: now,
	}
	copy(e.keys[copy(e.keys[:], ordered.Send):], ordered.Receive)
	var ok bool
	if e.address, ok = wire.ParseAddress(ordered.Address); !ok {
		e.address, e.relay = relay, true
	}
	return e
}

// same reports whether the counters of e go on in an edge that was ordered.
func (e *edge) same(ordered *edge) bool { return e.id == ordered.id && e.keys == ordered.keys }

// beat makes the next beat in a buffer.
func (e *edge) beat(now time.Time, buffer []byte, interval time.Duration, flags, health uint8) []byte {
	e.sent++
	if e.highest > 0 && now.Sub(e.heard) < halves(hearsWithin, interval) {
		flags |= wire.Hears
	}
	return e.send.Append(buffer[:0], wire.Heartbeat{Edge: e.id, Counter: e.sent, Health: health, Flags: flags})
}

// hear takes a beat that is authentic and new, and reports whether the state has
// changed.
func (e *edge) hear(now time.Time, b wire.Heartbeat) bool {
	if e.highest > 0 {
		e.lost += b.Counter - e.highest - 1
	}
	e.highest, e.health = b.Counter, b.Health
	e.heard, e.since, e.refused = now, now, time.Time{}
	if b.Flags&wire.Leaving != 0 {
		return e.become(wire.EdgeLeft)
	}
	return e.become(wire.EdgeHeard)
}

// excuse takes the time that the probe did not run out of the neighbour's silence;
// frozen: all of it.
func (e *edge) excuse(now time.Time, late time.Duration, frozen bool) {
	if e.since = e.since.Add(late); frozen || e.since.After(now) {
		e.since = now
	}
	if !e.refused.IsZero() {
		e.refused = e.since
	}
}

func (e *edge) become(s wire.EdgeState) bool {
	changed := e.state != s
	e.state = s
	return changed
}

// deadline is when silence alone, or with a refusal, changes the state; zero:
// never.
func (e *edge) deadline(interval time.Duration) time.Time {
	switch e.state {
	case wire.EdgeNew, wire.EdgeHeard:
		if !e.refused.IsZero() {
			return e.since.Add(halves(overdueAfter, interval))
		}
		if e.state == wire.EdgeNew {
			return e.since.Add(max(halves(newAfter, interval), newAtLeast))
		}
		return e.since.Add(halves(missedAfter, interval))
	case wire.EdgeMissed:
		return e.refused // at once; zero: none came
	case wire.EdgeRefused:
		return e.refused.Add(halves(refusedFor, interval))
	}
	return time.Time{}
}

// judge changes the state if its time has come, and reports whether it did.
func (e *edge) judge(now time.Time, interval time.Duration) bool {
	at := e.deadline(interval)
	switch {
	case at.IsZero() || now.Before(at):
		return false
	case e.state == wire.EdgeRefused:
		e.refused = time.Time{}
		return e.become(wire.EdgeMissed)
	case !e.refused.IsZero():
		return e.become(wire.EdgeRefused)
	}
	return e.become(wire.EdgeMissed)
}
