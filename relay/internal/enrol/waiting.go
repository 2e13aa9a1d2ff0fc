package enrol

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"assimilation/wire"
)

// Anybody can announce any number of fingerprints, so few are kept: a full list
// keeps what it has, and a probe that is really there announces again.
const (
	maxWaiting       = 1024
	maxPerSource     = 64
	newPerSecond     = 50
	newAtOnce        = 256
	waitingForgotten = 2 * time.Minute // a probe announces at least every 45 s
)

// Waiting is a probe that announces itself, as it says: nothing is proved.
type Waiting struct {
	Fingerprint [32]byte // of its key
	Address     netip.AddrPort
	Reason      wire.Reason // why it is stuck; Accepted: it does not say
	First, Last time.Time
}

// waiting is safe for concurrent use.
type waiting struct {
	mu     sync.Mutex
	probes map[[32]byte]*Waiting
	source map[netip.Addr]int
	fresh  *rate.Limiter
}

func newWaiting() *waiting {
	return &waiting{probes: map[[32]byte]*Waiting{}, source: map[netip.Addr]int{}, fresh: rate.NewLimiter(newPerSecond, newAtOnce)}
}

func (w *waiting) note(a wire.Announce, from netip.AddrPort, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.probes[a.Fingerprint]; known != nil {
		if known.Address.Addr() == from.Addr() { // else somebody repeats what he has heard
			known.Address, known.Reason, known.Last = from, a.Reason, now
		}
		return
	}
	if !w.fresh.AllowN(now, 1) {
		return
	}
	if len(w.probes) >= maxWaiting {
		w.forget(now)
	}
	if len(w.probes) >= maxWaiting || w.source[from.Addr()] >= maxPerSource {
		return
	}
	w.probes[a.Fingerprint] = &Waiting{a.Fingerprint, from, a.Reason, now, now}
	w.source[from.Addr()]++
}

func (w *waiting) forget(now time.Time) {
	for fingerprint, probe := range w.probes {
		if now.Sub(probe.Last) < waitingForgotten {
			continue
		}
		delete(w.probes, fingerprint)
		if w.source[probe.Address.Addr()]--; w.source[probe.Address.Addr()] == 0 {
			delete(w.source, probe.Address.Addr())
		}
	}
}

// list is in the order of first sight.
func (w *waiting) list(now time.Time) []Waiting {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(now)
	all := make([]Waiting, 0, len(w.probes))
	for _, probe := range w.probes {
		all = append(all, *probe)
	}
	slices.SortFunc(all, func(a, b Waiting) int { return a.First.Compare(b.First) })
	return all
}
