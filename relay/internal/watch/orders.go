package watch

import (
	"errors"
	"slices"
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/verdict"
	"assimilation/wire"
)

// rearrange takes in which neighbours have changed.
func (w *Watch) rearrange(now time.Time, orders []ring.Order) {
	type change struct{ a, b ring.ID }
	var parted []change
	for _, o := range orders {
		for _, old := range w.neighbours(o.Member) {
			if !isNeighbour(o.Neighbours, old.ID) {
				parted = append(parted, change{o.Member, old.ID})
			}
		}
		w.setNeighbours(o.Member, o.Neighbours)
		for _, n := range o.Neighbours {
			w.edges.need(o.Member, n.ID)
		}
	}
	for _, c := range parted {
		if !isNeighbour(w.neighbours(c.a), c.b) && !isNeighbour(w.neighbours(c.b), c.a) {
			w.edges.end(c.a, c.b)
		}
	}
	for _, o := range orders {
		if o.Member == w.self {
			w.pulseAgain(now)
			continue
		}
		w.enqueue(o.Member)
		if h := w.hosts[o.Member]; h != nil {
			w.place(now, h)
		}
	}
}

func isNeighbour(list []ring.Neighbour, id ring.ID) bool {
	return slices.ContainsFunc(list, func(n ring.Neighbour) bool { return n.ID == id })
}

func (w *Watch) neighbours(id ring.ID) []ring.Neighbour {
	if id == w.self {
		return w.pulse.neighbours
	}
	if h := w.hosts[id]; h != nil {
		return h.neighbours
	}
	return nil
}

func (w *Watch) setNeighbours(id ring.ID, list []ring.Neighbour) {
	if id == w.self {
		w.pulse.neighbours = list
	} else if h := w.hosts[id]; h != nil {
		h.neighbours = list
	}
}

// enqueue has a host be told its neighbours, once, however often they change
// until its turn comes.
func (w *Watch) enqueue(id ring.ID) {
	h := w.hosts[id]
	if h == nil || h.queued {
		return
	}
	h.queued = true
	if !h.telling {
		w.queue = append(w.queue, id)
	}
}

// order tells the hosts whose turn it is their neighbours, and returns when the
// next may be told.
func (w *Watch) order(now time.Time) (next time.Time) {
	for len(w.queue) > 0 {
		h := w.hosts[w.queue[0]]
		if h != nil && h.queued && !h.telling && h.session && !h.deaf && !h.gone {
			if !w.pace.AllowN(now, 1) {
				return now.Add(time.Second / ordersPerSecond)
			}
			w.tell(h)
		}
		if h != nil && !h.telling {
			h.queued = false // its greeting or its return is the next occasion
		}
		w.queue = w.queue[1:]
	}
	w.queue = nil
	return time.Time{}
}

// tell sends a host its neighbours.
func (w *Watch) tell(h *host) {
	w.last++
	message, listed := w.ringOf(h)
	if len(listed) == 0 && h.told == 0 {
		return // it never had any
	}
	h.telling, h.queued, h.told = true, false, w.last
	id, boot := h.id, h.boot
	w.table.Tell(hostID(id), message, orderLimit, func(err error) {
		w.post(func(now time.Time) {
			if h := w.hosts[id]; h != nil {
				w.toldRing(now, h, boot, listed, err)
			}
		})
	})
}

// ringOf is what a host has to know of its neighbours, with the ids of its edges.
// One whose address is not known is left out: its greeting comes.
func (w *Watch) ringOf(h *host) (*wire.Ring, []uint32) {
	message := &wire.Ring{Revision: w.last, Beat: w.pulse.every.Milliseconds()}
	var listed []uint32
	for _, n := range h.neighbours {
		if len(message.Edges) == wire.MaxEdges {
			break
		}
		var address []byte // of the relay: none
		if peer := w.hosts[n.ID]; peer != nil && peer.address.IsValid() {
			address = wire.AppendAddress(nil, peer.address)
		} else if n.ID != w.self {
			continue
		}
		e := w.edges.need(h.id, n.ID)
		send, receive := w.edges.keys(e, h.id)
		message.Edges = append(message.Edges, wire.Edge{ID: e.id, Peer: n.ID[:], Address: address, Send: send[:], Receive: receive[:]})
		listed = append(listed, e.id)
	}
	return message, listed
}

// toldRing takes in what became of an order.
func (w *Watch) toldRing(now time.Time, h *host, boot uint64, listed []uint32, err error) {
	h.telling = false
	w.Metrics.ordered(err)
	if h.queued { // there is a newer one
		w.queue = append(w.queue, h.id)
	} else if err == nil && boot == h.boot {
		for _, id := range listed {
			if e := w.edges.byID[id]; e != nil && e.end(h.id).adopted.IsZero() {
				w.adopted(now, e, h.id)
			}
		}
	}
	declined, refused := errors.AsType[*sessions.Declined](err)
	switch {
	case err == nil:
		h.retry = 0
		return
	case errors.Is(err, sessions.ErrNoSession) || boot != h.boot:
		return // the greeting of the next session makes good for it
	case refused && declined.Reason == wire.Unsupported:
		h.deaf = true
		w.leave(now, h)
		return
	case errors.Is(err, sessions.ErrUnheard):
		w.step(now, verdict.Unheard{About: h.id})
	default:
		w.Log.Warn("ordering heartbeats", "host", h.name, "error", err)
	}
	h.retry = min(max(2*h.retry, shortestRetry), longestRetry)
	id := h.id
	time.AfterFunc(h.retry, func() { w.post(func(time.Time) { w.enqueue(id) }) })
}
