package wire

// Configure answers Hello.
type Configure struct {
	Host         []byte   `cbor:"1,keyasint"` // IDSize bytes
	Term         uint64   `cbor:"2,keyasint"`
	EchoInterval int64    `cbor:"3,keyasint"`           // milliseconds; 30,000
	Kinds        []string `cbor:"4,keyasint,omitempty"` // kinds to run; empty: all
	Time         int64    `cbor:"5,keyasint"`
}

func (*Configure) messageType() MessageType { return TypeConfigure }

func (m *Configure) check() error {
	if m.EchoInterval < MinEchoInterval.Milliseconds() || m.EchoInterval > MaxEchoInterval.Milliseconds() {
		return refuse(Malformed, "echo interval of %d ms", m.EchoInterval)
	}
	return firstError(
		checkSize("host id", m.Host, IDSize),
		checkKinds(m.Kinds),
		checkTime("time", m.Time),
	)
}
