package store_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"assimilation/tenancy/tenancytest"
)

var breakGuards = flag.Bool("mutants", false, "isolation: break the guards of the database, one by one")

// TestAttacksInSQL tries to get from one tenant to another behind each door of the
// store. Tables, functions, roles and catalogs are found in the database.
func TestAttacksInSQL(t *testing.T) {
	suite := newSuite(t)
	report := &tenancytest.Report{}
	if err := suite.Attack(t.Context(), report, ""); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	report.Print(&printed)
	t.Log("\n" + printed.String())
	for _, leak := range report.Leaks() {
		t.Error(leak)
	}
	if report.Cases() < 500 {
		t.Errorf("only %d cases", report.Cases())
	}
}

func newSuite(t *testing.T) *tenancytest.Database {
	t.Helper()
	w, admin := newWorld(t)
	return &tenancytest.Database{DB: w.db, Admin: admin, Victim: w.b, Attacker: w.a}
}

// equivalents are mutants, by sort and name as a regular expression, that let nobody
// do more than before, and why.
var equivalents = map[string]string{}

// TestMutantsOfTheDatabase breaks each guard in the database and lets the suite
// attack: it must notice each. make isolation runs it.
func TestMutantsOfTheDatabase(t *testing.T) {
	if !*breakGuards {
		t.Skip("takes minutes: make isolation")
	}
	suite := newSuite(t)
	all, err := suite.Mutants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var outcome tenancytest.Outcome
	for _, m := range all {
		killed, err := suite.Run(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		outcome.Note(m, killed)
	}
	var printed strings.Builder
	survivors, stale := outcome.Unexplained(&printed, equivalents)
	fmt.Print(printed.String())
	if len(survivors) > 0 {
		t.Errorf("%d mutants survive: find a case that notices each, or say in equivalents why nobody can", len(survivors))
	}
	if len(stale) > 0 {
		t.Errorf("these are no survivors any more, remove them from equivalents: %q", stale)
	}
}
