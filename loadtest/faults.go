package loadtest

import (
	"math/rand/v2"
	"net/netip"
)

// Faults are what the network does to datagrams, each in percent, the same in
// both directions. The choice is made by a seed, so a run can be repeated as
// far as time allows.
type Faults struct {
	Loss, Duplicate, Reorder float64
}

// faulty passes datagrams on as a bad network does. One that is reordered
// waits until a few others have passed.
type faulty struct {
	Faults
	random *rand.Rand
	pass   func(datagram []byte, peer netip.AddrPort)
	held   []held
}

type held struct {
	datagram []byte
	peer     netip.AddrPort
	after    int // datagrams
}

func (f *faulty) happens(percent float64) bool {
	return percent > 0 && f.random.Float64()*100 < percent
}

func (f *faulty) carry(datagram []byte, peer netip.AddrPort) {
	switch {
	case f.happens(f.Loss):
	case f.happens(f.Reorder):
		f.held = append(f.held, held{datagram, peer, 1 + f.random.IntN(8)})
	default:
		f.pass(datagram, peer)
		if f.happens(f.Duplicate) {
			f.pass(datagram, peer)
		}
	}
	kept := f.held[:0]
	for _, h := range f.held {
		if h.after--; h.after > 0 {
			kept = append(kept, h)
			continue
		}
		f.pass(h.datagram, h.peer)
	}
	f.held = kept
}
