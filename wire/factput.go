package wire

// FactPut uploads one fact. Its acknowledgement says: durable at the relay.
type FactPut struct {
	Digest
	Body []byte `cbor:"5,keyasint"` // canonical JSON
	// ObservedAt is the probe's wall clock, Unix ms.
	ObservedAt int64 `cbor:"6,keyasint"`
}

func (*FactPut) messageType() MessageType { return TypeFactPut }

func (m *FactPut) check() error {
	switch {
	case len(m.Body) == 0:
		return refuse(Malformed, "fact without a body")
	case len(m.Body) > MaxBody:
		return refuse(TooLarge, "body of %d bytes, at most %d", len(m.Body), MaxBody)
	}
	return firstError(m.Digest.check(), checkTime("time of observation", m.ObservedAt))
}
