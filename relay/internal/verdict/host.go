package verdict

import (
	"time"

	"assimilation/uplink"
)

// conclude opens the verdict that a doubt leads to, unless it is to wait: for
// company, for a sign that it is not the relay that is cut off, for its turn.
func (e *Engine) conclude(now time.Time, d *doubt, s sentence) {
	h := d.host
	if s.kind == uplink.HostDown {
		if e.inCompany(now, h.domain) {
			return // judgeDomain looks at it again
		}
		if !e.vouched(now, d) {
			return
		}
		if !d.vouched {
			s.confidence = min(s.confidence, 40) // there is nobody else to hear
		}
	}
	if wait := e.openings.wait(now); wait > 0 {
		e.alarms.set(&d.alarm, now.Add(wait))
		return
	}
	e.openings.take()
	v := e.open(now, finding{
		kind: s.kind, hosts: []*host{h}, since: h.lastSign(d.since), confidence: s.confidence, cause: h.cause,
		name: h.Domain, evidence: e.evidence(now, d),
	})
	if s.kind == uplink.HostDown {
		h.domain.fresh = append(h.domain.fresh, v)
	}
	e.poll(now, d)
}

// poll has a host that is down asked again after a while.
func (e *Engine) poll(now time.Time, d *doubt) {
	longest := longestPause
	if v := d.host.verdict; v != nil && v.body.Kind != uplink.HostDown {
		longest /= 2 // nobody watches whether its host dies
	}
	d.pause = min(max(2*d.pause, e.beats(5)), longest)
	e.alarms.set(&d.alarm, now.Add(d.pause))
}

// homecoming is how many rounds in a row the kernel of a host that was down has
// to answer without its probe, before that is worth a verdict of its own: a
// probe that has lost its relay needs some seconds to find it again.
const homecoming = 8

// weighAgain looks at a host that has a verdict: whether it is another by now.
func (e *Engine) weighAgain(now time.Time, d *doubt) {
	h := d.host
	v := h.verdict
	if d.asking != idle || v.shutDown() {
		return
	}
	if v.group() {
		if d.rounds >= 2 && (d.answer == taken || d.answer == refused) { // what it stands behind is back, its agent is not
			e.detach(h)
			e.someReturned(now, v)
			h.cause, h.silent = v.body.ID, true
			e.joinEpisode(now, d)
			e.look(d)
		}
		return // the group has it asked
	}
	kind := v.body.Kind
	switch d.answer {
	case nothing:
		if kind != uplink.ProbeDown || d.heardKernel {
			kind = uplink.HostDown
		}
	case taken:
		kind, d.heardKernel = uplink.ProbeUnresponsive, true
	case refused:
		kind, d.heardKernel = uplink.ProbeDown, true
	}
	switch {
	case kind == v.body.Kind:
		if d.alarm.index == 0 {
			if d.answered.Add(d.pause).After(now) {
				e.alarms.set(&d.alarm, d.answered.Add(d.pause))
			} else {
				e.ask(d, polling)
				e.poll(now, d)
			}
		}
	case d.rounds < 2 || v.body.Kind == uplink.HostDown && d.rounds < homecoming:
		e.ask(d, urgent)
	case kind == uplink.HostDown && !e.vouched(now, d):
	default:
		f := finding{kind: kind, hosts: []*host{h}, since: h.lastSign(d.since), confidence: 70, name: h.Domain, evidence: e.evidence(now, d)}
		if kind == uplink.HostDown {
			f.since = maxTime(f.since, v.at)
			if group := h.domain.recentGroup(now); group != nil {
				old := v
				e.detach(h)
				e.join(now, group, h)
				old.body.Cause = group.body.ID
				e.end(now, old, endedPart)
				return
			}
		}
		e.replace(now, h, f)
		e.poll(now, d)
	}
}

// evidence puts down what speaks for and against a host.
func (e *Engine) evidence(now time.Time, d *doubt) []uplink.Evidence {
	h := d.host
	about := hostID(h.ID)
	var list []uplink.Evidence
	for i := range h.watchers() {
		w := &h.watch[i]
		switch {
		case w.accuses():
			list = append(list, missedEvidence(e.config.Self, h, w))
			if w.late {
				list = append(list, uplink.Evidence{Kind: uplink.WitnessLate, At: w.at.UnixMilli(), By: hostID(w.by), About: about})
			}
		case w.by == e.config.Self:
		case e.hosts[w.by] == nil || e.hosts[w.by].verdict != nil || e.hosts[w.by].doubt != nil:
			list = append(list, uplink.Evidence{Kind: uplink.WitnessGone, At: now.UnixMilli(), By: hostID(w.by), About: about})
		case w.word == hears:
			list = append(list, uplink.Evidence{Kind: uplink.StillHears, At: w.at.UnixMilli(), By: hostID(w.by), About: about})
		}
	}
	if h.unheard {
		list = append(list, uplink.Evidence{Kind: uplink.OrderUnheard, At: d.since.UnixMilli(), About: about})
	}
	if d.answer != unasked {
		asked := (time.Duration(d.rounds) * e.config.AskLimit).Milliseconds()
		list = append(list, uplink.Evidence{Kind: uplink.NoEcho, At: d.answered.UnixMilli(), About: about, Age: asked})
		switch d.answer {
		case nothing:
			list = append(list, uplink.Evidence{Kind: uplink.NoConnect, At: d.answered.UnixMilli(), About: about, Age: asked})
		case taken:
			list = append(list, uplink.Evidence{Kind: uplink.ConnectTaken, At: d.answered.UnixMilli(), About: about})
		case refused:
			list = append(list, uplink.Evidence{Kind: uplink.ConnectRefused, At: d.answered.UnixMilli(), About: about})
		}
	}
	return list
}
