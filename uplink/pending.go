package uplink

import "assimilation/wire"

// Pending is a probe that announces itself at a relay and is not enrolled there: it
// has no token, or one that is refused.
type Pending struct {
	Fingerprint []byte      `cbor:"1,keyasint"` // SHA-256 of its key
	Address     string      `cbor:"2,keyasint"` // where it is heard from
	Reason      wire.Reason `cbor:"3,keyasint,omitempty"`
	First       int64       `cbor:"4,keyasint"` // milliseconds
	Last        int64       `cbor:"5,keyasint"`
}

func checkPending(list []Pending) error {
	if len(list) > MaxPending {
		return refuse(wire.TooLarge, "too many pending probes")
	}
	for _, p := range list {
		switch {
		case len(p.Fingerprint) != HashSize || !shortText(p.Address, MaxName):
			return malformed("impossible fingerprint or address of a pending probe")
		case p.First <= 0 || p.Last < p.First || p.Last > maxTime:
			return malformed("impossible time of a pending probe")
		}
	}
	return nil
}
