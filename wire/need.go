package wire

// Need answers Digests and names the facts whose bodies the relay lacks.
type Need struct {
	Facts []Digest `cbor:"1,keyasint"`
}

func (*Need) messageType() MessageType { return TypeNeed }

func (m *Need) check() error { return checkDigests(m.Facts) }
