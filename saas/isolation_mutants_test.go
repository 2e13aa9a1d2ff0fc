package saas

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"assimilation/tenancy/tenancytest"
	"assimilation/tenancy/tenancytest/mutants"
)

var (
	mutantsFile = flag.String("mutants", "", "isolation: what tenancytest/mutants/generate found; the test must be built with its overlay")
	onlyMutants = flag.String("only", "", "isolation: mutants whose sort and name this regular expression matches")
	workers     = flag.Int("workers", 1, "isolation: processes that share the mutants out, each with a database of its own")
	outcomeFile = flag.String("outcome", "", "isolation: where a worker leaves what became of its mutants, without judging")
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
	all := chosenMutants(t)
	switch {
	case *workers > 1:
		judge(t, delegate(t, all))
	case *outcomeFile != "":
		writeJSON(t, *outcomeFile, newHunt(t).run(all))
	default:
		judge(t, newHunt(t).run(all))
	}
}

func chosenMutants(t *testing.T) (chosen []mutants.Mutant) {
	t.Helper()
	var all []mutants.Mutant
	readJSON(t, *mutantsFile, &all)
	only, err := regexp.Compile(*onlyMutants)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(m mutants.Mutant) bool { return !only.MatchString(m.Sort + ": " + m.Name) })
}

// judge prints what became of the mutants.
func judge(t *testing.T, outcome *tenancytest.Outcome) {
	t.Helper()
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
