package link

import (
	"slices"
	"time"

	"assimilation/wire"
)

// ackEvery is after how many chunks of one message an ACK does not wait for
// AckDelay.
const ackEvery = 8

// incoming is the receiving half of a link. Ids from floor on wait for their
// verdict; those of the window before it are remembered, so that a lost final
// ACK can be repeated; older ones the peer must know about, or it could not
// have sent ids this high.
type incoming struct {
	floor   uint32                     // lowest id without a verdict
	final   [wire.IDWindow / 64]uint64 // ids in [floor, floor+IDWindow) with one
	refused map[uint32]refusal         // ids in [floor-IDWindow, floor+IDWindow)
	partial map[uint32]*partial        // incomplete, of more than one chunk
	open    map[uint32]openMessage     // complete, without a verdict
	acks    map[uint32]time.Time       // when to acknowledge at the latest

	received  uint64 // distinct payload bytes that count against the credit
	granted   uint64
	queried   bool // the peer wants to hear the credit
	held      int  // bytes of partial and open
	openBytes int  // decompressed bytes of open

	// A metered link grants what its owner says; see Link.Meter.
	metered bool
	wanted  map[uint32]uint32 // totals of messages that the peer asks credit for, and has not begun
	tellAt  time.Time         // when to repeat a grant that brought nothing; zero: not
	told    uint              // repetitions

	restricted wire.Reason // why messages beyond wire.MaxSmall are refused; Accepted: they are not
}

type refusal struct {
	reason  wire.Reason
	counted uint32 // bytes in received
}

type openMessage struct {
	size    uint32 // as it travelled
	decoded int    // decompressed
}

func newIncoming() incoming { return incoming{floor: 1, granted: wire.InitialCredit} }

// put writes to a map that is nil while it is empty, so that a quiet link, of
// which a relay holds 100,000, costs next to nothing.
func put[V any](m *map[uint32]V, id uint32, v V) {
	if *m == nil {
		*m = map[uint32]V{}
	}
	(*m)[id] = v
}

func drop[V any](m *map[uint32]V, id uint32) {
	delete(*m, id)
	if len(*m) == 0 {
		*m = nil
	}
}

type idState int

const (
	idStale  idState = iota // so old that the peer knows its end
	idFinal                 // done or refused
	idLive                  // fresh, incomplete, or without a verdict
	idBeyond                // the peer runs ahead of the window
)

func (in *incoming) state(id uint32) idState {
	switch {
	case uint64(id)+wire.IDWindow < uint64(in.floor):
		return idStale
	case id < in.floor:
		return idFinal
	case uint64(id) >= uint64(in.floor)+wire.IDWindow:
		return idBeyond
	case in.final[id%wire.IDWindow/64]&(1<<(id%64)) != 0:
		return idFinal
	}
	return idLive
}

// data takes in one chunk and returns the whole message when it was the last
// one missing.
func (in *incoming) data(now time.Time, f frame, stats *Stats) (encoded []byte, complete bool) {
	switch in.state(f.id) {
	case idStale:
		stats.Duplicates++
		return nil, false
	case idBeyond:
		stats.Overruns++
		return nil, false
	case idFinal:
		in.ack(f.id, now)
		in.queried = in.queried || len(f.payload) == 0
		stats.Duplicates++
		return nil, false
	}
	if len(f.payload) == 0 {
		in.ack(f.id, now)
		in.queried = true
		in.want(f.id, f.total)
		return nil, false
	}
	if _, ok := in.open[f.id]; ok {
		in.ack(f.id, now)
		stats.Duplicates++
		return nil, false
	}
	p := in.partial[f.id]
	n := uint32(len(f.payload))
	switch {
	case f.total > wire.MaxMessage:
		in.refuseChunk(now, f.id, wire.TooLarge, stats)
		return nil, false
	case f.total > wire.MaxSmall && in.restricted != wire.Accepted:
		in.refuseChunk(now, f.id, in.restricted, stats)
		return nil, false
	case f.offset%wire.ChunkSize != 0, n != min(wire.ChunkSize, f.total-f.offset), p != nil && p.total != f.total:
		in.refuseChunk(now, f.id, wire.Malformed, stats)
		return nil, false
	case p != nil && p.has(f.offset):
		in.ack(f.id, now)
		stats.Duplicates++
		return nil, false
	case in.received+uint64(n) > in.granted, p == nil && f.total > wire.ChunkSize && len(in.partial) >= wire.MaxIncomplete:
		stats.Overruns++
		in.refuseChunk(now, f.id, wire.Busy, stats)
		return nil, false
	}
	in.received += uint64(n)
	in.held += int(n)
	in.tellAt = time.Time{}
	drop(&in.wanted, f.id)
	if f.total <= wire.ChunkSize {
		put(&in.open, f.id, openMessage{size: n})
		in.ack(f.id, now.Add(wire.AckDelay))
		return f.payload, true
	}
	if p == nil {
		p = newPartial(f.total)
		put(&in.partial, f.id, p)
	}
	p.add(f.offset, f.payload)
	if p.bytes < p.total {
		in.ack(f.id, p.ackAt(now))
		return nil, false
	}
	drop(&in.partial, f.id)
	put(&in.open, f.id, openMessage{size: p.total})
	in.ack(f.id, now.Add(wire.AckDelay))
	return p.assemble(), true
}

