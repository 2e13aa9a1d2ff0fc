package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"assimilation/tenancy"
)

// owner is the relay to which a key belongs: that with the highest score for it.
// When a relay goes, its keys go to all others and no other key moves. The zero
// id: there are no relays.
func owner(key []byte, relays []tenancy.RelayID) (best tenancy.RelayID) {
	var highest uint64
	for _, r := range relays {
		s := score(key, r)
		if best.IsZero() || s > highest || s == highest && bytes.Compare(r.UUID[:], best.UUID[:]) > 0 {
			best, highest = r, s
		}
	}
	return best
}

func score(key []byte, relay tenancy.RelayID) uint64 {
	h := sha256.New()
	h.Write(relay.UUID[:])
	h.Write(key)
	return binary.BigEndian.Uint64(h.Sum(nil))
}
