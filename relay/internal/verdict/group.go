package verdict

import (
	"time"

	"assimilation/uplink"
)

// groupFinding puts together the silent members of domains, and the verdicts
// about single ones that become part of it.
func (e *Engine) groupFinding(now time.Time, kind uplink.VerdictKind, domains []*domain) (f finding, parts []*verdict) {
	f = finding{kind: kind, since: now}
	var words, silences []uplink.Evidence
	for _, d := range domains {
		f.since = minTime(f.since, d.first)
		for _, x := range d.doubts {
			if x.answer != nothing && x.answer != agentOut {
				continue
			}
			h := x.host
			f.hosts = append(f.hosts, h)
			for i := range h.watch {
				if w := &h.watch[i]; w.accuses() {
					words = append(words, missedEvidence(e.config.Self, h, w))
					f.since = minTime(f.since, w.at.Add(-w.age))
				}
			}
			missing := uplink.NoConnect
			if x.answer == agentOut {
				missing = uplink.NoEcho
			}
			silences = append(silences, uplink.Evidence{Kind: missing, At: x.answered.UnixMilli(), About: hostID(h.ID), Age: e.config.AskLimit.Milliseconds()})
		}
		d.recent(now)
		for _, v := range d.fresh {
			for _, h := range v.hosts {
				e.detach(h)
				f.hosts = append(f.hosts, h)
			}
			f.since = minTime(f.since, time.UnixMilli(v.body.Since))
			words = append(words, v.body.Evidence...)
			parts = append(parts, v)
		}
		d.fresh = nil
	}
	for _, h := range f.hosts {
		f.assumed = f.assumed || h.Assumed
	}
	f.evidence = append(words[:min(len(words), uplink.MaxEvidence/2)], silences...)
	f.evidence = f.evidence[:min(len(f.evidence), uplink.MaxEvidence)]
	return f, parts
}

// openGroup opens a verdict about many, and ends those that are part of it.
func (e *Engine) openGroup(now time.Time, f finding, parts []*verdict) *verdict {
	v := e.open(now, f)
	for _, part := range parts {
		part.body.Cause = v.body.ID
		e.end(now, part, endedPart)
	}
	e.setTend(v)
	v.toldAt, v.pause = now, e.beats(5)
	e.alarms.set(&v.alarm, now.Add(v.pause))
	return v
}

// setTend has a verdict about many looked after when its alarm rings.
func (e *Engine) setTend(v *verdict) {
	v.alarm.ring = func(now time.Time) { e.tend(now, v) }
}

// join adds a host that is found silent later.
func (e *Engine) join(now time.Time, v *verdict, h *host) {
	e.hold(v, h)
	if due := maxTime(now.Add(e.config.AskLimit), v.toldAt.Add(growthPause)); v.alarm.index == 0 || v.alarm.at.After(due) {
		e.alarms.set(&v.alarm, due)
	}
}

const (
	growthPause  = 5 * time.Second // between two records of one that grows
	polled       = 8               // members of a group that are asked whether they are back
	returnBeats  = 10              // in which those of a group may return one after the other
	returnRounds = 6               // of that time, until the rest is judged anew
)

// tend looks after a verdict about many: tells that it grew, asks whether they
// are back, and ends it when nearly all are.
func (e *Engine) tend(now time.Time, v *verdict) {
	left, since := v.left(), now.Sub(v.returned)
	nearly := v.absent == 0 && (left == 1 || nearlyAll(v.all-left, v.all))
	if v.grown {
		v.toldAt = now
		e.tell(v)
	}
	switch {
	case left+v.absent == 0:
		e.end(now, v, endedBack)
	case v.returned.IsZero():
		for range min(polled, left) {
			h := v.hosts[e.random.IntN(left)]
			e.ask(e.doubted(now, h), polling)
		}
		e.alarms.set(&v.alarm, now.Add(v.pause))
		v.pause = min(2*v.pause, longestPause)
	case nearly && since >= e.beats(returnBeats), since >= returnRounds*e.beats(returnBeats):
		rest := append([]*host(nil), v.hosts...)
		for _, h := range rest {
			e.detach(h)
			h.cause, h.silent = v.body.ID, true
			e.quiet[h] = struct{}{}
			if h.doubt != nil {
				e.dismiss(h.doubt)
			}
		}
		e.end(now, v, endedBack)
		for _, h := range rest {
			e.suspect(now, h, sweeping)
		}
	default:
		e.alarms.set(&v.alarm, now.Add(e.beats(returnBeats)))
	}
}

// someReturned: a member of a group lives. Where one is back, the others may be.
func (e *Engine) someReturned(now time.Time, v *verdict) {
	left := v.left() + v.absent
	if left == 0 {
		e.end(now, v, endedBack)
		return
	}
	if v.returned.IsZero() {
		v.returned = now
		v.add(uplink.Evidence{Kind: uplink.HeardAgain, At: now.UnixMilli(), Count: 1})
		e.alarms.set(&v.alarm, now.Add(e.beats(returnBeats)))
		for _, h := range v.hosts {
			e.ask(e.doubted(now, h), sweeping)
		}
	}
}
