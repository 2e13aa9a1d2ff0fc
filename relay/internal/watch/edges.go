package watch

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/wire"
)

// edges are those of all rings.
type edges struct {
	self   ring.ID
	secret [32]byte
	byPair map[pair]*edge
	byID   map[uint32]*edge
}

// pair names two neighbours, the lower first.
type pair [2]ring.ID

func pairOf(a, b ring.ID) pair {
	if string(b[:]) < string(a[:]) {
		a, b = b, a
	}
	return pair{a, b}
}

// edge is between two neighbours.
type edge struct {
	id   uint32
	pair pair
	ends [2]end
}

// end is what one end of an edge does and says.
type end struct {
	// adopted is since when it has the edge, and knows where the other is; zero: it
	// may not.
	adopted time.Time
	state   wire.EdgeState // of the other, as it has said
	turned  time.Time      // since when it says so
	age     time.Duration  // since it heard the other, when it said so
	said    time.Time
	accused time.Time // when the engine last heard that it misses the other
	late    uint8     // of its own last 16 beats
	lost    uint64
}

func newEdges(self ring.ID) edges {
	e := edges{self: self, byPair: map[pair]*edge{}, byID: map[uint32]*edge{}}
	rand.Read(e.secret[:]) // never fails since Go 1.24
	return e
}

func (e *edge) index(id ring.ID) int {
	if e.pair[0] == id {
		return 0
	}
	return 1
}

func (e *edge) end(id ring.ID) *end { return &e.ends[e.index(id)] }

func (e *edge) other(id ring.ID) ring.ID { return e.pair[1-e.index(id)] }

// since is from when what its ends say counts; false: not yet.
func (e *edge) since() (time.Time, bool) {
	a, b := e.ends[0].adopted, e.ends[1].adopted
	if a.IsZero() || b.IsZero() {
		return time.Time{}, false
	}
	if b.After(a) {
		a = b
	}
	return a, true
}

func (s *edges) get(a, b ring.ID) *edge { return s.byPair[pairOf(a, b)] }

// need returns the edge of two neighbours, which it draws if there is none.
func (s *edges) need(a, b ring.ID) *edge {
	p := pairOf(a, b)
	if e := s.byPair[p]; e != nil {
		return e
	}
	e := &edge{id: s.freeID(), pair: p}
	s.byPair[p], s.byID[e.id] = e, e
	return e
}

func (s *edges) freeID() uint32 {
	for {
		var b [4]byte
		rand.Read(b[:])
		if id := binary.BigEndian.Uint32(b[:]); id != 0 && s.byID[id] == nil {
			return id
		}
	}
}

// end forgets the edge of two that are no neighbours any more.
func (s *edges) end(a, b ring.ID) {
	if e := s.get(a, b); e != nil {
		delete(s.byPair, e.pair)
		delete(s.byID, e.id)
	}
}

// renew draws an edge anew.
func (s *edges) renew(a, b ring.ID) {
	s.end(a, b)
	s.need(a, b)
}

// keys are those by which from sends and receives.
func (s *edges) keys(e *edge, from ring.ID) (send, receive [32]byte) {
	to := e.other(from)
	return wire.EdgeKey(&s.secret, e.id, from, to), wire.EdgeKey(&s.secret, e.id, to, from)
}
