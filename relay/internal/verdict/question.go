package verdict

import "time"

// question is one that is on its way: both answers come back.
type question struct {
	at        time.Time
	mute      bool // the agent did not answer
	answered  bool // it did
	kernel    Outcome
	kernelled bool // kernel is known
}

func (e *Engine) ask(d *doubt, u urgency) {
	if d.asking == idle || d.asking == queued && u < d.urgency {
		e.asks.push(d, u)
	}
}

// asked notes that it is a host's turn.
func (e *Engine) asked(now time.Time, d *doubt) {
	h := d.host
	if h.asked != nil && now.Sub(h.asked.at) < e.answerLost() {
		d.asking = behind
		return
	}
	h.asked = &question{at: now}
	d.asking, d.askedAt = out, now
	e.made.Ask = append(e.made.Ask, h.ID)
	if e.lastAsked = now; e.voucher.index == 0 {
		e.alarms.set(&e.voucher, now.Add(e.config.AskLimit/4))
	}
	if d.alarm.index == 0 {
		e.alarms.set(&d.alarm, now.Add(e.answerLost()))
	}
}

// answerLost is when an answer was lost within this program, and says nothing.
func (e *Engine) answerLost() time.Duration { return 5 * e.config.AskLimit }

func (e *Engine) echoed(now time.Time, ev Echoed) {
	h := e.hosts[ev.About]
	if h == nil {
		return
	}
	if h.asked != nil {
		h.asked.mute, h.asked.answered = !ev.OK, ev.OK
	}
	if ev.OK {
		e.hear(now, h)
	}
	e.endRound(now, h)
}

func (e *Engine) connected(now time.Time, ev Connected) {
	h := e.hosts[ev.About]
	if h == nil {
		return
	}
	if ev.Outcome == Taken || ev.Outcome == Refused {
		e.sign(now)
	}
	if h.asked != nil {
		h.asked.kernel, h.asked.kernelled = ev.Outcome, true
	}
	e.endRound(now, h)
}

// endRound concludes a round of asking once both answers are there.
func (e *Engine) endRound(now time.Time, h *host) {
	q, d := h.asked, h.doubt
	if q == nil || !q.kernelled || !q.mute && !q.answered {
		return
	}
	h.asked = nil
	switch {
	case d == nil:
		return
	case d.asking == behind:
		e.asks.push(d, d.urgency)
		return
	case d.asking != out || !q.mute:
		return
	}
	d.asking = idle
	if !d.askedAt.After(e.voided) && (q.kernel == NoAnswer || q.kernel == NoRoute) {
		e.ask(d, d.urgency)
		return
	}
	answer := nothing
	switch q.kernel {
	case Taken:
		answer = taken
	case Refused:
		answer = refused
	case NoPort:
		answer = agentOut
	}
	if answer != d.answer {
		e.count(d, answer)
		d.rounds = 0
	}
	d.rounds++
	d.answered = now
	d.vouched = e.lastHeard.After(d.askedAt)
	e.look(d)
	e.lookAround(h)
	if d.place >= 0 {
		e.lookDomain(h.domain)
	}
}

// vouched reports whether a host's silence can be its own: somebody else was
// heard while it was asked. If not, it is asked again as soon as somebody is.
func (e *Engine) vouched(now time.Time, d *doubt) bool {
	switch {
	case d.vouched || e.check.cleared.After(d.askedAt):
		return true
	case e.lastHeard.After(d.answered):
		e.count(d, unasked)
		d.rounds = 0
		e.ask(d, urgent)
	default:
		e.startCheck(now)
		e.check.retry = append(e.check.retry, func() { e.look(d) })
	}
	return false
}

// vouch asks somebody who should answer, if nobody was heard since others were
// asked: their silence counts only beside a sign of life.
func (e *Engine) vouch(now time.Time) {
	if e.lastHeard.After(e.lastAsked) {
		return
	}
	if h := e.lastSpoke; h != nil && h.domain != nil && h.verdict == nil && h.doubt == nil {
		e.ask(e.doubted(now, h), urgent)
	}
	e.askAnybody(now, 1)
}
