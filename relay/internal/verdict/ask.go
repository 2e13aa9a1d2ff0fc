package verdict

import "time"

// urgency orders what waits to be asked.
type urgency uint8

const (
	urgent   urgency = iota // a suspect, its witnesses
	sweeping                // other members of its domain or zone
	polling                 // one that is known to be down: is it back?
	urgencies
)

// asker paces what the relay asks: so many hosts in a second, a second's worth
// at once, and a tenth of that for polling.
type asker struct {
	queues [urgencies][]*doubt
	all    bucket
	polls  bucket
}

func newAsker(budget int) asker {
	return asker{all: newBucket(float64(budget)), polls: newBucket(float64(budget) / 10)}
}

func (a *asker) push(d *doubt, u urgency) {
	d.asking, d.urgency = queued, u
	a.queues[u] = append(a.queues[u], d)
}

// next is whose turn it is; nil: nobody's, now.
func (a *asker) next(now time.Time) *doubt {
	for u := range a.queues {
		for len(a.queues[u]) > 0 {
			d := a.queues[u][0]
			if d.asking != queued || d.urgency != urgency(u) { // no more wanted, or more urgently
				a.drop(u)
				continue
			}
			if urgency(u) == polling && a.polls.wait(now) > 0 {
				break
			}
			if a.all.wait(now) > 0 {
				return nil
			}
			a.all.take()
			if urgency(u) == polling {
				a.polls.take()
			}
			a.drop(u)
			return d
		}
	}
	return nil
}

func (a *asker) drop(u int) {
	a.queues[u][0] = nil
	if a.queues[u] = a.queues[u][1:]; len(a.queues[u]) == 0 {
		a.queues[u] = nil // lets go of the array
	}
}

// wake is when the next may be asked; zero: nobody waits.
func (a *asker) wake(now time.Time) time.Time {
	switch {
	case len(a.queues[urgent])+len(a.queues[sweeping]) > 0:
		return now.Add(a.all.wait(now))
	case len(a.queues[polling]) > 0:
		return now.Add(max(a.all.wait(now), a.polls.wait(now)))
	}
	return time.Time{}
}

// bucket holds what may be spent: it fills at a rate per second, and holds a
// second's worth.
type bucket struct {
	rate, level float64
	at          time.Time
}

func newBucket(rate float64) bucket { return bucket{rate: max(rate, 1), level: max(rate, 1)} }

// wait is how long until one may be taken.
func (b *bucket) wait(now time.Time) time.Duration {
	if passed := now.Sub(b.at); passed > 0 {
		if !b.at.IsZero() {
			b.level = min(b.rate, b.level+b.rate*passed.Seconds())
		}
		b.at = now
	}
	if b.level >= 1 {
		return 0
	}
	return time.Duration((1-b.level)/b.rate*float64(time.Second)) + time.Microsecond
}

func (b *bucket) take() { b.level-- }
