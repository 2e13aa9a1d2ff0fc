package saas

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
	"assimilation/tenancy/tenancytest/mutants"
	"assimilation/tenancy/tenancytest/mutants/active"
)

// hunt lets mutants live, one after the other, in one world.
type hunt struct {
	*isolationWorld
	permits map[string]tenancytest.Permit
	// met are the cases in which a mutant would have made a difference, by its name.
	// Only they can notice it.
	met map[string][]step
}

// step is a route with cases of it; nil: all.
type step struct {
	route tenancytest.Route
	cases map[string]bool
}

func newHunt(t *testing.T) *hunt {
	t.Helper()
	w := newIsolationWorld(t)
	h := &hunt{w, readPermits(t, w.routes), map[string][]step{}}
	w.keep()
	defer w.serve()()
	began := time.Now()
	for _, r := range w.routes {
		active.Met()
		here := map[string]map[string]bool{}
		leaks := h.attackAt(&tenancytest.Report{Tried: func(sort, name string) {
			for m := range active.Met() {
				if here[m] == nil {
					here[m] = map[string]bool{}
				}
				here[m][sort+": "+name] = true
			}
		}}, r)
		for _, leak := range leaks {
			t.Errorf("without a mutant: %s", leak)
		}
		for m, cases := range here {
			h.met[m] = append(h.met[m], step{r, cases})
		}
	}
	t.Logf("%d routes without a mutant: %v", len(w.routes), time.Since(began).Round(time.Second))
	return h
}

// attackAt attacks one route, and brings back what was before.
func (h *hunt) attackAt(report *tenancytest.Report, r tenancytest.Route) []tenancytest.Leak {
	h.t.Helper()
	h.attack(report, []tenancytest.Route{r}, h.permits)
	if err := h.kept.Restore(h.t.Context()); err != nil {
		h.t.Fatalf("after %s: %v", r.Name(), err)
	}
	return report.Leaks()
}

// run hunts mutants.
func (h *hunt) run(all []mutants.Mutant) *tenancytest.Outcome {
	h.t.Helper()
	var outcome tenancytest.Outcome
	for i, m := range all {
		began := time.Now()
		note := tenancytest.Mutant{Sort: m.Sort, Name: m.Name}
		plan := h.plan(m, note.Explained(equivalents) != "")
		done, leak := h.try(m.Name, plan)
		if leak != "" { // and not without it
			if _, also := h.try("", done); also != "" {
				h.t.Errorf("%s: %s: the cases that notice it fail without it: %s", m.Sort, m.Name, also)
			}
		}
		outcome.Note(note, leak != "")
		h.t.Logf("%d/%d %v %s: %s: %d of %d routes: %.200s", i+1, len(all), time.Since(began).Round(time.Millisecond), m.Sort, m.Name, len(done), len(plan), leak)
	}
	names, err := h.kept.Differs(h.t.Context())
	if err != nil || len(names) > 0 {
		h.t.Errorf("not brought back: %q %v", names, err)
	}
	return &outcome
}

// try attacks with a mutant alive until something leaks. It returns what was tried.
func (h *hunt) try(mutant string, plan []step) (done []step, leak string) {
	h.t.Helper()
	if len(plan) == 0 {
		return nil, ""
	}
	active.Set(mutant)
	defer active.Set("")
	stop, failed := h.start()
	if failed != "" {
		return nil, failed
	}
	defer stop()
	// A mutant may let a loop go on for ever: it ends when the mutant sleeps again.
	var hangs atomic.Bool
	watch := time.AfterFunc(caseTakes, func() {
		hangs.Store(true)
		active.Set("")
	})
	defer watch.Stop()
	for _, p := range plan {
		tried := map[string]bool{}
		leaks := h.attackAt(&tenancytest.Report{UntilLeak: true,
			Chosen: func(sort, name string) bool {
				return p.cases == nil || p.cases[sort+": "+name] || strings.HasPrefix(sort, "rows of")
			},
			Tried: func(sort, name string) { tried[sort+": "+name] = true }}, p.route)
		done = append(done, step{p.route, tried})
		if len(leaks) > 0 {
			return done, leaks[0].String()
		}
	}
	return done, ""
}

// start is serve for a service that may be too broken to start.
func (h *hunt) start() (stop func(), failed string) {
	h.t.Helper()
	defer func() {
		if panicked := recover(); panicked != nil {
			failed = fmt.Sprint("the service does not start: ", panicked)
		}
	}()
	return h.serve(), ""
}

// caseTakes is far longer than a case takes on a busy machine.
const caseTakes = 90 * time.Second

// plan is where a mutant may be noticed: first one case of each sort, then, unless a
// reason is known why it survives, the others.
func (h *hunt) plan(m mutants.Mutant, explained bool) []step {
	h.t.Helper()
	met := h.met[m.Name]
	if m.Sort == mutants.Route {
		met = h.asksOther(m)
	}
	var first, rest []step
	seen := map[string]bool{}
	for _, s := range met {
		if s.cases == nil {
			first = append(first, s)
			continue
		}
		route := fmt.Sprint(s.route.Action, s.route.API, s.route.Safe(), len(s.route.Parameters()))
		a, b := step{s.route, map[string]bool{}}, step{s.route, map[string]bool{}}
		for name := range s.cases {
			if sort := address.ReplaceAllString(name, "") + route; !seen[sort] {
				seen[sort], a.cases[name] = true, true
			} else {
				b.cases[name] = true
			}
		}
		if len(a.cases) > 0 {
			first = append(first, a)
		}
		if len(b.cases) > 0 {
			rest = append(rest, b)
		}
	}
	if explained {
		return first
	}
	return append(first, rest...)
}

// address is what tells cases of one sort, by one person, apart.
var address = regexp.MustCompile(` (GET|POST|PUT|PATCH|DELETE) /.*`)

// asksOther are the routes that ask for something else with the mutant.
func (h *hunt) asksOther(m mutants.Mutant) (steps []step) {
	h.t.Helper()
	active.Set(m.Name)
	defer active.Set("")
	table, err := Routes()
	if err != nil {
		h.t.Fatalf("%s: %v", m.Name, err)
	}
	now := map[string]tenancy.Action{}
	for _, line := range table {
		now[line.Pattern] = line.Action
	}
	for _, r := range h.routes {
		if now[r.Name()] != r.Action {
			steps = append(steps, step{r, nil})
		}
	}
	return steps
}
