package accounts

import (
	"sync"
	"time"

	"assimilation/saas/internal/web"
)

// Limits of tries to log in. A person mistypes a few times; a whole office may
// sit behind one address.
const (
	triesPerAddress = 30
	freeTries       = 5 // of one account from one address, before waiting begins
	firstDelay      = time.Second
	maxDelay        = 15 * time.Minute
	strangersTries  = 50 // of one account from all addresses that it is not known at
	strangersPause  = time.Minute
)

// tries bounds how often passwords and codes are tried, so that a stranger who
// tries does not lock out whom the account belongs to. Three things count:
//
//   - the address, over all accounts;
//   - the account from this address: after a few failures each further one
//     doubles the wait;
//   - the account from all addresses from which nobody has ever logged in to it.
//     Addresses known for the account are not counted here, and not refused.
//
// It is kept in memory: with several processes everyone has as many tries more.
type tries struct {
	byAddress *web.Limiter
	strangers *web.Limiter

	mu     sync.Mutex
	failed map[string]*failures
	swept  time.Time
}

type failures struct {
	count int
	until time.Time // no try before
	last  time.Time
}

func newTries() *tries {
	return &tries{
		byAddress: web.NewLimiter(2*time.Second, triesPerAddress, limiterKeys),
		strangers: web.NewLimiter(strangersPause, strangersTries, limiterKeys),
		failed:    map[string]*failures{},
	}
}

// fromAddress counts a try of an address, before anything is looked up.
func (t *tries) fromAddress(address string, now time.Time) bool {
	return t.byAddress.Allow(address, now)
}

// allow reports whether an account may be tried from an address. The try counts
// as failed until it is known to be right.
func (t *tries) allow(account, address string, known bool, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	key := account + "\x00" + address
	f := t.failed[key]
	if f == nil {
		if len(t.failed) >= limiterKeys { // a flood of addresses, which must not lock anybody out
			return known || t.strangers.Allow(account, now)
		}
		f = &failures{}
		t.failed[key] = f
	}
	if now.Before(f.until) {
		return false
	}
	if !known && !t.strangers.Allow(account, now) {
		return false
	}
	f.count++
	f.last = now
	if over := f.count - freeTries; over >= 0 {
		f.until = now.Add(min(firstDelay<<min(over, 20), maxDelay))
	}
	return true
}

// right forgets the failures of an account from an address.
func (t *tries) right(account, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.failed, account+"\x00"+address)
}

// sweep forgets what nobody tried for an hour. It looks at most once a minute,
// being linear in the keys.
func (t *tries) sweep(now time.Time) {
	if now.Sub(t.swept) < time.Minute {
		return
	}
	t.swept = now
	for key, f := range t.failed {
		if now.Sub(f.last) > time.Hour {
			delete(t.failed, key)
		}
	}
}
