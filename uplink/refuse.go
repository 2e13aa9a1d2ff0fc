package uplink

import (
	"fmt"

	"assimilation/wire"
)

// refuse makes the error of everything here that judges input from outside, a
// *wire.Error. Its text never repeats the input.
func refuse(reason wire.Reason, format string, args ...any) error {
	return &wire.Error{Reason: reason, What: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) error {
	return refuse(wire.Malformed, format, args...)
}
