package sessions

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"assimilation/uplink"
)

// After a start no host has a session, and its probe does not know: it finds
// out by an echo that nobody answers, up to half a minute later. So the relay
// calls. The pauses leave the first answers time, and spread the calls of
// several relays that start together.
var recallPauses = [...]time.Duration{time.Second, 3 * time.Second, 10 * time.Second}

const recallsPerSecond = 500

// Caller begins handshakes with probes.
type Caller interface {
	// Call proves who calls by the newest of the site's keys, or by the one before.
	Call(key [32]byte, to netip.AddrPort, newest bool)
}

type absent struct {
	host    *host
	address netip.AddrPort
}

// Recall calls the probes that this relay knows and has no session with, in
// random order, three times. It returns when that is done or ctx ends.
func (t *Table) Recall(ctx context.Context, caller Caller) error {
	t.recall(ctx, caller, recallPauses[:], func(*host) bool { return true })
	return nil
}

// recall calls those that are wanted and absent, after each pause.
func (t *Table) recall(ctx context.Context, caller Caller, pauses []time.Duration, wanted func(*host) bool) {
	pace := rate.NewLimiter(recallsPerSecond, 1)
	for _, pause := range pauses {
		select {
		case <-time.After(time.Duration((0.5 + t.Random()) * float64(pause))):
		case <-ctx.Done():
			return
		}
		missing, err := ask(ctx, t, func() []absent { return t.absent(wanted) })
		if err != nil {
			return
		}
		if len(missing) > 0 {
			t.Log.Info("calling probes that have no session", "probes", len(missing))
		}
		for _, a := range missing {
			if pace.Wait(ctx) != nil {
				return
			}
			t.mail.post(func() {
				if t.byID[a.host.id] == a.host && a.host.peer == nil {
					caller.Call(a.host.key, a.address, t.newest(a.host))
				}
			})
		}
	}
}

func (t *Table) absent(wanted func(*host) bool) []absent {
	var missing []absent
	for _, h := range t.byID {
		if h.peer == nil && !h.elsewhere && wanted(h) && h.state != uplink.ShutDown && h.address.IsValid() && h.address.Port() != 0 {
			missing = append(missing, absent{h, h.address})
		}
	}
	rand.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	return missing
}

// ask runs a question in the owner's goroutine.
func ask[A any](ctx context.Context, t *Table, question func() A) (answer A, err error) {
	result := make(chan A, 1)
	t.mail.post(func() { result <- question() })
	select {
	case answer = <-result:
		return answer, nil
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}
