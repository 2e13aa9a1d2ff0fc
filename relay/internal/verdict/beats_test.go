package verdict

import (
	"slices"
	"time"

	"assimilation/relay/internal/ring"
)

// edge is what a machine knows of a neighbour.
type edge struct {
	to       *machine
	state    word
	last     time.Time // beat that came, or when the edge began
	sequence int       // of its timer
	ended    bool
	deaf     bool // the neighbour's beats are lost on this edge alone
}

// reorder gives hosts their new neighbours, and tells the engine.
func (s *site) reorder(orders []ring.Order) {
	for _, o := range orders {
		s.orders++
		m := s.byID[o.Member]
		watchers := make([]ring.ID, len(o.Neighbours))
		for i, n := range o.Neighbours {
			watchers[i] = n.ID
		}
		for id, e := range m.edges {
			if !slices.Contains(watchers, id) {
				e.ended = true
				delete(m.edges, id)
				delete(m.owed, id)
			}
		}
		for _, id := range watchers {
			if m.edges[id] == nil {
				e := &edge{to: s.byID[id], last: s.now}
				m.edges[id] = e
				s.follow(m, e)
			}
		}
		if m != s.relay {
			s.step(m.placed(watchers...))
		}
	}
}

// follow lets a watcher count the beats of an edge: each of them where some are
// lost, else only the moments in which something changes.
func (s *site) follow(m *machine, e *edge) {
	e.sequence++
	sequence := e.sequence
	again := func(d time.Duration, do func()) {
		s.in(d, func() {
			if !e.ended && e.sequence == sequence {
				do()
			}
		})
	}
	if s.loss > 0 {
		var beat func()
		beat = func() {
			s.count(m, e, s.flows(e.to, m, e) && !s.lost())
			again(s.beat, beat)
		}
		again(time.Duration(s.random.Int64N(int64(s.beat))), beat)
		return
	}
	switch flows := s.flows(e.to, m, e); {
	case flows && e.state != hears:
		again(time.Duration(s.random.Int64N(int64(s.beat))), func() { s.count(m, e, s.flows(e.to, m, e)) })
	case flows:
		e.last = s.now
	case e.state == hears:
		e.last = s.now.Add(-time.Duration(s.random.Int64N(int64(s.beat)))) // when the last beat came
		again(max(e.last.Add(s.beat*5/2).Sub(s.now), 0), func() { s.count(m, e, false) })
	case e.state == none:
		again(max(e.last.Add(s.beat*5/2).Sub(s.now), 0), func() { s.count(m, e, false) })
	case s.refuses(m, e):
		again(s.beat, func() { s.count(m, e, false) })
	}
}

// refuses: the neighbour's kernel says that nobody listens.
func (s *site) refuses(m *machine, e *edge) bool {
	return e.state != portRefused && (e.to.agent == killed || e.to.agent == stopped) && s.path(e.to, m) && e.to != s.relay
}

// count is a watcher's timer: a beat came, or should have.
func (s *site) count(m *machine, e *edge, came bool) {
	if m.agent != running || m.off {
		return
	}
	switch {
	case came:
		e.last = s.now
		if e.state != hears {
			e.state = hears
			s.report(m, e.to.id, Hears{By: m.id, About: e.to.id})
		}
	case s.refuses(m, e) && !s.lost():
		e.state = portRefused
		s.report(m, e.to.id, Missed{By: m.id, About: e.to.id, Age: s.now.Sub(e.last), Refused: true})
	case e.state < missed && s.now.Sub(e.last) >= s.beat*5/2:
		e.state = missed
		s.report(m, e.to.id, Missed{By: m.id, About: e.to.id, Age: s.now.Sub(e.last)})
	}
	if s.loss == 0 && e.state != hears {
		s.follow(m, e)
	}
}

// report brings a machine's word to the relay, as soon as there is a way.
func (s *site) report(m *machine, about ring.ID, ev Event) {
	if m == s.relay {
		s.step(ev)
		return
	}
	if m.owed == nil {
		m.owed = map[ring.ID]Event{}
	}
	m.owed[about] = ev
	s.deliver(m, 2*time.Millisecond)
}

func (s *site) deliver(m *machine, after time.Duration) {
	if m.owes {
		return
	}
	m.owes = true
	s.in(after, func() {
		m.owes = false
		switch {
		case len(m.owed) == 0 || m.off:
		case m.agent != running || !s.path(m, s.relay) || s.lost():
			s.deliver(m, 300*time.Millisecond)
		default:
			about := make([]ring.ID, 0, len(m.owed))
			for id := range m.owed {
				about = append(about, id)
			}
			slices.SortFunc(about, func(a, b ring.ID) int { return slices.Compare(a[:], b[:]) })
			for _, id := range about {
				if ev, ok := m.owed[id]; ok {
					delete(m.owed, id)
					s.step(ev)
				}
			}
		}
	})
}
