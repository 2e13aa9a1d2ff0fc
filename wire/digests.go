package wire

// Digests lists everything the probe holds now. What the relay holds and the
// list lacks is gone, for the kinds in Kinds only: a kind whose first
// collection has not ended yet is not in it.
type Digests struct {
	Kinds []string `cbor:"1,keyasint"`
	Facts []Digest `cbor:"2,keyasint"`
}

// Digest names one fact by content.
type Digest struct {
	Kind     string `cbor:"1,keyasint"`
	Instance string `cbor:"2,keyasint"`
	Hash     []byte `cbor:"3,keyasint"` // 32 bytes
	Version  uint8  `cbor:"4,keyasint"` // schema version
}

func (*Digests) messageType() MessageType { return TypeDigests }

func (m *Digests) check() error {
	return firstError(checkKinds(m.Kinds), checkDigests(m.Facts))
}

func (d *Digest) check() error {
	if d.Version == 0 {
		return refuse(Malformed, "schema version 0")
	}
	return firstError(
		checkKind(d.Kind),
		checkText("instance", d.Instance, MaxInstance),
		checkSize("hash", d.Hash, HashSize),
	)
}

func checkDigests(facts []Digest) error {
	if len(facts) > MaxFacts {
		return refuse(TooLarge, "%d digests, at most %d", len(facts), MaxFacts)
	}
	for i := range facts {
		if err := facts[i].check(); err != nil {
			return err
		}
	}
	return nil
}
