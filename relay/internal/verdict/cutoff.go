package verdict

import (
	"slices"
	"time"

	"assimilation/uplink"
)

const (
	checkSize    = 16              // hosts that are asked whether the relay hears anybody
	startGrace   = 5               // beats, in which nobody is judged after the start or a return
	bootPatience = 2 * time.Minute // that hosts have to come back after the relay's start
	cutPatience  = time.Minute     // and after it was cut off
)

// siteCheck is a sample of hosts being asked, because the relay may be the one
// that is cut off.
type siteCheck struct {
	at      time.Time
	sample  []*doubt
	retry   []func()  // what waits for its end
	cleared time.Time // the last that found nobody silent but one
	alarm   alarm     // set: it is under way
}

// mayNotJudge: the relay just began, or is cut off.
func (e *Engine) mayNotJudge() bool { return e.cut != nil || e.grace.index != 0 }

func (e *Engine) startCheck(now time.Time) {
	c := &e.check
	if c.alarm.index != 0 || e.cut != nil {
		return
	}
	c.at, c.sample = now, e.askAnybody(now, checkSize)
	e.alarms.set(&c.alarm, now.Add(e.config.AskLimit))
}

// askAnybody asks some hosts, by chance, that are not known to be down.
func (e *Engine) askAnybody(now time.Time, n int) (asked []*doubt) {
	for range 4 * n {
		if len(asked) == n || len(e.list) == 0 {
			break
		}
		h := e.list[e.random.IntN(len(e.list))]
		if h.verdict == nil && (h.doubt == nil || h.doubt.asking == idle && h.doubt.answer == unasked) {
			d := e.doubted(now, h)
			e.ask(d, urgent)
			asked = append(asked, d)
		}
	}
	return asked
}

// sign: some host lives, and the relay hears it.
func (e *Engine) sign(now time.Time) {
	e.lastHeard = now
	if c := &e.check; c.alarm.index != 0 {
		e.alarms.unset(&c.alarm)
		e.retryChecked()
	}
	if e.cut != nil {
		e.reachable(now)
	}
}

func (e *Engine) retryChecked() {
	retry := e.check.retry
	e.check.retry, e.check.sample = nil, nil
	for _, look := range retry {
		look()
	}
}

// endCheck: nobody was heard as yet. When all answers are there, none of them a
// sign of life, it is the relay that is cut off.
func (e *Engine) endCheck(now time.Time) {
	c := &e.check
	if now.Sub(c.at) < e.answerLost() && slices.ContainsFunc(c.sample, func(d *doubt) bool { return !d.closed && d.answer == unasked }) {
		e.alarms.set(&c.alarm, now.Add(100*time.Millisecond))
		return
	}
	silent := 0
	for _, h := range e.list {
		if d := h.doubt; d != nil && h.verdict == nil && (d.answer == nothing || d.answer == agentOut) {
			silent++
		}
	}
	if silent >= 2 || silent > 0 && !e.noCarrier.IsZero() {
		e.cutOff(now)
		return
	}
	c.cleared = now
	e.retryChecked()
}

// cutOff concludes that the relay hears nobody. What it thought of hosts since
// then is worth nothing; what it knew before stands.
func (e *Engine) cutOff(now time.Time) {
	e.check.retry, e.check.sample = nil, nil
	since := e.lastHeard
	if since.IsZero() {
		since = e.started
	}
	deaf := uplink.Evidence{Kind: uplink.RelayDeaf, At: now.UnixMilli(), Age: now.Sub(since).Milliseconds()}
	for _, h := range e.list {
		if h.verdict == nil {
			deaf.Count++
		}
	}
	f := finding{kind: uplink.SiteCutOff, since: since, confidence: 90, evidence: []uplink.Evidence{deaf}}
	if !e.noCarrier.IsZero() {
		f.confidence = 99
		f.evidence = append(f.evidence, uplink.Evidence{Kind: uplink.NoCarrier, At: e.noCarrier.UnixMilli()})
	}
	e.dropDoubts()
	e.alarms.unset(&e.grace)
	e.cut = e.open(now, f)
	e.listen(now)
}

// dropDoubts forgets all that is not concluded. The words of witnesses stay.
func (e *Engine) dropDoubts() {
	for _, h := range e.list {
		if h.doubt != nil && h.verdict == nil {
			e.dismiss(h.doubt)
		}
	}
}

// listen asks a few hosts, again and again, as long as none is heard.
func (e *Engine) listen(now time.Time) {
	for _, d := range e.check.sample {
		if !d.closed && d.asking == idle && d.host.verdict == nil {
			e.dismiss(d)
		}
	}
	e.check.sample = e.askAnybody(now, 4)
	e.cut.alarm.ring = e.listen
	e.alarms.set(&e.cut.alarm, now.Add(e.beats(2)))
}

// reachable: the relay hears somebody again. All others get the time to speak
// before any of them is judged.
func (e *Engine) reachable(now time.Time) {
	v := e.cut
	e.cut = nil
	e.end(now, v, endedBack)
	e.dropDoubts()
	e.check.sample = nil
	e.pause(now, startGrace, cutPatience)
	e.calmUntil = now.Add(cutPatience)
}

// pause lets nobody be judged for some beats, and those whose session is silent
// for longer.
func (e *Engine) pause(now time.Time, beats float64, patience time.Duration) {
	e.alarms.set(&e.grace, now.Add(max(e.beats(beats), 3*time.Second)))
	e.alarms.set(&e.patience, now.Add(patience))
}

func (e *Engine) endGrace(now time.Time) { e.suspectAll(now) }

func (e *Engine) silent(now time.Time, h *host) {
	h.silent = true
	e.quiet[h] = struct{}{}
	if now.Before(e.calmUntil) || h.heard.IsZero() && e.patience.index != 0 {
		return // endPatience looks at it
	}
	e.suspect(now, h, sweeping)
}

func (e *Engine) endPatience(now time.Time) {
	e.endAbsent(now)
	hosts := make([]*host, 0, len(e.quiet))
	for h := range e.quiet {
		if h.verdict == nil {
			hosts = append(hosts, h)
		}
	}
	slices.SortFunc(hosts, byID)
	for _, h := range hosts {
		e.suspect(now, h, sweeping)
	}
}

func (e *Engine) carrier(now time.Time, up bool) {
	switch {
	case up:
		e.noCarrier = time.Time{}
		if e.cut != nil {
			e.listen(now)
		}
	case e.noCarrier.IsZero():
		e.noCarrier = now
		if e.cut == nil && len(e.list) > 0 {
			e.startCheck(now)
		}
	}
}
