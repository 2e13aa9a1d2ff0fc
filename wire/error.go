package wire

import (
	"errors"
	"fmt"
)

// Error says why input was turned away; its Reason is what gets counted and
// told to the peer.
type Error struct {
	Reason Reason
	What   string
}

func (e *Error) Error() string { return e.What + ": " + e.Reason.String() }

// ReasonOf is the reason within err: Accepted for nil, Malformed for an error
// that names none.
func ReasonOf(err error) Reason {
	if err == nil {
		return Accepted
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Malformed
}

func refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, What: fmt.Sprintf(format, args...)}
}
