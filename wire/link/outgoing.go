package link

import (
	"slices"
	"time"

	"assimilation/wire"
)

const (
	// maxQueued bounds the encoded messages of one link in bytes, each with
	// messageOverhead.
	maxQueued       = wire.MaxMessage + 1<<20
	messageOverhead = 256
	// smallMessage is the size up to which a message overtakes larger ones.
	smallMessage = 16 * wire.ChunkSize
	// reordering is by how many datagrams an answer may overtake another
	// before the other counts as lost.
	reordering = 3
)

// chunk is the state of one chunk on its way. In flight: datagram is not zero.
type chunk struct {
	datagram uint64 // number of the datagram that carried it last
	sentAt   time.Duration
	tries    uint8
	acked    bool
}

// message is a queued message until its verdict.
type message struct {
	id      uint32
	encoded []byte
	chunks  []chunk // nil until the first is sent
	next    int     // first chunk never sent
	unacked int     // chunks
	through int     // chunks before it are acked
	over    bool    // done or refused

	// Once nothing is unacked: when to ask for the verdict, and how often that
	// was done.
	queryAt time.Time
	queries uint
}

func (m *message) count() int {
	return (len(m.encoded) + wire.ChunkSize - 1) / wire.ChunkSize
}

func (m *message) offset(index int) uint32 {
	return uint32(min(index*wire.ChunkSize, len(m.encoded)))
}

func (m *message) payload(index int) []byte {
	return m.encoded[m.offset(index):m.offset(index+1)]
}

// chunkRef names a chunk as it was when it went into a list; it is outdated
// once the chunk has been acked, or sent in another datagram.
type chunkRef struct {
	m        *message
	index    int
	datagram uint64
}

func (r chunkRef) current() bool {
	return !r.m.over && !r.m.chunks[r.index].acked && r.m.chunks[r.index].datagram == r.datagram
}

// outgoing is the sending half of a link.
type outgoing struct {
	start   time.Time
	nextID  uint32
	live    []*message // unfinished ids within IDWindow, lowest first
	waiting []*message // those beyond
	bytes   int        // queued, with overheads

	sent  uint64 // first transmissions of payload bytes
	limit uint64 // what the peer granted

	flight   []chunkRef // in the order of sending
	lost     []chunkRef // to send again; datagram 0
	inflight int        // bytes
	underway int        // messages of more than one chunk, begun and not wholly acked
	newest   uint64     // highest acknowledged datagram number
	pace     pace

	// While nothing is in flight and the credit is spent: when to ask for more.
	creditAt time.Time
	asked    uint
}

func newOutgoing(now time.Time, random func() float64) outgoing {
	return outgoing{start: now, nextID: 1, limit: wire.InitialCredit, pace: newPace(random)}
}

func (o *outgoing) enqueue(encoded []byte) (uint32, error) {
	switch {
	case len(encoded) > wire.MaxMessage:
		return 0, ErrTooLarge
	case o.bytes+len(encoded)+messageOverhead > maxQueued:
		return 0, ErrQueueFull
	case o.nextID == 0:
		return 0, ErrExhausted
	}
	m := &message{id: o.nextID, encoded: encoded}
	m.unacked = m.count()
	o.nextID++
	o.bytes += len(encoded) + messageOverhead
	o.waiting = append(o.waiting, m)
	o.admit()
	return m.id, nil
}

// admit moves waiting messages into the window of ids.
func (o *outgoing) admit() {
	moved := 0
	for _, m := range o.waiting {
		if len(o.live) > 0 && uint64(m.id) >= uint64(o.live[0].id)+wire.IDWindow {
			break
		}
		o.live = append(o.live, m)
		moved++
	}
	clear(o.waiting[:moved])
	if o.waiting = o.waiting[moved:]; len(o.waiting) == 0 {
		o.waiting = nil
	}
}

func (o *outgoing) find(id uint32) (int, bool) {
	return slices.BinarySearchFunc(o.live, id, func(m *message, id uint32) int {
		return int(int64(m.id) - int64(id))
	})
}

