package udp

import (
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// What handshakes may cost. One is four scalar multiplications, some 250 µs.
const (
	freeShakes = 200         // per second, before cookies are asked for
	heavyFor   = time.Second // after the last one over that
	maxShakes  = 1000        // per second, carried out by the workers
)

// load says whether strangers ask for more than is given away unasked.
type load struct {
	free  *rate.Limiter
	until atomic.Int64 // end of the heavy time, Unix nanoseconds
}

func newLoad() *load { return &load{free: rate.NewLimiter(freeShakes, freeShakes)} }

// heavy counts one handshake and reports whether its sender has to show a
// cookie.
func (l *load) heavy(now time.Time) bool {
	if !l.free.AllowN(now, 1) {
		l.until.Store(now.Add(heavyFor).UnixNano())
		return true
	}
	return now.UnixNano() < l.until.Load()
}
