package verdict

import (
	"slices"
	"time"
)

// doubt is whether a host lives, and what asking it brought.
type doubt struct {
	host  *host
	since time.Time
	place int // in domain.doubts; -1: the host has a verdict already

	asking  asking
	urgency urgency
	askedAt time.Time

	answer   answer // of the last whole round
	rounds   int    // with that answer, one after the other
	answered time.Time
	vouched  bool          // somebody was heard while that round lasted: the silence is not the relay's own
	pause    time.Duration // before it is asked again
	// heardKernel: since the verdict, its kernel answered.
	heardKernel bool

	alarm  alarm
	looked bool
	closed bool
}

type asking uint8

const (
	idle   asking = iota
	queued        // for its turn
	behind        // an earlier doubt's question, which is still on its way
	out
)

// doubted returns the doubt about a host, a new one where there is none.
func (e *Engine) doubted(now time.Time, h *host) *doubt {
	if h.doubt == nil {
		d := &doubt{host: h, since: now, place: -1}
		d.alarm.ring = func(now time.Time) { e.look(d) }
		h.doubt = d
		if h.verdict == nil {
			e.joinEpisode(now, d)
		}
	}
	return h.doubt
}

// dismiss ends a doubt.
func (e *Engine) dismiss(d *doubt) {
	d.closed, d.asking, d.host.doubt = true, idle, nil
	e.alarms.unset(&d.alarm)
	e.leaveEpisode(d)
}

// suspect asks a host, and its watchers that did not say that they miss it.
func (e *Engine) suspect(now time.Time, h *host, u urgency) {
	if e.mayNotJudge() {
		return // what was said is remembered
	}
	d := e.doubted(now, h)
	if d.asking == idle && now.Sub(d.answered) > e.config.AskLimit || d.asking == queued {
		e.ask(d, u)
	}
	for _, w := range h.watchers() {
		if !w.accuses() {
			if other := e.hosts[w.by]; other != nil && other.verdict == nil && other.heard.Before(now) {
				e.ask(e.doubted(now, other), u)
			}
		}
	}
	e.look(d)
}

// lookAround has the doubts weighed in which a host is a witness.
func (e *Engine) lookAround(h *host) {
	for _, w := range h.watch {
		if other := e.hosts[w.by]; other != nil {
			e.look(other.doubt)
		}
	}
}

// weigh decides what a doubt leads to.
func (e *Engine) weigh(now time.Time, d *doubt) {
	if d.asking == out && now.Sub(d.askedAt) >= e.answerLost() {
		d.asking = idle
		e.ask(d, d.urgency)
		return
	}
	h := d.host
	if h.verdict != nil {
		e.weighAgain(now, d)
		return
	}
	if e.mayNotJudge() {
		return
	}
	if d.answer == unasked {
		if d.asking == idle {
			e.ask(d, urgent)
		}
		return
	}
	if v := h.domain.recentGroup(now); v != nil && (d.answer == nothing || d.answer == agentOut) {
		if e.vouched(now, d) {
			e.join(now, v, h)
		}
		return
	}
	if in := h.domain; (d.answer == nothing || d.answer == agentOut) && (in.stage == sampled || in.stage == whole || in.zone.stage == sampled) {
		return // judgeDomain or judgeZone looks at it again
	}
	f, patience := e.facts(now, d)
	if f.accusers() == 0 && !f.silent && !f.unheard && f.waiting == 0 && (f.hearing > 0 || f.mute == 0) && d.rounds >= 2 {
		e.dismiss(d) // asked for others' sake, and nobody misses it
		e.lookDomain(h.domain)
		return
	}
	s := judge(f)
	switch {
	case s.kind != "":
		e.conclude(now, d, s)
	case d.asking != idle:
	case s.again || f.accusers() == 0 && d.rounds < 2:
		e.ask(d, urgent)
	case f.waiting > 0:
		e.alarms.set(&d.alarm, now.Add(patience))
	case d.answered.Add(d.pause).After(now):
		e.alarms.set(&d.alarm, d.answered.Add(d.pause))
	default:
		d.pause = min(max(2*d.pause, e.beats(2)), longestPause)
		e.ask(d, sweeping)
	}
}

// longestPause is how seldom a host that is in doubt, or down, is asked.
const longestPause = 30 * time.Second

// facts counts what speaks for and against a host; where a word is waited for,
// how long.
func (e *Engine) facts(now time.Time, d *doubt) (f facts, patience time.Duration) {
	h := d.host
	f = facts{unheard: h.unheard, silent: h.silent, answer: d.answer, rounds: d.rounds}
	patience = time.Minute
	wait := func(until time.Time) {
		f.waiting++
		patience = min(patience, max(until.Sub(now), time.Millisecond))
	}
	for _, w := range h.watchers() {
		if w.accuses() {
			switch {
			case w.late || w.refuted || e.errs(now, w.by):
				f.weak++
			case w.word == portRefused:
				f.refused++
			default:
				f.missed++
			}
			continue
		}
		if w.by != e.config.Self {
			other := e.hosts[w.by]
			if other == nil || other.verdict != nil {
				f.mute++
				continue
			}
			if od := other.doubt; od != nil {
				if od.answer == unasked {
					wait(now.Add(e.answerLost())) // it is looked at when that one's round ends
				} else {
					f.mute++
				}
				continue
			}
			if other.heard.Before(d.since) {
				e.ask(e.doubted(now, other), urgent)
				wait(now.Add(e.answerLost()))
				continue
			}
		}
		// One that lives has a beat's time to miss it after the first did; where its
		// edge is new, until it would have.
		until := d.since.Add(e.beats(1.5) + e.config.Company)
		if w.word == none {
			until = maxTime(until, w.at.Add(e.beats(4)))
		}
		switch {
		case now.Before(until):
			wait(until)
		case w.word == hears:
			f.hearing++
		default:
			f.mute++
		}
	}
	return f, patience
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// hear notes that a host lives.
func (e *Engine) hear(now time.Time, h *host) {
	h.heard, h.unheard, e.lastSpoke = now, false, h
	if h.silent {
		h.silent = false
		delete(e.quiet, h)
	}
	e.sign(now)
	if d := h.doubt; d != nil {
		if d.place >= 0 {
			h.domain.alive++
			e.lookDomain(h.domain)
		}
		e.dismiss(d)
		e.lookAround(h)
	}
	if _, ok := e.accused[h]; ok {
		e.refute(now, h)
	}
	if h.verdict != nil {
		if !h.verdict.shutDown() {
			e.returned(now, h)
		}
	} else if h.out {
		e.back(h)
	}
}

// suspectAll takes up what was said while nobody was judged.
func (e *Engine) suspectAll(now time.Time) {
	hosts := make([]*host, 0, len(e.accused))
	for h := range e.accused {
		if h.verdict == nil {
			hosts = append(hosts, h)
		}
	}
	slices.SortFunc(hosts, byID)
	for _, h := range hosts {
		e.suspect(now, h, urgent)
	}
}

func byID(a, b *host) int { return slices.Compare(a.ID[:], b.ID[:]) }
