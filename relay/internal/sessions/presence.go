package sessions

import (
	"net/netip"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

func (t *Table) addHost(h store.Host, heard time.Time) *host {
	known := &host{
		id: h.ID, key: h.ProbeKey, name: h.Name, state: h.State, term: h.Term, heard: heard, address: addressOf(h),
		elsewhere: !h.ServedBy.IsZero(), siteKeys: h.SiteKeys,
	}
	t.byKey[known.key], t.byID[known.id] = known, known
	t.hostCount.Store(int64(len(t.byID)))
	if known.elsewhere {
		return known
	}
	if known.state == uplink.Up {
		t.timers.set(known, heard.Add(silentAfter))
	}
	t.observe(Known{h})
	return known
}

// addressOf is where a host was last; one that cannot be read is not called.
func addressOf(h store.Host) netip.AddrPort {
	address, _ := netip.ParseAddrPort(h.Address)
	return address
}

func (t *Table) dropHost(h *host) {
	if h.peer != nil {
		t.close(h.peer)
	}
	// Pending sessions of the key find out when they say Hello.
	for _, p := range t.byIndex {
		if p.host == h {
			p.host = nil
			t.strangers++
		}
	}
	delete(t.byKey, h.key)
	delete(t.byID, h.id)
	t.hostCount.Store(int64(len(t.byID)))
	t.timers.set(h, time.Time{})
}

// hear notes an authentic datagram of a host.
func (t *Table) hear(now time.Time, h *host) {
	h.heard, h.echoed = now, 0
	if h.elsewhere {
		return // its greeting brings it here
	}
	if t.Wanted != nil && t.Wanted(h.id) {
		t.observe(Heard{h.id})
	}
	switch {
	case missing(h.state):
		t.setState(now, h, uplink.Up, "heard again")
	case h.state == uplink.Up:
		if h.pos == 0 {
			t.timers.set(h, now.Add(silentAfter))
		}
		// A later deadline is not worth moving the heap for: checkPresence does.
	}
}

// missing is a state that the host's next word ends.
func missing(s uplink.State) bool { return s != uplink.Up && s != uplink.ShutDown }

// Believe says that hosts are in a state since then, as the store has it by now:
// a verdict made it so.
func (t *Table) Believe(ids []tenancy.HostID, state uplink.State, since time.Time) {
	t.mail.post(func() {
		for _, id := range ids {
			if h := t.byID[id]; h != nil {
				t.condemn(h, state, since)
			}
		}
	})
}

func (t *Table) condemn(h *host, state uplink.State, since time.Time) {
	again := h.heard
	if state == uplink.ShutDown { // its last packets come after its goodbye
		again = h.greeted
		if !h.left.IsZero() {
			since = h.left
		}
	}
	h.state = state
	t.timers.set(h, time.Time{})
	if again.After(since) {
		t.setState(time.Now(), h, uplink.Up, "heard again")
	}
}

// checkPresence runs at a host's deadline.
func (t *Table) checkPresence(now time.Time, h *host) {
	if h.state != uplink.Up || h.writes {
		return
	}
	if due := h.heard.Add(silentAfter); due.After(now) {
		t.timers.set(h, due)
		return
	}
	if h.peer != nil && h.echoed < echoes {
		h.echoed++
		h.peer.link.Echo(now)
		t.touch(h.peer)
		t.timers.set(h, now.Add(echoPause))
		return
	}
	cause := "no answer to the echo"
	if h.peer == nil {
		cause = "no session"
	}
	t.observe(Silent{h.id})
	t.setState(now, h, uplink.Silent, cause)
}

// setState writes a change of presence, and believes it when it is durable.
func (t *Table) setState(now time.Time, h *host, state uplink.State, cause string) {
	if h.writes || h.elsewhere {
		return
	}
	h.writes = true
	id := h.id
	t.submit(func(tx *store.Tx) error { return tx.SetState(id, state, cause, now.UnixMilli()) }, func(err error) {
		h.writes = false
		if t.byID[id] != h {
			return // retired meanwhile
		}
		if err != nil {
			t.Log.Error("noting a host's state", "host", h.name, "state", state, "error", err)
			t.timers.set(h, time.Now().Add(retryState))
			return
		}
		t.Log.Info("host state", "host", h.name, "id", h.id, "state", state, "cause", cause)
		t.believe(h, state)
	})
}

// believe adopts a state that is durable, and what was heard since it was
// written.
func (t *Table) believe(h *host, state uplink.State) {
	now := time.Now()
	h.state = state
	switch {
	case state == uplink.Silent && now.Sub(h.heard) < silentAfter:
		t.setState(now, h, uplink.Up, "heard again")
	case state == uplink.Up:
		t.timers.set(h, h.heard.Add(silentAfter))
	default:
		t.timers.set(h, time.Time{})
	}
}
