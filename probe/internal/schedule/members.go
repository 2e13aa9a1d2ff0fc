package schedule

import (
	"time"

	"assimilation/discovery"
)

// become replaces the collectors: those that are there already go on as they are,
// new ones are due at once, and the facts of kinds that are left without a
// collector are dropped. It never blocks.
func (s *Schedule) become(collectors []discovery.Collector) {
	for {
		select {
		case s.adopt <- collectors:
			return
		case <-s.adopt: // an older list nobody has read
		}
	}
}

func (s *Schedule) replace(collectors []discovery.Collector) {
	before := s.jobs
	s.jobs = make([]*job, len(collectors))
	kept := map[string]bool{}
	for i, c := range collectors {
		kind := c.Kind()
		kept[kind.Name] = true
		s.jobs[i] = &job{collector: c, kind: kind, enabled: s.allows(kind), due: time.Now()}
		for _, j := range before {
			if j.collector == c {
				s.jobs[i] = j
			}
		}
	}
	for _, j := range before {
		if !kept[j.kind.Name] {
			s.recorder.Drop(j.kind)
		}
	}
}
