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
	summarise(t, "of the code:     ", outcome.Summary(equivalents))
	if len(survivors) > 0 {
		t.Errorf("%d mutants survive: find a case that notices each, or say in equivalents why nobody can", len(survivors))
	}
	if *onlyMutants == "" && len(stale) > 0 {
		t.Errorf("these are no survivors any more, remove them from equivalents: %q", stale)
	}
}
