package sessions

import (
	"context"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Elsewhere takes in that other relays of the site have these hosts now. What
// they say here counts no more, and nobody misses them here.
func (t *Table) Elsewhere(hosts []store.Host) {
	t.mail.post(func() {
		for _, h := range hosts {
			t.leave(h)
		}
	})
}

func (t *Table) leave(learned store.Host) {
	h := t.byID[learned.ID]
	if h == nil {
		if t.byKey[learned.ProbeKey] == nil {
			t.addHost(learned, time.Now())
		}
		return
	}
	if learned.Term < h.term {
		return // it has come back since
	}
	was := h.elsewhere
	h.elsewhere, h.term, h.name, h.siteKeys = true, learned.Term, learned.Name, learned.SiteKeys
	if address := addressOf(learned); address.IsValid() {
		h.address = address
	}
	t.timers.set(h, time.Time{})
	if h.peer != nil {
		t.close(h.peer)
	}
	if !was {
		t.Log.Info("host is served by another relay", "host", h.name, "id", h.id, "relay", learned.ServedBy)
		t.observe(Elsewhere{h.id, learned.ServedBy})
	}
}

// arrived makes a host that was elsewhere this relay's.
func (t *Table) arrived(h *host, as store.Host) {
	if !h.elsewhere {
		return
	}
	h.elsewhere, h.state, h.term, h.siteKeys = false, as.State, as.Term, as.SiteKeys
	t.observe(Known{as})
}

// takeOverPauses are short: nobody serves these hosts.
var takeOverPauses = []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second}

// TakeOver makes hosts this relay's, whose own relay is gone, and calls their
// probes, in random order and again where they do not answer. It returns when that
// is done or ctx ends.
func (t *Table) TakeOver(ctx context.Context, hosts []store.Host, caller Caller) {
	wanted := make(map[tenancy.HostID]bool, len(hosts))
	_, err := ask(ctx, t, func() struct{} {
		for _, h := range hosts {
			wanted[h.ID] = true
			if known := t.byID[h.ID]; known != nil && known.elsewhere {
				t.arrived(known, h)
				known.heard = time.Now()
				if known.state == uplink.Up {
					t.timers.set(known, known.heard.Add(silentAfter))
				}
			}
		}
		return struct{}{}
	})
	if err != nil {
		return
	}
	t.recall(ctx, caller, takeOverPauses, func(h *host) bool { return wanted[h.id] })
}
