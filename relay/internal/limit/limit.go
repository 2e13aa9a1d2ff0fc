// Package limit keeps one token bucket per key, for keys that strangers
// choose: it forgets old keys rather than grow.
package limit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Table is safe for concurrent use.
//
// Keys live in two generations of at most max each. A key that is asked for
// moves to the young one; when that is full, the old one is forgotten and the
// young one grows old. So a key in use stays, without a clock or a list.
type Table[K comparable] struct {
	limit rate.Limit
	burst int
	max   int

	mu         sync.Mutex
	young, old map[K]*rate.Limiter
}

// NewTable allows each key burst events at once, and one more per interval.
func NewTable[K comparable](interval time.Duration, burst, max int) *Table[K] {
	return &Table[K]{limit: rate.Every(interval), burst: burst, max: max, young: map[K]*rate.Limiter{}}
}

// Allow reports whether an event of the key may happen now, and counts it.
func (t *Table[K]) Allow(key K, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	bucket, ok := t.young[key]
	if !ok {
		if bucket, ok = t.old[key]; ok {
			delete(t.old, key)
		} else {
			bucket = rate.NewLimiter(t.limit, t.burst)
		}
		if len(t.young) >= t.max {
			t.young, t.old = make(map[K]*rate.Limiter, t.max), t.young
		}
		t.young[key] = bucket
	}
	return bucket.AllowN(now, 1)
}

// Source is what one sender is counted under: its IPv4 address, or the /64 of
// its IPv6 address, for a host has as many of the rest as it wants.
func Source(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return a // the zero address: one bucket for all that have none
	}
	return prefix.Addr()
}
