package estate

import (
	"fmt"
	"slices"

	"assimilation/discovery"
	"assimilation/discovery/processes"
	"assimilation/discovery/sockets"
)

// state is what of a host changes from day to day.
type state struct {
	patch  int  // how many patches its image has
	opened bool // it listens on one port more
}

// Of a thousand hosts, how many take the day's patches, open a port or close it
// again.
const (
	patchedPerMille = 30
	openedPerMille  = 4
	closedPerMille  = 500
	// One host in so many has a package of its own.
	oneOfAKind = 40
)

// state of the host on a day; day 0 is the first.
func (e *Estate) state(h Host, day int) state {
	random := e.random(forDays, h.number)
	s := state{patch: []int{0, 1, 1, 2, 2, 2, 2, 2, 2, 2}[random.IntN(10)]}
	for range day {
		patch, port := random.IntN(1000), random.IntN(1000)
		if patch < patchedPerMille {
			s.patch++
		}
		if !s.opened {
			s.opened = port < openedPerMille
		} else {
			s.opened = port >= closedPerMille
		}
	}
	return s
}

// changing are the facts that depend on the day.
func (e *Estate) changing(h Host, s state) ([]discovery.Fact, error) {
	random := e.random(forPackages, h.number)
	own := 0
	if random.IntN(oneOfAKind) == 0 {
		own = h.number + 1
	}
	facts, err := e.packages.of(image{h.release, h.Role, s.patch}, own)
	if err != nil {
		return nil, fmt.Errorf("making packages of host %s: %w", h.Name, err)
	}
	files, err := e.files.of(image{h.release, h.Role, s.patch})
	if err != nil {
		return nil, fmt.Errorf("making checksums of host %s: %w", h.Name, err)
	}
	body := e.services(h, s.opened)
	services, err := discovery.NewFact(sockets.Kind, "", body)
	if err != nil {
		return nil, fmt.Errorf("making services of host %s: %w", h.Name, err)
	}
	made, err := discovery.NewFact(processes.Kind, "", e.processes(h, body.Services))
	if err != nil {
		return nil, fmt.Errorf("making processes of host %s: %w", h.Name, err)
	}
	return slices.Concat([]discovery.Fact{services, made}, files, facts), nil
}

// Change is what a host reports anew.
type Change struct {
	Host int
	// Before is what the facts were; nil of a new host.
	Before, After []discovery.Fact
}

// Changes calls fn with what the hosts report on a day, 1 or later, that they did
// not report the day before, in an order in which each host changes once.
func (e *Estate) Changes(day int, fn func(Change) error) error {
	for n := range e.Hosts(day) {
		if n >= e.Hosts(day-1) {
			facts, err := e.Facts(n, day)
			if err != nil {
				return err
			}
			if err := fn(Change{Host: n, After: facts}); err != nil {
				return err
			}
			continue
		}
		h := e.Host(n)
		was, is := e.state(h, day-1), e.state(h, day)
		if was == is {
			continue
		}
		before, err := e.changing(h, was)
		if err != nil {
			return err
		}
		after, err := e.changing(h, is)
		if err != nil {
			return err
		}
		c := Change{Host: n}
		for i := range after { // the same kinds and instances
			if before[i].Hash != after[i].Hash {
				c.Before, c.After = append(c.Before, before[i]), append(c.After, after[i])
			}
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}
