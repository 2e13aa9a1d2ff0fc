package wire

// Goodbye says that the probe is being stopped in good order.
type Goodbye struct {
	Cause string `cbor:"1,keyasint"` // "signal", "host shutdown", "uninstall"
	Time  int64  `cbor:"2,keyasint"`
}

func (*Goodbye) messageType() MessageType { return TypeGoodbye }

func (m *Goodbye) check() error {
	return firstError(checkText("cause", m.Cause, MaxCause), checkTime("time", m.Time))
}
