package verdict

import (
	"slices"
	"time"

	"assimilation/relay/internal/ring"
)

// host is a member, and what is known about it.
type host struct {
	Host
	watch   []watch
	domain  *domain
	place   int       // in domain.members
	listed  int       // in Engine.list
	heard   time.Time // its last sign of life that the engine was told of
	unheard bool      // an order was not acknowledged since
	silent  bool      // its session is silent since
	out     bool      // of the rings, by a verdict
	doubt   *doubt
	asked   *question
	verdict *verdict // that it is down, or its agent
	cause   []byte   // of the next verdict: one that is over and left it behind

	dispute  alarm // it lives, but somebody still misses it
	recheck  time.Duration
	rechecks int
}

// watch is what one of its watchers last said about a host.
type watch struct {
	by      ring.ID
	word    word
	at      time.Time     // of the word; of the edge's beginning, where there is none
	age     time.Duration // since the last beat, when it was said
	late    bool          // said by one that was late itself, or that errs often
	refuted bool          // the host was heard after it was said
}

type word uint8

const (
	none word = iota // the edge is new
	hears
	missed
	portRefused
)

func (w *watch) accuses() bool { return w.word >= missed }

func (h *host) watchedBy(id ring.ID) *watch {
	for i := range h.watch {
		if h.watch[i].by == id {
			return &h.watch[i]
		}
	}
	return nil
}

// watchers are those whose word counts: nobody watches a host that is out of the
// rings.
func (h *host) watchers() []watch {
	if h.out {
		return nil
	}
	return h.watch
}

func (h *host) accused() bool {
	return slices.ContainsFunc(h.watch, func(w watch) bool { return w.accuses() })
}

// lastSign is the latest that is known of h's life.
func (h *host) lastSign(otherwise time.Time) time.Time {
	last := h.heard
	for _, w := range h.watch {
		if at := w.at.Add(-w.age); w.accuses() && at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return otherwise
	}
	return last
}

// place takes in a host, or where it stands now and who watches it.
func (e *Engine) place(now time.Time, p Host) {
	if p.ID == e.config.Self {
		return
	}
	h := e.hosts[p.ID]
	if h == nil {
		h = &host{listed: len(e.list)}
		h.dispute.ring = func(now time.Time) { e.settleDispute(now, h) }
		e.hosts[p.ID], e.list = h, append(e.list, h)
	}
	moved := h.domain == nil || h.Domain != p.Domain || h.Zone != p.Zone
	if moved && h.domain != nil {
		e.leaveDomain(h)
	}
	h.Host = p
	if moved {
		e.joinDomain(h)
		if v := e.homeless[p.ID]; v != nil {
			delete(e.homeless, p.ID)
			e.adopt(now, h, v)
		}
		if d := h.doubt; d != nil && h.verdict == nil {
			e.joinEpisode(now, d)
		}
	}
	e.setWatchers(now, h, p.Watchers)
}

func (e *Engine) setWatchers(now time.Time, h *host, watchers []ring.ID) {
	h.Watchers = nil // they stand in watch
	if len(watchers) == len(h.watch) && !slices.ContainsFunc(watchers, func(id ring.ID) bool { return h.watchedBy(id) == nil }) {
		return
	}
	next := make([]watch, 0, len(watchers))
	for _, id := range watchers {
		if w := h.watchedBy(id); w != nil {
			next = append(next, *w)
		} else {
			next = append(next, watch{by: id, at: now})
		}
	}
	for _, w := range h.watch {
		if !slices.Contains(watchers, w.by) {
			e.endLink(now, h.ID, w.by, endedRetired)
		}
	}
	h.watch = next
	e.noteAccused(h)
	e.look(h.doubt)
}

func (e *Engine) noteAccused(h *host) {
	if h.accused() {
		e.accused[h] = struct{}{}
	} else {
		delete(e.accused, h)
		h.recheck, h.rechecks = 0, 0
	}
}

// remove forgets a host.
func (e *Engine) remove(now time.Time, h *host) {
	if h.doubt != nil {
		e.dismiss(h.doubt)
	}
	for _, w := range h.watch {
		e.endLink(now, h.ID, w.by, endedRetired)
	}
	if v := e.clones[h.ID]; v != nil {
		delete(e.clones, h.ID)
		e.end(now, v, endedRetired)
	}
	e.release(now, h, endedRetired)
	e.leaveDomain(h)
	e.alarms.unset(&h.dispute)
	delete(e.accused, h)
	delete(e.quiet, h)
	delete(e.records, h.ID)
	last := len(e.list) - 1
	e.list[h.listed] = e.list[last]
	e.list[h.listed].listed = h.listed
	e.list = e.list[:last]
	delete(e.hosts, h.ID)
}
