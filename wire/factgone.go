package wire

// FactGone says that an instance no longer exists.
type FactGone struct {
	Kind       string `cbor:"1,keyasint"`
	Instance   string `cbor:"2,keyasint"`
	ObservedAt int64  `cbor:"3,keyasint"`
}

func (*FactGone) messageType() MessageType { return TypeFactGone }

func (m *FactGone) check() error {
	return firstError(
		checkKind(m.Kind),
		checkText("instance", m.Instance, MaxInstance),
		checkTime("time of observation", m.ObservedAt),
	)
}
