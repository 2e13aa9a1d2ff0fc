package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter bounds how often each key (an address, an account) may try
// something. It remembers a bounded number of keys; when that is full and
// nothing is stale, new keys share one allowance, so that a flood of invented
// keys costs no memory and still gets nothing.
type Limiter struct {
	limit rate.Limit
	burst int
	size  int

	mu     sync.Mutex
	keys   map[string]*rate.Limiter
	shared *rate.Limiter
	swept  time.Time
}

// NewLimiter allows burst tries at once and then one per interval, for each of
// at most size keys.
func NewLimiter(interval time.Duration, burst, size int) *Limiter {
	limit := rate.Every(interval)
	return &Limiter{limit: limit, burst: burst, size: size, keys: map[string]*rate.Limiter{}, shared: rate.NewLimiter(limit, burst)}
}

// Allow reports whether key may try at the time now, and counts the try.
func (l *Limiter) Allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.keys[key]
	if a == nil {
		if len(l.keys) >= l.size {
			l.sweep(now)
		}
		if len(l.keys) >= l.size {
			return l.shared.AllowN(now, 1)
		}
		a = rate.NewLimiter(l.limit, l.burst)
		l.keys[key] = a
	}
	return a.AllowN(now, 1)
}

// sweep forgets keys whose allowance is whole again: they are as good as new.
// It looks at most once a second, being linear in the keys.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for key, a := range l.keys {
		if a.TokensAt(now) >= float64(l.burst) {
			delete(l.keys, key)
		}
	}
}
