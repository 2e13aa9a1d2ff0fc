package uplink

import (
	"errors"
	"fmt"

	"assimilation/wire"
)

// Refused is the error of everything here that judges input from outside. Its
// text never repeats the input.
type Refused struct {
	Reason wire.Reason
	Why    string
}

func (e *Refused) Error() string { return e.Reason.String() + ": " + e.Why }

// ReasonOf says why err came about: Accepted when there is none, Malformed
// when nothing more precise is known.
func ReasonOf(err error) wire.Reason {
	if err == nil {
		return wire.Accepted
	}
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused.Reason
	}
	return wire.Malformed
}

func refuse(reason wire.Reason, format string, args ...any) error {
	return &Refused{reason, fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) error {
	return refuse(wire.Malformed, format, args...)
}
