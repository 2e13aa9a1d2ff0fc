package wire

// EdgeState is what a probe knows of a neighbour by its heartbeats.
type EdgeState uint8

// The states.
const (
	EdgeNew    EdgeState = 1 // nothing came yet, and none was due
	EdgeHeard  EdgeState = 2
	EdgeMissed EdgeState = 3 // two beats and a half passed without one
	// EdgeRefused: the neighbour's host answered that nobody listens at the port
	// (ICMP port unreachable): the host lives, its probe does not.
	EdgeRefused EdgeState = 4
	EdgeLeft    EdgeState = 5 // the neighbour said that it leaves
)

var edgeStateNames = [...]string{"", "new", "heard", "missed", "refused", "left"}

// String is the state as people are shown it.
func (s EdgeState) String() string {
	if s == 0 || int(s) >= len(edgeStateNames) {
		return "unknown"
	}
	return edgeStateNames[s]
}

// Report tells how a probe's neighbours are, all of them, each time one of them
// changes its state; and what else cannot wait for a fact.
type Report struct {
	Revision uint64       `cbor:"1,keyasint"` // of this session's newest Ring; 0: none came yet
	Edges    []EdgeReport `cbor:"2,keyasint,omitempty"`
	// Health is how many of the probe's own last 16 beats were late: its word
	// about others counts less for it (Lifeguard, arXiv 1707.00788).
	Health uint8 `cbor:"3,keyasint,omitempty"`
	// Stepped is by how many milliseconds the wall clock jumped since the last
	// report, by the monotonic clock.
	Stepped int64 `cbor:"4,keyasint,omitempty"`
	// Heartbeats that were dropped since the probe's start, by cause.
	Forged   uint64 `cbor:"5,keyasint,omitempty"` // the MAC was not right
	Replayed uint64 `cbor:"6,keyasint,omitempty"` // the counter was not new
	Stray    uint64 `cbor:"7,keyasint,omitempty"` // no such edge; a few are usual after a change
	Time     int64  `cbor:"8,keyasint"`
}

// EdgeReport is how one neighbour is.
type EdgeReport struct {
	ID    uint32    `cbor:"1,keyasint"`
	State EdgeState `cbor:"2,keyasint"`
	Age   int64     `cbor:"3,keyasint,omitempty"` // milliseconds since its last beat came, or since the edge began
	Lost  uint64    `cbor:"4,keyasint,omitempty"` // counters that never came
}

func (*Report) messageType() MessageType { return TypeReport }

func (m *Report) check() error {
	if len(m.Edges) > MaxEdges {
		return refuse(TooLarge, "%d edges, at most %d", len(m.Edges), MaxEdges)
	}
	for _, e := range m.Edges {
		if e.State < EdgeNew || e.State > EdgeLeft || e.Age < 0 || e.Age > MaxTime {
			return refuse(Malformed, "state %d or age %d of an edge", e.State, e.Age)
		}
	}
	if m.Stepped < -MaxTime || m.Stepped > MaxTime {
		return refuse(Malformed, "clock step of %d ms", m.Stepped)
	}
	return checkTime("time", m.Time)
}
