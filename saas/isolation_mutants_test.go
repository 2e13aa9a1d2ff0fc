package saas

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
	"assimilation/tenancy/tenancytest/mutants"
	"assimilation/tenancy/tenancytest/mutants/active"
)

var (
	mutantsFile = flag.String("mutants", "", "isolation: what tenancytest/mutants/generate found; the test must be built with its overlay")
	onlyMutants = flag.String("only", "", "isolation: mutants with this in their name")
)

// equivalents are mutants, by sort and name as a regular expression, that let nobody
// do more than before, and why.
var equivalents = map[string]string{
	// They keep a service in order, and nobody apart.
	`refusal.*accounts/credentials.go:\d+ not: (f.SeenAt|now.Sub|t.LastUsedAt).*`:                      "a use is noted more or less often",
	`refusal.*accounts/(credentials|store).go:\d+ not: (!found|tag.RowsAffected\(\) == 0)`:             "who ends nothing hears that it ended",
	`refusal.*accounts/tenants.go:\d+ not: (!s.signups.Allow|owned >= maxOwned).*`:                     "how many tenants somebody makes",
	`refusal.*members/invitations.go:\d+ not: (!s.letters.Allow|waiting >= maxInvitations|isMember).*`: "how many letters a tenant sends, and to whom it need not",
	`refusal.*members/invitations.go:\d+ not: (a.Address|a.Name|len|strings.ContainsFunc).*`:           "the form of an address, or of a secret whose hash is looked up",
	`refusal.*members/members.go:\d+ not: (role == ""|isMissing\(err\)|owners == 0)`:                   "a tenant may lose its last owner, or hear of a failure in other words",
	`refusal.*deletion/deletion.go:\d+ not: (r.name != by.TenantName|!r.confirm|errors.Is.*)`:          "they keep an owner from mistakes",
	`refusal.*not: errors.Is\(err, (pgx.ErrNoRows|store.ErrUnknownTenant)\).*`:                         "it words a failure",
	// They are asked only after a password, a code or a letter's link of that person.
	`condition.*accounts/(login|people|second|secrets).go.*`: "who gets there has shown this person's own secret; the attacks in saas/internal/accounts show more",
}

// TestMutantsOfTheCode breaks one guard after the other and lets the suite attack:
// it must notice each. make isolation runs it.
func TestMutantsOfTheCode(t *testing.T) {
	if *mutantsFile == "" {
		t.Skip("needs a program with mutants in it: make isolation")
	}
	text, err := os.ReadFile(*mutantsFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []mutants.Mutant
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	w := newIsolationWorld(t)
	permits := readPermits(t, w.routes)
	snapshot, err := tenancytest.TakeSnapshot(t.Context(), w.admin)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	reach := w.reach(permits, snapshot)
	t.Logf("without a mutant: %v", time.Since(began).Round(time.Second))
	var outcome tenancytest.Outcome
	for _, m := range all {
		if !strings.Contains(m.Name, *onlyMutants) {
			continue
		}
		routes := w.concerned(m, reach)
		report := &tenancytest.Report{UntilLeak: true}
		active.Set(m.Name)
		began := time.Now()
		s, err := New(t.Context(), w.config, w.log)
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		w.suite.Handler = s.handler
		for _, r := range routes {
			if w.attack(report, []tenancytest.Route{r}, permits); report.Done() {
				break
			}
			if !r.Safe() { // what it did ends sessions that the next one needs
				if err := snapshot.Restore(t.Context()); err != nil {
					t.Fatalf("during %s: %v", m.Name, err)
				}
			}
		}
		active.Set("")
		s.Close()
		if err := snapshot.Restore(t.Context()); err != nil {
			t.Fatalf("after %s: %v", m.Name, err)
		}
		killed := ""
		for _, leak := range report.Leaks() {
			killed = leak.String()
		}
		outcome.Note(tenancytest.Mutant{Sort: m.Sort, Name: m.Name}, killed != "")
		if killed == "" || *onlyMutants != "" {
			t.Logf("%v %s: %s: %d routes, %d cases: %.200s", time.Since(began).Round(time.Millisecond), m.Sort, m.Name, len(routes), report.Cases(), killed)
		}
	}
	var printed strings.Builder
	survivors, stale := outcome.Unexplained(&printed, equivalents)
	fmt.Print(printed.String())
	if len(survivors) > 0 {
		t.Errorf("%d mutants survive: find a case that notices each, or say in equivalents why nobody can", len(survivors))
	}
	if *onlyMutants == "" && len(stale) > 0 {
		t.Errorf("these are no survivors any more, remove them from equivalents: %q", stale)
	}
}

// reach attacks each route without a mutant, and finds which guards it asks.
func (w *isolationWorld) reach(permits map[string]tenancytest.Permit, snapshot *tenancytest.Snapshot) map[string][]tenancytest.Route {
	w.t.Helper()
	reach := map[string][]tenancytest.Route{}
	for _, r := range w.routes {
		active.Met()
		report := &tenancytest.Report{}
		w.attack(report, []tenancytest.Route{r}, permits)
		for _, leak := range report.Leaks() {
			w.t.Errorf("without a mutant: %s", leak)
		}
		if err := snapshot.Restore(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		for name := range active.Met() {
			reach[name] = append(reach[name], r)
		}
	}
	// One of each sort first: most guards are found there.
	for name, routes := range reach {
		seen := map[string]bool{}
		var first, rest []tenancytest.Route
		for _, r := range routes {
			sort := fmt.Sprint(r.Action, r.API, r.Safe(), len(r.Parameters()))
			if seen[sort] {
				rest = append(rest, r)
			} else {
				first = append(first, r)
			}
			seen[sort] = true
		}
		reach[name] = slices.Concat(first, rest)
	}
	return reach
}

// concerned are the routes that a mutant may change.
func (w *isolationWorld) concerned(m mutants.Mutant, reach map[string][]tenancytest.Route) []tenancytest.Route {
	w.t.Helper()
	active.Set(m.Name)
	defer active.Set("")
	switch m.Sort {
	case mutants.Route:
		changed, err := Routes()
		if err != nil {
			w.t.Fatalf("%s: %v", m.Name, err)
		}
		actions := map[string]tenancy.Action{}
		for _, r := range changed {
			actions[r.Pattern] = r.Action
		}
		return slices.DeleteFunc(slices.Clone(w.routes), func(r tenancytest.Route) bool { return actions[r.Name()] == r.Action })
	case mutants.Right:
		broken := map[string]tenancytest.Permit{}
		for _, r := range w.routes {
			broken[r.Name()] = tenancytest.PermitOf(r.Action)
		}
		active.Set("")
		return slices.DeleteFunc(slices.Clone(w.routes), func(r tenancytest.Route) bool { return broken[r.Name()] == tenancytest.PermitOf(r.Action) })
	}
	return reach[m.Name]
}
