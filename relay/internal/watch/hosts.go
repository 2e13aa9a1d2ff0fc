package watch

import (
	"net/netip"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/topology"
	"assimilation/relay/internal/verdict"
	"assimilation/tenancy"
)

// host is one that the relay knows.
type host struct {
	id      ring.ID
	name    string
	known   bool // enrolled here; before that only what is told ahead is kept
	place   topology.Place
	claimed topology.Place // the same, the rings may not know yet
	placing bool           // place will be claimed soon
	address netip.AddrPort // of its session, or of the last one
	latest  netip.AddrPort // the same, neighbours may not know yet
	movedAt time.Time
	moving  bool   // address will be latest soon
	listen  uint16 // TCP port of its probe; 0: none
	boot    uint64 // of its probe
	session bool
	deaf    bool // its probe knows no rings
	gone    bool // the engine has closed its place
	member  bool // of the rings

	neighbours []ring.Neighbour
	queued     bool // for an order
	telling    bool // an order is on its way
	told       uint64
	retry      time.Duration
	reported   reported
}

func hostID(id ring.ID) tenancy.HostID { return tenancy.HostID{UUID: [16]byte(id)} }

func (w *Watch) host(id ring.ID) *host {
	h := w.hosts[id]
	if h == nil {
		h = &host{id: id, place: topology.Place{Member: ring.Member{ID: id}}}
		h.claimed = h.place
		w.hosts[id] = h
	}
	return h
}

// Observe is for the sessions' table.
func (w *Watch) Observe(e sessions.Event) {
	switch e := e.(type) {
	case sessions.Known:
		w.post(func(now time.Time) { w.know(now, ring.ID(e.Host.ID.UUID), e.Host.Name) })
	case sessions.Greeted:
		w.post(func(now time.Time) { w.greeted(now, e) })
	case sessions.Moved:
		w.about(e.Host, func(now time.Time, h *host) { w.follow(now, h, e.Address) })
	case sessions.Ended:
		w.about(e.Host, func(_ time.Time, h *host) { h.session = false })
	case sessions.Left:
		w.about(e.Host, func(now time.Time, h *host) { w.step(now, verdict.Left{About: h.id}) })
	case sessions.Silent:
		w.about(e.Host, func(now time.Time, h *host) { w.step(now, verdict.Silent{About: h.id}) })
	case sessions.Heard:
		w.about(e.Host, func(now time.Time, h *host) { w.step(now, verdict.Heard{About: h.id}) })
	case sessions.Reported:
		w.about(e.Host, func(now time.Time, h *host) { w.report(now, h, e.Report) })
	case sessions.Cloned:
		w.about(e.Host, func(now time.Time, h *host) { w.step(now, verdict.Cloned{About: h.id, Settled: e.Settled}) })
	case sessions.Elsewhere:
		w.about(e.Host, w.remove)
	case sessions.Retired:
		w.about(e.Host, func(now time.Time, h *host) { w.remove(now, h); delete(w.hosts, h.id) })
	}
}

func (w *Watch) about(id tenancy.HostID, do func(time.Time, *host)) {
	w.post(func(now time.Time) {
		if h := w.hosts[ring.ID(id.UUID)]; h != nil && h.known {
			do(now, h)
		}
	})
}

func (w *Watch) know(now time.Time, id ring.ID, name string) {
	h := w.host(id)
	h.name = name
	if !h.known {
		h.known = true
		w.place(now, h)
	}
}

func (w *Watch) greeted(now time.Time, e sessions.Greeted) {
	id := ring.ID(e.Host.ID.UUID)
	w.know(now, id, e.Host.Name)
	h := w.host(id)
	restarted := h.boot != e.Boot
	h.boot, h.listen, h.session, h.retry = e.Boot, e.Listen, true, 0
	w.moved(now, h, e.Address)
	if restarted {
		h.deaf, h.reported = false, reported{}
		for _, n := range h.neighbours {
			w.edges.renew(h.id, n.ID)
			w.enqueue(n.ID)
		}
		w.pulseAgain(now)
	}
	w.step(now, verdict.Greeted{About: id})
	w.join(now, h)
	w.enqueue(id)
}

// join takes a host into the rings, if it can be there.
func (w *Watch) join(now time.Time, h *host) {
	if h.member || h.gone || h.deaf || !h.known || !h.address.IsValid() {
		return
	}
	h.member = true
	w.rearrange(now, w.rings.Join(h.place.Member))
}

func (w *Watch) leave(now time.Time, h *host) {
	if h.member {
		h.member = false
		former := h.neighbours
		w.setNeighbours(h.id, nil)
		w.rearrange(now, w.rings.Leave(h.id))
		// Should it come back, its edges are others: an end that has forgotten one
		// would count from 1 again, and the other take that for a replay.
		for _, n := range former {
			if !isNeighbour(w.neighbours(n.ID), h.id) {
				w.edges.end(h.id, n.ID)
			}
		}
	}
}

// remove forgets a host but for where it stands: it is another relay's now, or
// retired.
func (w *Watch) remove(now time.Time, h *host) {
	w.leave(now, h)
	w.step(now, verdict.Removed{ID: h.id})
	w.wanted.clear(h.id)
	w.hosts[h.id] = &host{id: h.id, place: h.claimed, claimed: h.claimed}
}

// step has the engine take an event in, and does what it leads to.
func (w *Watch) step(now time.Time, e verdict.Event) {
	w.effect(now, w.engine.Step(now, e))
	if about, ok := subject(e); ok {
		w.listen(about)
	}
}

// listen asks to be told of the next sign of life of a host, if the engine wants
// to know.
func (w *Watch) listen(id ring.ID) {
	if w.engine.Interesting(id) {
		w.wanted.set(id)
	} else {
		w.wanted.clear(id)
	}
}

func subject(e verdict.Event) (about ring.ID, ok bool) {
	switch e := e.(type) {
	case verdict.Missed:
		return e.About, true
	case verdict.Hears:
		return e.About, true
	case verdict.Echoed:
		return e.About, true
	case verdict.Connected:
		return e.About, true
	case verdict.Unheard:
		return e.About, true
	case verdict.Heard:
		return e.About, true
	case verdict.Silent:
		return e.About, true
	case verdict.Left:
		return e.About, true
	case verdict.Greeted:
		return e.About, true
	case verdict.Placed:
		return e.Host.ID, true
	}
	return about, false
}