// ack takes in the peer's word on a message and returns what its sender should
// hear, nil where that is nothing.
func (o *outgoing) ack(now time.Time, f frame, stats *Stats) Event {
	at, ok := o.find(f.id)
	if !ok {
		stats.Duplicates++
		return nil
	}
	m := o.live[at]
	switch f.status {
	case done:
		if m.next < m.count() {
			stats.BadAcks++
			return nil
		}
		o.ackChunks(now, m, 0, m.count())
		o.remove(at)
		return Delivered{m.id}
	case refused:
		counted := m.offset(m.next)
		if f.through > counted {
			stats.BadAcks++
			return nil
		}
		o.sent -= uint64(counted - f.through)
		if m.unacked > 0 && m.next > 0 && m.count() > 1 {
			o.underway--
		}
		o.remove(at)
		return Refused{m.id, f.reason}
	}
	end := f.through
	if n := len(f.ranges); n > 0 {
		end = f.ranges[n-1].end
	}
	if end > m.offset(m.next) {
		stats.BadAcks++
		return nil
	}
	through := m.chunksBefore(f.through)
	o.ackChunks(now, m, m.through, through)
	m.through = max(m.through, through)
	for _, r := range f.ranges {
		first := int(r.start+wire.ChunkSize-1) / wire.ChunkSize
		o.ackChunks(now, m, first, m.chunksBefore(r.end))
	}
	if m.unacked == 0 {
		m.queryAt = now.Add(o.queryDelay(m.queries))
	}
	return nil
}

// chunksBefore is how many chunks lie wholly before the offset.
func (m *message) chunksBefore(offset uint32) int {
	if int(offset) >= len(m.encoded) {
		return m.count()
	}
	return int(offset / wire.ChunkSize)
}

func (o *outgoing) ackChunks(now time.Time, m *message, first, end int) {
	for i := first; i < end; i++ {
		c := &m.chunks[i]
		if c.acked {
			continue
		}
		size := len(m.payload(i))
		c.acked = true
		m.unacked--
		if m.unacked == 0 && m.count() > 1 {
			o.underway--
		}
		o.pace.acked(size, o.inflight)
		if c.datagram == 0 {
			continue
		}
		if c.tries == 1 {
			o.pace.sample(now.Sub(o.start) - c.sentAt)
		}
		o.newest = max(o.newest, c.datagram)
		o.inflight -= size
	}
}

// remove ends the message at this place of live.
func (o *outgoing) remove(at int) {
	m := o.live[at]
	for i := range m.chunks {
		if c := &m.chunks[i]; !c.acked && c.datagram != 0 {
			o.inflight -= len(m.payload(i))
		}
	}
	m.over = true
	o.bytes -= len(m.encoded) + messageOverhead
	m.encoded, m.chunks = nil, nil
	if o.live = slices.Delete(o.live, at, at+1); len(o.live) == 0 {
		o.live = nil
	}
	o.admit()
}

// granted takes in a CREDIT.
func (o *outgoing) granted(limit uint64) {
	if limit > o.limit {
		o.limit = limit
		o.creditAt, o.asked = time.Time{}, 0
	}
}

// detectLoss moves chunks to the lost: those that later datagrams overtook,
// and after a time-out all that are older than it. last is the number of the
// newest datagram.
func (o *outgoing) detectLoss(now time.Time, last uint64) {
	deadline := now.Sub(o.start) - o.pace.rto()
	timeout := false
	for len(o.flight) > 0 {
		r := o.flight[0]
		if r.current() {
			overtaken := r.datagram+reordering <= o.newest
			late := r.m.chunks[r.index].sentAt <= deadline
			if !overtaken && !late {
				break
			}
			if overtaken {
				o.pace.lost(r.datagram, last)
			} else {
				timeout = true
			}
			r.m.chunks[r.index].datagram = 0
			o.inflight -= len(r.m.payload(r.index))
			o.lost = append(o.lost, chunkRef{m: r.m, index: r.index})
		}
		o.flight = o.flight[1:]
	}
	if len(o.flight) == 0 {
		o.flight = nil
	}
	if timeout {
		o.pace.silent(last)
	}
}

func (o *outgoing) queryDelay(queries uint) time.Duration {
	return min(wire.QueryAfter<<min(queries, maxBackoff), wire.MaxRTO)
}
