package wire

// Problem reports a fact that the probe itself had to refuse, or that is
// incomplete for want of a right. An empty Detail withdraws it.
type Problem struct {
	Kind     string `cbor:"1,keyasint"`
	Instance string `cbor:"2,keyasint"`
	Reason   Reason `cbor:"3,keyasint"`
	Detail   string `cbor:"4,keyasint"` // at most MaxDetail bytes
}

func (*Problem) messageType() MessageType { return TypeProblem }

func (m *Problem) check() error {
	return firstError(
		checkKind(m.Kind),
		checkText("instance", m.Instance, MaxInstance),
		checkText("detail", m.Detail, MaxDetail),
	)
}
