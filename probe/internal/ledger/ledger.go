// Package ledger holds what a probe knows about its host now: the newest fact
// of every (kind, instance) and what is wrong with those that it could not
// make. Collections write it, the session with the relay reads it.
//
// It is bounded by the limits of package discovery and keeps no history: a
// fact that changes five times while the relay is away is one fact.
package ledger

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"assimilation/discovery"
	"assimilation/wire"
)

// Key names one fact of this host.
type Key struct{ Kind, Instance string }

// Held is a fact and when its content was first seen.
type Held struct {
	discovery.Fact
	ObservedAt time.Time
}

// Problem is what the relay is told about a fact that is missing or incomplete.
type Problem struct {
	Reason wire.Reason
	Detail string // at most 1024 bytes
}

// Ledger is safe for concurrent use.
type Ledger struct {
	mu         sync.Mutex
	generation uint64
	facts      map[Key]Held
	complete   map[string]bool // kinds whose first collection has ended
	problems   map[Key]Problem
	refused    map[Key]discovery.Hash // contents that the relay would not take
	changed    chan struct{}
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{
		facts:    map[Key]Held{},
		complete: map[string]bool{},
		problems: map[Key]Problem{},
		refused:  map[Key]discovery.Hash{},
		changed:  make(chan struct{}, 1),
	}
}

// Changed has a value after a change; several changes may share one.
func (l *Ledger) Changed() <-chan struct{} { return l.changed }

func (l *Ledger) touch() {
	l.generation++
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Record takes the outcome of one collection of a kind. Facts replace those
// held, unless the collection failed: then the last known ones stay, because a
// failed look is no proof that something is gone.
func (l *Ledger) Record(kind discovery.Kind, facts []discovery.Fact, err error, at time.Time) {
	problems, usable := judge(kind.Name, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.problemsOf(kind.Name)
	if usable && (err == nil || len(facts) > 0) {
		l.replace(kind.Name, facts, problems, at)
	}
	if !maps.Equal(before, problems) {
		maps.DeleteFunc(l.problems, func(k Key, _ Problem) bool { return k.Kind == kind.Name })
		maps.Copy(l.problems, problems)
		l.touch()
	}
}

func (l *Ledger) problemsOf(kind string) map[Key]Problem {
	found := map[Key]Problem{}
	for key, p := range l.problems {
		if key.Kind == kind {
			found[key] = p
		}
	}
	return found
}

// replace takes the whole set of a kind's facts; what it must refuse it adds to
// problems.
func (l *Ledger) replace(kind string, facts []discovery.Fact, problems map[Key]Problem, at time.Time) {
	present := make(map[Key]bool, len(facts))
	dirty := !l.complete[kind]
	l.complete[kind] = true
	for _, fact := range facts {
		key := Key{kind, fact.Instance}
		if where, why, ok := l.acceptable(kind, fact, present); !ok {
			problems[where] = why
			continue
		}
		present[key] = true
		if l.facts[key].Hash == fact.Hash {
			continue
		}
		l.facts[key] = Held{fact, at}
		delete(l.refused, key)
		dirty = true
	}
	for key := range l.facts {
		if key.Kind == kind && !present[key] {
			delete(l.facts, key)
			delete(l.refused, key)
			dirty = true
		}
	}
	if dirty {
		l.touch()
	}
}

// acceptable refuses what the relay would refuse too, and says where to report
// it. A content that is held already was checked when it came.
func (l *Ledger) acceptable(kind string, fact discovery.Fact, present map[Key]bool) (where Key, why Problem, ok bool) {
	where = Key{kind, fact.Instance}
	known, held := l.facts[where]
	switch {
	case fact.Kind != kind:
		return Key{kind, ""}, problem(wire.CollectFailed, "the collector returned a fact of kind "+fact.Kind), false
	case len(present) == discovery.MaxInstances:
		return Key{kind, ""}, problem(wire.TooLarge, "more instances than a kind may have"), false
	case !present[where] && held && known.Hash == fact.Hash:
		return where, Problem{}, true
	}
	if invalid, bad := errors.AsType[*discovery.Invalid](fact.Check()); bad {
		return Key{kind, invalid.Instance}, refusalOf(invalid), false
	}
	if present[where] {
		return where, problem(wire.CollectFailed, "the collector returned this instance twice"), false
	}
	return where, Problem{}, true
}

// Drop forgets a kind that is not to be collected any more: its facts are gone.
func (l *Ledger) Drop(kind discovery.Kind) { l.Record(kind, nil, nil, time.Time{}) }

// Refuse notes that the relay turned a content away for good: it is not offered
// again, in this session or another, until it changes.
func (l *Ledger) Refuse(key Key, hash discovery.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.facts[key].Hash == hash {
		l.refused[key] = hash
		l.generation++ // no wake: nothing new is to be sent
	}
}

// View is the ledger's content at one moment. Bodies are shared, not copied;
// nobody may write to them.
type View struct {
	Generation uint64
	Facts      map[Key]Held
	Kinds      []string // sorted; those whose first collection has ended
	Problems   map[Key]Problem
	refused    map[Key]discovery.Hash
}

// View copies the ledger's maps.
func (l *Ledger) View() View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return View{
		Generation: l.generation,
		Facts:      maps.Clone(l.facts),
		Kinds:      slices.Sorted(maps.Keys(l.complete)),
		Problems:   maps.Clone(l.problems),
		refused:    maps.Clone(l.refused),
	}
}

// Generation rises with every change, so that a reader knows without copying.
func (l *Ledger) Generation() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.generation
}

// Refused reports whether the relay turned this very content away.
func (v View) Refused(key Key) bool {
	hash, ok := v.refused[key]
	return ok && hash == v.Facts[key].Hash
}
