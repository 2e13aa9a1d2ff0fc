package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// MaxEdges is how many neighbours a probe may have: two of its switch's ring,
// two more where it represents that in the next, and as many again while a
// relay takes over from another.
const MaxEdges = 8

// The beat that a relay may order.
const (
	MinBeat = 500 * time.Millisecond
	MaxBeat = 10 * time.Second
)

// Ring is the whole of what a relay wants of a probe's heartbeats: what it named
// before and does not name now ends. An edge that stays keeps its counters. Edges
// of an earlier session, which may be another relay's, are beaten on for 10 s and
// reported no more, so that nobody misses a probe that changes its relay.
type Ring struct {
	// Revision rises with every Ring of a session; an older one that comes late
	// is acknowledged and changes nothing.
	Revision uint64 `cbor:"1,keyasint"`
	Beat     int64  `cbor:"2,keyasint"` // milliseconds
	Edges    []Edge `cbor:"3,keyasint,omitempty"`
}

// Edge is one neighbour.
type Edge struct {
	ID   uint32 `cbor:"1,keyasint"`
	Peer []byte `cbor:"2,keyasint"` // IDSize bytes: a host, or the relay itself
	// Address is where the neighbour is: 4 or 16 bytes and the port (2). Empty:
	// where this session's relay is.
	Address []byte `cbor:"3,keyasint,omitempty"`
	Send    []byte `cbor:"4,keyasint"` // 32 bytes: key of what the probe sends
	Receive []byte `cbor:"5,keyasint"` // 32 bytes: key of what the neighbour sends
}

func (*Ring) messageType() MessageType { return TypeRing }

func (m *Ring) check() error {
	if m.Beat < MinBeat.Milliseconds() || m.Beat > MaxBeat.Milliseconds() {
		return refuse(Malformed, "beat of %d ms", m.Beat)
	}
	if len(m.Edges) > MaxEdges {
		return refuse(TooLarge, "%d edges, at most %d", len(m.Edges), MaxEdges)
	}
	for i, e := range m.Edges {
		if _, ok := ParseAddress(e.Address); !ok && len(e.Address) != 0 {
			return refuse(Malformed, "address of %d bytes, or port 0", len(e.Address))
		}
		for _, other := range m.Edges[:i] {
			if other.ID == e.ID {
				return refuse(Malformed, "edge %d twice", e.ID)
			}
		}
		err := firstError(checkSize("peer", e.Peer, IDSize), checkSize("send key", e.Send, 32), checkSize("receive key", e.Receive, 32))
		if err != nil {
			return err
		}
	}
	return nil
}

// AppendAddress appends an address and port as messages carry them.
func AppendAddress(dst []byte, a netip.AddrPort) []byte {
	dst = append(dst, a.Addr().Unmap().AsSlice()...)
	return binary.BigEndian.AppendUint16(dst, a.Port())
}

// ParseAddress reads what AppendAddress wrote; false: it is none.
func ParseAddress(b []byte) (netip.AddrPort, bool) {
	if len(b) < 2 {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(b[:len(b)-2])
	port := binary.BigEndian.Uint16(b[len(b)-2:])
	return netip.AddrPortFrom(ip.Unmap(), port), ok && port != 0
}

// Redirect sends a probe to another relay of its site, which takes it on. The
// probe ends this session when it has one there.
type Redirect struct {
	Address     []byte `cbor:"1,keyasint"` // as of an Edge
	Certificate []byte `cbor:"2,keyasint"` // CertificateSize bytes
}

func (*Redirect) messageType() MessageType { return TypeRedirect }

func (m *Redirect) check() error {
	if _, ok := ParseAddress(m.Address); !ok {
		return refuse(Malformed, "address of %d bytes, or port 0", len(m.Address))
	}
	return checkSize("certificate", m.Certificate, CertificateSize)
}
