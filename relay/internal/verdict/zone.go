package verdict

import (
	"time"

	"assimilation/uplink"
)

// zone is a rack, room or building.
type zone struct {
	name     string
	domains  []*domain
	troubled []*domain // of them, with a doubt

	stage     stage // quiet, sampled or spent
	sampledAt time.Time
	deadline  time.Time
	sample    []*domain
	alarm     alarm

	fresh  []*verdict // about its domains, that may yet be part of one about the zone
	down   *verdict   // the newest about it
	looked bool
}

const (
	sampledDomains = 128 // of a zone, at most
	sampledMembers = 3   // of each
)

func (e *Engine) zone(name string) *zone {
	z := e.zones[name]
	if z == nil {
		z = &zone{name: name}
		z.alarm.ring = func(time.Time) { e.lookZone(z) }
		e.zones[name] = z
	}
	return z
}

func (e *Engine) leaveZone(d *domain) {
	z := d.zone
	z.calm(d)
	z.domains = without(z.domains, d)
	if len(z.domains) == 0 {
		e.alarms.unset(&z.alarm)
		delete(e.zones, z.name)
	}
}

func (z *zone) calm(d *domain) { z.troubled = without(z.troubled, d) }

func without(list []*domain, d *domain) []*domain {
	for i := range list {
		if list[i] == d {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// recentDown: the domain was found down a moment ago.
func (d *domain) recentDown(now time.Time) bool {
	return d.down != nil && d.down.body.Over == 0 && d.down.returned.IsZero() && now.Sub(d.down.at) <= freshFor
}

// dark: somebody of it does not answer, as yet, or just died.
func (e *Engine) dark(now time.Time, d *domain) bool {
	return d.recentDown(now) || d.recent(now) > 0 || d.stage > company && (d.silent() > 0 || e.overdue(now, d, 1) > 0)
}

// sampleZone asks a few members of every domain of a zone, beside those in doubt,
// when two of its domains are dark.
func (e *Engine) sampleZone(now time.Time, z *zone) {
	if z.stage == spent && now.Sub(z.sampledAt) > freshFor {
		z.stage = quiet
	}
	if z.stage != quiet || len(z.domains) < 2 {
		return
	}
	var sample []*domain
	in := map[*domain]bool{}
	take := func(d *domain) {
		if !in[d] && len(sample) < sampledDomains {
			in[d] = true
			sample = append(sample, d)
		}
	}
	for _, d := range z.troubled {
		if e.dark(now, d) {
			take(d)
		}
	}
	for _, v := range z.recent(now) {
		take(v.hosts[0].domain)
	}
	if len(sample) < 2 {
		return
	}
	for _, i := range e.random.Perm(len(z.domains)) {
		if len(sample) == sampledDomains {
			break
		}
		take(z.domains[i])
	}
	asked := 0
	for _, d := range sample {
		asked += e.askSome(now, d, sampledMembers, now.Add(-e.config.Company))
	}
	z.stage, z.sample, z.sampledAt = sampled, sample, now
	z.deadline = e.answersBy(now, asked)
	e.alarms.set(&z.alarm, z.deadline)
	e.lookZone(z)
}

func (z *zone) recent(now time.Time) []*verdict {
	kept := z.fresh[:0]
	for _, v := range z.fresh {
		if v.body.Over == 0 && v.returned.IsZero() && now.Sub(v.at) <= freshFor && v.left() > 0 {
			kept = append(kept, v)
		}
	}
	clear(z.fresh[len(kept):])
	z.fresh = kept
	return kept
}

// judgeZone decides whether it is a zone that is down, when the answers of the
// sample are there.
func (e *Engine) judgeZone(now time.Time, z *zone) {
	if z.stage != sampled || e.mayNotJudge() {
		return
	}
	late := !now.Before(z.deadline)
	live := 0
	var lost []*domain
	for _, d := range z.sample {
		if d.counts[unasked] > 0 && !late {
			return
		}
		candidates, silent := d.candidates(now), d.silent()+d.recent(now)
		switch {
		case d.recentDown(now), candidates > 0 && silent >= min(candidates, sampledMembers) && nearlyAll(silent, len(d.doubts)-d.counts[unasked]+d.recent(now)+d.alive):
			lost = append(lost, d)
			live++
		case candidates > 0:
			live++
		}
	}
	if len(lost) < 2 || !nearlyAll(len(lost), live) {
		z.stage = spent
		for _, d := range z.sample {
			e.lookDomain(d)
			for _, x := range d.doubts {
				e.look(x)
			}
		}
		return
	}
	vouched := true
	for _, d := range lost {
		vouched = e.allVouched(now, d) && vouched
	}
	if !vouched {
		return // it is looked at with the next answer
	}
	z.stage = spent
	f, parts := e.groupFinding(now, uplink.ZoneDown, lost)
	for _, v := range z.recent(now) {
		for _, h := range v.hosts {
			e.detach(h)
			f.hosts = append(f.hosts, h)
		}
		f.since = minTime(f.since, time.UnixMilli(v.body.Since))
		parts = append(parts, v)
	}
	if f.name, f.confidence = z.name, 90; f.assumed {
		f.confidence = 40
	}
	z.down = e.openGroup(now, f, parts)
	for _, d := range z.domains {
		e.askSome(now, d, len(d.members), z.sampledAt)
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
