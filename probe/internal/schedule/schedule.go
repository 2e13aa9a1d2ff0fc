// Package schedule runs the collectors: all once at the start, then each when
// the kernel tells of a change or its interval is over, never two at a time.
//
// It keeps to a budget: after a collection it rests its kind for restFactor
// times as long as that took, so that an event storm costs a share of one CPU
// and not the host. A collector that panics, fails or hangs is a problem in the
// ledger; it never takes the probe down.
package schedule

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"assimilation/discovery"
)

const (
	debounce   = 300 * time.Millisecond // quiet time after an event before looking
	patience   = 2 * time.Second        // events that never pause are looked at anyway
	minRest    = time.Second            // between two collections of one kind
	restFactor = 20                     // a kind may use 1/20 of one CPU
	jitter     = 0.1                    // of an interval, so that hosts do not march in step
	hangRetry  = time.Minute            // a collector that ignores its timeout is asked again then
)

// Recorder takes the outcome of collections.
type Recorder interface {
	Record(kind discovery.Kind, facts []discovery.Fact, err error, at time.Time)
	Drop(kind discovery.Kind)
}

// Schedule runs collectors until its context ends.
type Schedule struct {
	recorder Recorder
	log      *slog.Logger
	jobs     []*job
	wake     chan struct{} // some job's hinted is set
	allow    chan []string
	settled  func()
	allowed  []string // none: all
	// members runs the collectors that a family has, in its own time: a script that
	// takes minutes keeps no event waiting. nil: no collector is a family.
	members *Schedule
	adopt   chan []discovery.Collector
}

// job is one collector and when it is due.
type job struct {
	collector discovery.Collector
	kind      discovery.Kind
	enabled   bool
	due       time.Time // of the next collection by interval
	early     time.Time // of the next collection by events; zero: none asked for
	firstHint time.Time // first event since the last collection
	rest      time.Time // no event may ask for a collection before this
	hinted    atomic.Bool
	busy      chan outcome
	found     bool     // it has been collected with success
	digest    [32]byte // of what was found, see follow
	panicked  string   // text of the last panic, so that it is logged once
}

// New prepares the collectors. Settled is called once, after the first
// collection of all of them.
func New(collectors []discovery.Collector, recorder Recorder, log *slog.Logger, settled func()) *Schedule {
	s := &Schedule{
		recorder: recorder,
		log:      log,
		wake:     make(chan struct{}, 1),
		allow:    make(chan []string, 1),
		settled:  settled,
		adopt:    make(chan []discovery.Collector, 1),
	}
	for _, c := range collectors {
		s.jobs = append(s.jobs, &job{collector: c, kind: c.Kind(), enabled: true})
		if _, ok := c.(discovery.Family); ok && s.members == nil {
			s.members = New(nil, recorder, log, func() {})
		}
	}
	return s
}

// Allow restricts collection to the named kinds; none means all. The facts of
// a kind that is no longer allowed are dropped. It never blocks.
func (s *Schedule) Allow(kinds []string) {
	if s.members != nil {
		s.members.Allow(kinds)
	}
	for {
		select {
		case s.allow <- slices.Clone(kinds):
			return
		case <-s.allow: // an older word nobody has read
		}
	}
}

// Run collects until ctx ends and all watchers have returned.
func (s *Schedule) Run(ctx context.Context) {
	var watchers sync.WaitGroup
	defer watchers.Wait()
	if s.members != nil {
		watchers.Go(func() { s.members.Run(ctx) })
	}
	now := time.Now()
	for _, j := range s.jobs {
		j.due = now
		if w, ok := j.collector.(discovery.Watcher); ok {
			watchers.Go(func() { s.watch(ctx, w, j) })
		}
	}
	for first := true; ctx.Err() == nil; {
		if j := s.next(time.Now()); j != nil {
			s.collect(ctx, j)
			continue
		}
		if first {
			first = false
			s.settled()
		}
		s.idle(ctx)
	}
}

// next is the most overdue job, in the order of the list among equals.
func (s *Schedule) next(now time.Time) *job {
	var chosen *job
	for _, j := range s.jobs {
		if j.enabled && !j.at().After(now) && (chosen == nil || j.at().Before(chosen.at())) {
			chosen = j
		}
	}
	return chosen
}

func (j *job) at() time.Time {
	if !j.early.IsZero() && j.early.Before(j.due) {
		return j.early
	}
	return j.due
}

// idle waits until a job is due or something is heard.
func (s *Schedule) idle(ctx context.Context) {
	wake := time.Now().Add(time.Hour)
	for _, j := range s.jobs {
		if j.enabled && j.at().Before(wake) {
			wake = j.at()
		}
	}
	timer := time.NewTimer(time.Until(wake))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case kinds := <-s.allow:
		s.restrict(kinds)
	case members := <-s.adopt:
		s.replace(members)
	case <-s.wake:
		for _, j := range s.jobs {
			if j.hinted.Swap(false) {
				j.hint(time.Now())
			}
		}
	}
}

// hint plans a collection for an event: debounce after the last event, but at
// most patience after the first one and never before the rest is over.
func (j *job) hint(now time.Time) {
	if j.early.IsZero() {
		j.firstHint = now
	}
	j.early = now.Add(debounce)
	if limit := j.firstHint.Add(patience); j.early.After(limit) {
		j.early = limit
	}
	if j.early.Before(j.rest) {
		j.early = j.rest
	}
}

func (s *Schedule) restrict(kinds []string) {
	s.allowed = kinds
	for _, j := range s.jobs {
		enabled := s.allows(j.kind)
		if enabled == j.enabled {
			continue
		}
		j.enabled = enabled
		if enabled {
			j.due = time.Now()
			if j.due.Before(j.rest) { // a relay that changes its mind all the time costs no more than events
				j.due = j.rest
			}
			continue
		}
		s.log.Info("kind switched off by the relay", "kind", j.kind.Name)
		s.recorder.Drop(j.kind)
	}
}

func (s *Schedule) allows(kind discovery.Kind) bool {
	return len(s.allowed) == 0 || slices.Contains(s.allowed, kind.Name)
}

// watch notes events until ctx ends. A watch that fails leaves its kind to the
// interval, after which it is tried again: the directory that was removed or the
// limit of the kernel that was reached may be no more.
func (s *Schedule) watch(ctx context.Context, w discovery.Watcher, j *job) {
	level := slog.LevelWarn
	for {
		err := guarded(func() error {
			return w.Watch(ctx, func() {
				j.hinted.Store(true)
				select {
				case s.wake <- struct{}{}:
				default: // a wake is on its way already
				}
			})
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		s.log.Log(ctx, level, "watching for changes ended; collecting by interval", "kind", j.kind.Name, "interval", j.kind.Interval, "error", err)
		level = slog.LevelDebug // said once
		again := time.NewTimer(jittered(j.kind.Interval))
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
	}
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + jitter*(2*rand.Float64()-1)))
}
