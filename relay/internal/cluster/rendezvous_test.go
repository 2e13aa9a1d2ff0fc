package cluster

import (
	"fmt"
	"testing"

	"assimilation/tenancy"
)

func TestOwnersAreBalancedAndMoveLittle(t *testing.T) {
	var relays []tenancy.RelayID
	for i := range 4 {
		relays = append(relays, tenancy.RelayID{UUID: [16]byte{byte(i + 1)}})
	}
	const keys = 4000
	count, moved, gone := map[tenancy.RelayID]int{}, 0, 0
	for i := range keys {
		key := fmt.Appendf(nil, "switch %d", i)
		of := owner(key, relays)
		count[of]++
		after := owner(key, relays[:3])
		switch {
		case of == relays[3]:
			gone++
		case after != of:
			moved++
		}
		if again := owner(key, []tenancy.RelayID{relays[2], relays[0], relays[3], relays[1]}); again != of {
			t.Fatalf("the owner of %s depends on the order of relays", key)
		}
	}
	for r, n := range count {
		if n < keys/4*8/10 || n > keys/4*12/10 {
			t.Errorf("relay %s has %d of %d keys", r, n, keys)
		}
	}
	if moved != 0 || gone != count[relays[3]] {
		t.Errorf("a relay left: %d keys of others moved", moved)
	}
	if !owner([]byte("x"), nil).IsZero() {
		t.Error("no relays have an owner among them")
	}
}
