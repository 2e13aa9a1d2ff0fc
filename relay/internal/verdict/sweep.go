package verdict

import "time"

// inCompany reports whether a verdict about one member has to wait for what
// becomes of the others.
func (e *Engine) inCompany(now time.Time, d *domain) bool {
	switch d.stage {
	case company, sampled, whole:
		return true
	case single:
		return e.sweep(now, d)
	}
	return false
}

// sweep asks the members of a domain of which two are in doubt and gave no
// answer yet, or died just now.
func (e *Engine) sweep(now time.Time, d *domain) bool {
	if d.zone.stage == sampled {
		return true // judgeZone looks at it again
	}
	if d.silent()+d.recent(now)+e.overdue(now, d, 2) < 2 {
		return false
	}
	d.stage = whole
	if len(d.members) > sampleAbove {
		d.stage = sampled
	}
	e.askMembers(now, d)
	return true
}

func (e *Engine) askMembers(now time.Time, d *domain) {
	n := len(d.members)
	if d.stage == sampled {
		n = sampleSize
	}
	asked := e.askSome(now, d, n, d.first)
	d.sweptAt = now
	d.deadline = e.answersBy(now, asked)
	e.alarms.set(&d.alarm, d.deadline)
	e.lookDomain(d)
}

// answersBy is when a sweep of n hosts is given up.
func (e *Engine) answersBy(now time.Time, n int) time.Time {
	return now.Add(2*e.config.AskLimit + time.Duration(n+len(e.asks.queues[urgent])+len(e.asks.queues[sweeping]))*time.Second/time.Duration(e.config.Budget))
}

// askSome asks up to n members, by chance, that nobody doubts yet and that were
// not heard since.
func (e *Engine) askSome(now time.Time, d *domain, n int, since time.Time) (asked int) {
	members := d.members
	if n < len(members) {
		members = append([]*host(nil), members...)
		e.random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	}
	for _, h := range members {
		if asked == n {
			break
		}
		if h.verdict == nil && h.doubt == nil && !h.heard.After(since) {
			e.ask(e.doubted(now, h), sweeping)
			asked++
		}
	}
	return asked
}

// overdue counts the doubted members, up to so many, that were asked and would
// have answered by now if they lived; not those that wait for their turn.
func (e *Engine) overdue(now time.Time, d *domain, most int) (n int) {
	if d.counts[unasked] == 0 {
		return 0
	}
	for _, x := range d.doubts {
		if x.answer == unasked && x.asking == out && now.Sub(x.askedAt) >= e.config.Company/2 {
			if n++; n == most {
				break
			}
		}
	}
	return n
}
