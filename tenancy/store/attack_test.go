package store_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/tenancy/tenancytest"
)

var (
	breakGuards = flag.Bool("mutants", false, "isolation: break the guards of the database, one by one")
	summaryFile = flag.String("summary", "", "isolation: file that gets a line for each result")
)

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
	summarise(t, "in SQL:          ", report.Summary())
	for _, leak := range report.Leaks() {
		t.Error(leak)
	}
	if report.Cases() < 500 {
		t.Errorf("only %d cases", report.Cases())
	}
}

// summarise leaves a line for make isolation, which prints them all in the end.
func summarise(t *testing.T, of, line string) {
	t.Helper()
	if err := tenancytest.AddLine(*summaryFile, of+line); err != nil {
		t.Error(err)
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

func age(t *testing.T, suite *tenancytest.Database) {
	t.Helper()
	for _, tenant := range []tenancy.TenantID{suite.Victim, suite.Attacker} {
		for _, sql := range aged {
			exec(t, suite.Admin, strings.ReplaceAll(sql, "@", "'"+tenant.String()+"'"))
		}
	}
}

func newSuite(t *testing.T) *tenancytest.Database {
	t.Helper()
	w, admin := newWorld(t)
	// The attacker holds less history than the victim, so there is something to forget.
	exec(t, admin, `UPDATE assim.history SET fact_days = 7, graph_days = 7 WHERE tenant = '`+w.a.String()+`'`)
	suite := &tenancytest.Database{DB: w.db, Admin: admin, Victim: w.b, Attacker: w.a}
	age(t, suite)
	return suite
}

// equivalents are mutants, by sort and name as a regular expression, that let nobody
// do more than before, and why.
var equivalents = map[string]string{
	"row security: history: own_tenant takes everything":                         "writers make no rows of history, and change three columns of which the tenant is none",
	"functions of the owner: forget_history does not ask r.tenant = h.tenant":    "more than one row is an error of INTO STRICT",
	"functions of the owner: forget_history does not ask f.tenant = own.tenant":  "it is only about how many of the own rows go at a time",
	"functions of the owner: tenants_with_silent_relays does not ask v.tenant.*": "it says whom to look at; who looks is that tenant's own role",
	"functions of the owner: usage_due does not ask [ouery].tenant = t.id":       "it says whom to look at; who looks is that tenant's own role",
	"functions of the owner: webhooks_awake does not ask [em].tenant = w.tenant": "it says whom to look at; who looks is that tenant's own role",
}

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
		if m.Part == "calls" {
			age(t, suite) // those before may have been forgotten
		}
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
	summarise(t, "of the database: ", outcome.Summary(equivalents))
	if len(survivors) > 0 {
		t.Errorf("%d mutants survive: find a case that notices each, or say in equivalents why nobody can", len(survivors))
	}
	if len(stale) > 0 {
		t.Errorf("these are no survivors any more, remove them from equivalents: %q", stale)
	}
}
