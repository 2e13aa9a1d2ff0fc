package watch

import (
	"net/netip"
	"time"

	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/topology"
	"assimilation/relay/internal/verdict"
)

// A host may change its place so often at once, and then once in placeAgain: each
// change has some six hosts ordered anew.
const (
	placeBurst = 8
	placeAgain = 30 * time.Second
	maxPlacing = 4096
)

func newPlacings() *limit.Table[ring.ID] {
	return limit.NewTable[ring.ID](placeAgain, placeBurst, maxPlacing)
}

// Place says where a host stands, from now on or soon.
func (w *Watch) Place(p topology.Place) {
	w.post(func(now time.Time) {
		h := w.host(p.ID)
		h.claimed = p
		switch {
		case h.placing || h.place == p:
		case w.placings.Allow(h.id, now):
			w.stand(now, h)
		default:
			h.placing = true
			time.AfterFunc(placeAgain, func() {
				w.post(func(now time.Time) { h.placing = false; w.stand(now, h) })
			})
		}
	})
}

// stand takes a host to where it says that it stands.
func (w *Watch) stand(now time.Time, h *host) {
	if h.place == h.claimed || w.hosts[h.id] != h {
		return
	}
	h.place = h.claimed
	if h.member {
		w.rearrange(now, w.rings.Move(h.place.Member))
	}
	if h.known {
		w.place(now, h)
	}
}

// place tells the engine where the host stands, and who watches it.
func (w *Watch) place(now time.Time, h *host) {
	watchers := make([]ring.ID, len(h.neighbours))
	for i, n := range h.neighbours {
		watchers[i] = n.ID
	}
	w.opaque(h.place.Domain)
	w.opaque(h.place.Zone)
	w.step(now, verdict.Placed{Host: verdict.Host{Member: h.place.Member, Watchers: watchers, Assumed: !h.place.Switch}})
}

// moveAgain is how often its neighbours are told at most that a host has moved: it
// may speak from another port with each packet.
const moveAgain = time.Second

// follow notes where a host is, now or soon.
func (w *Watch) follow(now time.Time, h *host, address netip.AddrPort) {
	h.latest = address
	wait := h.movedAt.Add(moveAgain).Sub(now)
	switch {
	case h.moving:
	case wait <= 0:
		w.moved(now, h, address)
	default:
		h.moving = true
		time.AfterFunc(wait, func() {
			w.post(func(now time.Time) { h.moving = false; w.moved(now, h, h.latest) })
		})
	}
}

// moved notes where a host is, and lets its neighbours know.
func (w *Watch) moved(now time.Time, h *host, address netip.AddrPort) {
	if h.latest = address; h.address == address {
		return
	}
	h.address, h.movedAt = address, now
	for _, n := range h.neighbours {
		e := w.edges.need(h.id, n.ID)
		if n.ID == w.self {
			w.pulse.move(h.id, address)
			w.adopted(now, e, n.ID)
			continue
		}
		e.end(n.ID).adopted = time.Time{}
		w.enqueue(n.ID)
	}
}
