package agent

import (
	"testing"

	"assimilation/wire"
)

func TestSupersedes(t *testing.T) {
	a, b, c := [wire.IDSize]byte{1}, [wire.IDSize]byte{2}, [wire.IDSize]byte{3}
	list := func(at int64, relays ...[wire.IDSize]byte) wire.Revocation {
		return wire.Revocation{At: at, Relays: relays}
	}
	for _, test := range []struct {
		name     string
		r, known wire.Revocation
		want     bool
	}{
		{"newer", list(2, b), list(1, a), true},
		{"older, recorded", list(1, a, b), list(2, a), false},
		{"the same", list(1, a), list(1, a), false},
		{"one more, of the same time", list(1, b, a), list(1, a), true},
		{"one less, recorded", list(1, a), list(1, a, b), false},
		{"others of the same time", list(1, b, c), list(1, a), false},
	} {
		if got := supersedes(test.r, test.known); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
