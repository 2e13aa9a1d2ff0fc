package wire

// Enrolled answers Enrol. A refusal is not a message: the relay refuses the
// Enrol message itself, with a Reason.
type Enrolled struct {
	Host []byte `cbor:"1,keyasint"` // IDSize bytes
}

func (*Enrolled) messageType() MessageType { return TypeEnrolled }

func (m *Enrolled) check() error { return checkSize("host id", m.Host, IDSize) }
