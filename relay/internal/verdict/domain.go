package verdict

import (
	"time"

	"assimilation/uplink"
)

type domainKey struct{ zone, domain string }

// domain is a switch, or a subnet, and the doubts about its members: an episode
// begins with the first of them and ends with the last.
type domain struct {
	name    string
	zone    *zone
	members []*host
	judged  int // members that have a verdict

	stage    stage
	first    time.Time // doubt of the episode
	sweptAt  time.Time
	deadline time.Time // for the answers to a sweep
	doubts   []*doubt
	counts   [answers]int // of them
	alive    int          // members that were doubted and heard
	alarm    alarm

	fresh  []*verdict // about single hosts, that may yet be part of one about all
	down   *verdict   // the newest about all
	looked bool
}

// stage is how far an episode is.
type stage uint8

const (
	quiet   stage = iota // nobody is doubted
	company              // the first doubt waits for others
	single               // there were no others in time
	sampled              // some of many members are asked
	whole                // all are asked
	spent                // it was not the domain
)

const (
	sampleAbove = 64               // members: then a sample is asked first
	sampleSize  = 16               // of them
	freshFor    = 10 * time.Second // for so long a verdict may become part of a greater one
	groupFor    = time.Minute      // and this long a greater one takes in who is found later
)

func (e *Engine) joinDomain(h *host) {
	key := domainKey{h.Zone, h.Domain}
	d := e.domains[key]
	if d == nil {
		d = &domain{name: h.Domain, zone: e.zone(h.Zone)}
		d.alarm.ring = func(now time.Time) { e.ringDomain(now, d) }
		d.zone.domains = append(d.zone.domains, d)
		e.domains[key] = d
	}
	h.domain, h.place = d, len(d.members)
	d.members = append(d.members, h)
	if h.verdict != nil {
		d.judged++
	}
}

func (e *Engine) leaveDomain(h *host) {
	d := h.domain
	if h.doubt != nil {
		e.leaveEpisode(h.doubt)
	}
	if h.verdict != nil {
		d.judged--
	}
	last := len(d.members) - 1
	d.members[h.place] = d.members[last]
	d.members[h.place].place = h.place
	d.members[last] = nil
	d.members = d.members[:last]
	if h.domain = nil; last == 0 {
		e.alarms.unset(&d.alarm)
		delete(e.domains, domainKey{d.zone.name, d.name})
		e.leaveZone(d)
	}
}

func (e *Engine) joinEpisode(now time.Time, d *doubt) {
	in := d.host.domain
	switch {
	case in.stage == quiet:
		in.zone.troubled = append(in.zone.troubled, in)
	case in.stage == spent && now.Sub(in.sweptAt) > freshFor:
	default:
		in.add(d)
		return
	}
	in.stage, in.first, in.alive = company, now, 0
	e.alarms.set(&in.alarm, now.Add(e.config.Company))
	in.add(d)
}

func (d *domain) add(x *doubt) {
	x.place = len(d.doubts)
	d.doubts = append(d.doubts, x)
	d.counts[x.answer]++
}

func (e *Engine) leaveEpisode(x *doubt) {
	if x.place < 0 {
		return
	}
	d := x.host.domain
	last := len(d.doubts) - 1
	d.doubts[x.place] = d.doubts[last]
	d.doubts[x.place].place = x.place
	d.doubts[last] = nil
	d.doubts = d.doubts[:last]
	d.counts[x.answer]--
	x.place = -1
	if last == 0 {
		d.stage = quiet
		e.alarms.unset(&d.alarm)
		d.zone.calm(d)
	}
}

// count notes what a round of asking brought.
func (e *Engine) count(d *doubt, a answer) {
	if d.place >= 0 {
		d.host.domain.counts[d.answer]--
		d.host.domain.counts[a]++
	}
	d.answer = a
}

// silent are the doubted members that answered in no way.
func (d *domain) silent() int { return d.counts[nothing] + d.counts[agentOut] }

// recent counts the single hosts that died a moment ago.
func (d *domain) recent(now time.Time) int {
	kept := d.fresh[:0]
	for _, v := range d.fresh {
		if v.body.Over == 0 && now.Sub(v.at) <= freshFor {
			kept = append(kept, v)
		}
	}
	clear(d.fresh[len(kept):])
	d.fresh = kept
	return len(kept)
}

// candidates are the members of which it is not known for long that they are
// down.
func (d *domain) candidates(now time.Time) int { return len(d.members) - d.judged + d.recent(now) }

// recentGroup is the verdict about all of a domain or its zone, that a member
// found silent now belongs to; nil: none.
func (d *domain) recentGroup(now time.Time) *verdict {
	for _, v := range []*verdict{d.zone.down, d.down} {
		if v != nil && v.body.Over == 0 && v.returned.IsZero() && now.Sub(v.at) <= groupFor {
			return v
		}
	}
	return nil
}

func (e *Engine) ringDomain(now time.Time, d *domain) {
	if d.stage == company {
		d.stage = single
		if !e.lastHeard.After(d.first) {
			e.startCheck(now)
		}
	}
	for _, x := range d.doubts {
		e.look(x)
	}
	e.lookDomain(d)
}

// judgeDomain decides whether it is a domain that is down, as far as it is
// known by now.
func (e *Engine) judgeDomain(now time.Time, d *domain) {
	if d.stage == quiet || d.stage == company || e.mayNotJudge() {
		return
	}
	e.sampleZone(now, d.zone)
	if d.zone.stage == sampled {
		e.lookZone(d.zone)
	}
	silent, late := d.silent()+d.recent(now), !now.Before(d.deadline)
	complete := d.counts[unasked] == 0 || late
	switch candidates := d.candidates(now); {
	case silent >= 2 && nearlyAll(silent, candidates) && complete:
		e.lose(now, d)
	case d.stage == single:
		e.sweep(now, d)
	case !complete || d.stage == spent:
	case d.stage == sampled && nearlyAll(silent, len(d.doubts)+d.recent(now)+d.alive):
		d.stage = whole
		e.askMembers(now, d)
	default:
		d.stage = spent
		for _, x := range d.doubts {
			e.look(x)
		}
	}
}

// nearlyAll is four of five at least.
func nearlyAll(part, all int) bool { return 5*part >= 4*all }

// lose opens the verdict about a domain, unless it may be one about its zone, or
// the relay is cut off.
func (e *Engine) lose(now time.Time, d *domain) {
	if d.zone.stage == sampled {
		return // judgeZone looks at it again
	}
	if !e.allVouched(now, d) {
		return // it is looked at with the next answer
	}
	d.stage = spent
	f, parts := e.groupFinding(now, uplink.SwitchDown, []*domain{d})
	f.name = d.name
	switch {
	case f.assumed:
		f.confidence = 40
	case len(f.hosts) == 2:
		f.confidence = 75
	default:
		f.confidence = 95
	}
	d.down = e.openGroup(now, f, parts)
	d.zone.fresh = append(d.zone.fresh, d.down)
}

// allVouched is vouched, for all silent members.
func (e *Engine) allVouched(now time.Time, d *domain) bool {
	all := true
	for _, x := range d.doubts {
		if (x.answer == nothing || x.answer == agentOut) && !e.vouched(now, x) {
			all = false
		}
	}
	return all
}
