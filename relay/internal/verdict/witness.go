package verdict

import (
	"time"

	"assimilation/relay/internal/ring"
	"assimilation/uplink"
)

// missed takes in that a watcher misses a host.
func (e *Engine) missed(now time.Time, ev Missed) {
	e.hearWitness(now, ev.By)
	h := e.hosts[ev.About]
	if h == nil {
		return
	}
	w := h.watchedBy(ev.By)
	if w == nil {
		return // not, or no more, one of its watchers
	}
	said := missed
	if ev.Refused {
		said = portRefused
	}
	news := w.word != said
	if !w.accuses() {
		w.refuted = false
	}
	w.word, w.at, w.age, w.late = said, now, ev.Age, ev.Late > 0
	e.noteAccused(h)
	switch {
	case h.verdict != nil:
	case news && !h.out:
		e.suspect(now, h, urgent)
	default:
		e.look(h.doubt)
	}
}

// hears takes in that a watcher hears a host.
func (e *Engine) hears(now time.Time, ev Hears) {
	e.hearWitness(now, ev.By)
	h := e.hosts[ev.About]
	if h == nil {
		return
	}
	w := h.watchedBy(ev.By)
	if w == nil {
		return
	}
	*w = watch{by: ev.By, word: hears, at: now}
	e.noteAccused(h)
	e.mendLink(now, ev.By, ev.About)
	switch d := h.doubt; {
	case ev.By == e.config.Self:
		e.hear(now, h) // the relay's own heartbeats are as authentic as its sessions
	case h.verdict != nil && !h.verdict.shutDown():
		e.ask(e.doubted(now, h), urgent)
	case d != nil && !h.accused() && !h.silent && !h.unheard && h.verdict == nil:
		e.dismiss(d)
		e.lookDomain(h.domain)
		e.lookAround(h)
	default:
		e.look(d)
	}
}

// hearWitness: whoever reports, lives.
func (e *Engine) hearWitness(now time.Time, by ring.ID) {
	if h := e.hosts[by]; h != nil && by != e.config.Self {
		e.hear(now, h)
	}
}

// record is how often a witness alone missed somebody who lived.
type record struct {
	wrong int
	at    time.Time
}

const (
	wrongOften  = 8               // then its word counts like that of one that is late
	wrongForget = 5 * time.Minute // half of it
)

func (r *record) fade(now time.Time) {
	for r.wrong > 0 && now.Sub(r.at) >= wrongForget {
		r.wrong /= 2
		r.at = r.at.Add(wrongForget)
	}
}

func (e *Engine) errs(now time.Time, by ring.ID) bool {
	r := e.records[by]
	if r == nil {
		return false
	}
	if r.fade(now); r.wrong == 0 {
		delete(e.records, by)
	}
	return r.wrong >= wrongOften
}

// refute: a host lives that is missed. One witness alone was wrong; whether
// there is more to it, is seen when it stays with its word.
func (e *Engine) refute(now time.Time, h *host) {
	var alone *watch
	accusers := 0
	for i := range h.watch {
		if w := &h.watch[i]; w.accuses() {
			accusers++
			if !w.refuted {
				alone, w.refuted = w, true
			}
		}
	}
	if alone == nil {
		return // the same as before
	}
	if accusers == 1 {
		r := e.records[alone.by]
		if r == nil {
			r = &record{at: now}
			e.records[alone.by] = r
		}
		r.fade(now)
		if r.wrong++; r.wrong >= wrongOften {
			e.made.FalseAccusations = append(e.made.FalseAccusations, alone.by)
		}
	}
	e.alarms.set(&h.dispute, now.Add(e.beats(3)))
}

// settleDispute: three beats after a host was heard that is missed. A lost
// packet is forgotten by now.
func (e *Engine) settleDispute(now time.Time, h *host) {
	accusers, gone := 0, 0
	for _, w := range h.watch {
		other := e.hosts[w.by]
		switch {
		case w.accuses():
			accusers++
		case w.by != e.config.Self && (other == nil || other.verdict != nil):
			gone++
		}
	}
	if accusers == 0 || h.verdict != nil || h.doubt != nil {
		return
	}
	all := accusers > 1 && accusers+gone == len(h.watch)
	for i := range h.watch {
		w := &h.watch[i]
		if !w.accuses() || !w.refuted {
			continue
		}
		other := e.hosts[w.by]
		if other == nil || other.verdict != nil || other.doubt != nil {
			continue
		}
		back := other.watchedBy(h.ID)
		switch {
		case back != nil && back.accuses():
			e.openLink(now, h, other, w, back, 90)
		case all:
			e.openLink(now, h, other, w, nil, 50)
		default:
			e.made.FalseAccusations = append(e.made.FalseAccusations, w.by)
		}
	}
	// As long as the word stands the host is asked now and then: the witness may be
	// right one day, and has nothing new to say then.
	h.recheck = min(max(2*h.recheck, e.beats(10)), longestPause)
	e.alarms.set(&h.dispute, now.Add(h.recheck))
	if h.rechecks++; h.rechecks > 1 {
		e.ask(e.doubted(now, h), sweeping)
	}
}

// pair are the ends of a link, the lower first.
type pair [2]ring.ID

func pairOf(a, b ring.ID) pair {
	if string(a[:]) > string(b[:]) {
		a, b = b, a
	}
	return pair{a, b}
}

func (e *Engine) openLink(now time.Time, a, b *host, word, back *watch, confidence uint8) {
	key := pairOf(a.ID, b.ID)
	if e.links[key] != nil {
		return
	}
	evidence := []uplink.Evidence{missedEvidence(e.config.Self, a, word)}
	if back != nil {
		evidence = append(evidence, missedEvidence(e.config.Self, b, back))
	}
	for _, h := range []*host{a, b} {
		evidence = append(evidence, uplink.Evidence{Kind: uplink.HeardAgain, At: h.heard.UnixMilli(), About: hostID(h.ID)})
	}
	since := word.at.Add(-word.age)
	v := e.open(now, finding{kind: uplink.LinkDown, hosts: []*host{a, b}, since: since, confidence: confidence, evidence: evidence})
	e.links[key] = v
}

// mendLink: one end hears the other again. It is whole when nobody complains.
func (e *Engine) mendLink(now time.Time, by, about ring.ID) {
	if e.links[pairOf(by, about)] == nil {
		return
	}
	if h := e.hosts[by]; h != nil {
		if w := h.watchedBy(about); w != nil && w.accuses() {
			return
		}
	}
	e.endLink(now, by, about, endedBack)
}

func (e *Engine) endLink(now time.Time, a, b ring.ID, how string) {
	key := pairOf(a, b)
	if v := e.links[key]; v != nil {
		delete(e.links, key)
		e.end(now, v, how)
	}
}

// missedEvidence is a watcher's word, as it is told.
func missedEvidence(self ring.ID, h *host, w *watch) uplink.Evidence {
	kind := uplink.MissedBeats
	if w.word == portRefused {
		kind = uplink.PortRefused
	}
	word := uplink.Evidence{Kind: kind, At: w.at.UnixMilli(), About: hostID(h.ID), Age: w.age.Milliseconds()}
	if w.by != self {
		word.By = hostID(w.by)
	}
	return word
}