// ack asks for an ACK at the time, or earlier if one was asked for before.
func (in *incoming) ack(id uint32, at time.Time) {
	if was, ok := in.acks[id]; !ok || at.Before(was) {
		put(&in.acks, id, at)
	}
}

// refuseChunk ends a message that is still arriving.
func (in *incoming) refuseChunk(now time.Time, id uint32, reason wire.Reason, stats *Stats) {
	stats.RefusedMessages++
	var counted uint32
	if p := in.partial[id]; p != nil {
		counted = p.bytes
		in.held -= int(p.bytes)
		drop(&in.partial, id)
	}
	put(&in.refused, id, refusal{reason, counted})
	in.finish(now, id)
}

// decoded notes what an open message costs and reports whether there is room.
func (in *incoming) decoded(id uint32, size int) bool {
	if in.openBytes+size > wire.MaxOpen {
		return false
	}
	m := in.open[id]
	m.decoded = size
	put(&in.open, id, m)
	in.openBytes += size
	return true
}

// verdict ends an open message; others are left alone.
func (in *incoming) verdict(now time.Time, id uint32, reason wire.Reason) {
	m, ok := in.open[id]
	if !ok {
		return
	}
	drop(&in.open, id)
	in.held -= int(m.size)
	in.openBytes -= m.decoded
	if reason != wire.Accepted {
		put(&in.refused, id, refusal{reason, m.size})
	}
	in.finish(now, id)
}

func (in *incoming) finish(now time.Time, id uint32) {
	drop(&in.wanted, id)
	in.final[id%wire.IDWindow/64] |= 1 << (id % 64)
	for in.final[in.floor%wire.IDWindow/64]&(1<<(in.floor%64)) != 0 {
		in.final[in.floor%wire.IDWindow/64] &^= 1 << (in.floor % 64)
		if in.floor > wire.IDWindow {
			drop(&in.refused, in.floor-wire.IDWindow)
		}
		in.floor++
	}
	in.ack(id, now)
}

// dueAcks takes the ACKs that must go now, lowest id first.
func (in *incoming) dueAcks(now time.Time) []frame {
	var due []uint32
	for id, at := range in.acks {
		if !at.After(now) {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	frames := make([]frame, 0, len(due))
	for _, id := range due {
		drop(&in.acks, id)
		frames = append(frames, in.ackFrame(id))
	}
	return frames
}

func (in *incoming) ackFrame(id uint32) frame {
	f := frame{kind: frameAck, id: id, status: receiving}
	if in.state(id) != idLive {
		f.status = done
		if r, ok := in.refused[id]; ok {
			f.status, f.reason, f.through = refused, r.reason, r.counted
		}
		return f
	}
	if m, ok := in.open[id]; ok {
		f.through = m.size
	} else if p := in.partial[id]; p != nil {
		p.sinceAck = 0
		f.through, f.ranges = p.ranges()
	}
	return f
}

// credit returns the limit to tell the peer, and whether to tell it now: when
// it asked, or before it has to stop. Limits never fall: what was granted may
// be on its way.
func (in *incoming) credit(now time.Time) (limit uint64, due bool) {
	window := wire.CreditWindow
	if in.metered {
		window = max(0, wire.InitialCredit-in.held)
	}
	target := max(in.granted, in.received+uint64(max(0, min(window, wire.MaxHeld-in.held))))
	left, more := in.granted-in.received, target-in.granted
	due = in.queried || more > 0 && in.received > 0 &&
		(left < uint64(window)/8 || left < uint64(window)/2 && more >= uint64(window)/4)
	if !in.tellAt.IsZero() && !now.Before(in.tellAt) {
		due = true
		in.told++
		in.tellAt = now.Add(wire.InitialRTO << in.told)
		if in.told == maxTold {
			in.tellAt = time.Time{} // the peer asks by itself
		}
	}
	if due {
		in.granted, in.queried = target, false
	}
	return target, due
}

// wake is when the next ACK or repeated grant is due; zero: none.
func (in *incoming) wake() (wake time.Time) {
	wake = in.tellAt
	for _, at := range in.acks {
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	return wake
}
