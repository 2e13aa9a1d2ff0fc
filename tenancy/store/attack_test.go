package store_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
)

var breakGuards = flag.Bool("mutants", false, "isolation: break the guards of the database, one by one")

// TestAttacksInSQL tries to get from one tenant to another behind each door of the
// store. Tables, functions, roles and catalogs are found in the database.
func TestAttacksInSQL(t *testing.T) {
	for _, name := range tenancytest.UnknownMethods() {
		t.Errorf("store.DB has a method %s: say in tenancy/tenancytest/database.go what it hands out", name)
	}
	suite := newSuite(t)
	suite.EveryDoor = *breakGuards
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

// aged are rows that the functions which forget look for.
var aged = []string{
	`INSERT INTO assim.fact_versions (tenant, host, kind, instance, at, seen_at, term, version, relay, epoch, seq)
		SELECT @, @, 'os', d::text, now() - make_interval(days => d), now(), 1, 1, @, 1, 1 FROM generate_series(10, 20) d`,
	`INSERT INTO assim.undo (tenant, at, step, label, key, id, before)
		SELECT @, now() - make_interval(days => d), 1, 'Host', @, ag_catalog._graphid(3, 1), '{"labels":["env=1"]}' FROM generate_series(10, 20) d`,
	`INSERT INTO assim.events (tenant, at, seen_at, type, host, detail) VALUES (@, now(), now(), 'x', @, '{"kind":"os"}')`,
}

func newSuite(t *testing.T) *tenancytest.Database {
	t.Helper()
	w, admin := newWorld(t)
	for _, tenant := range []tenancy.TenantID{w.a, w.b} {
		for _, sql := range aged {
			exec(t, admin, strings.ReplaceAll(sql, "@", "'"+tenant.String()+"'"))
		}
	}
	// The attacker holds less history than the victim, so there is something to forget.
	exec(t, admin, `UPDATE assim.history SET fact_days = 7, graph_days = 7 WHERE tenant = '`+w.a.String()+`'`)
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
			t.Error(err)
			continue
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
