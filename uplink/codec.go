package uplink

import (
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// encMode is CBOR in its core deterministic form (RFC 8949, 4.2.1): a record
// has one encoding, so its place in the chain does not depend on who encoded it.
var encMode = sync.OnceValue(func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // constant options: a mistake of ours
	}
	return mode
})

// decMode takes no tags, no indefinite lengths, no duplicate keys, no invalid
// UTF-8, and nothing deeper than the messages are. Unknown keys are ignored,
// so a new optional field needs no new version.
var decMode = sync.OnceValue(func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  8,
		MaxArrayElements: MaxTokens,
		MaxMapPairs:      256,
		BignumTag:        cbor.BignumTagForbidden,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
})

// checked is what travels inside envelopes.
type checked interface{ Check() error }

// encode refuses to make what decode would refuse to take.
func encode[T checked](v T) ([]byte, error) {
	if err := v.Check(); err != nil {
		return nil, err
	}
	return encMode().Marshal(v)
}

func decode[T checked](b []byte) (T, error) {
	var v, zero T
	if err := decMode().Unmarshal(b, &v); err != nil {
		return zero, malformed("not the CBOR of a %T", v)
	}
	if err := v.Check(); err != nil {
		return zero, err
	}
	return v, nil
}
