package quota_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/quota"
	"assimilation/tenancy/store/storetest"
)

// elsewhere are tables that are bounded by something other than a number of rows that
// people may make.
var elsewhere = map[string]string{
	"tenant_roles": "a reader and a writer",
	"hosts":        "quota of hosts", "facts": "quota of changes and of storage", "fact_bodies": "quota of storage", "fact_versions": "quota of storage",
	"undo": "quota of storage", "events": "quota of storage", "findings": "quota of storage, by the event that each makes", "audit": "measured with the storage; only acts write it",
	"verdicts": "measured with the storage; the relay's events pay for it", "verdict_hosts": "verdicts and hosts",
	"streams": "relays", "stream_epochs": "relays and their restores; an epoch that is new costs a batch", "token_leases": "tokens and relays", "token_uses": "tokens and hosts",
	"refused_hosts": "100,000, see package ingest", "usage_days": "days",
	"questions": "8 at once, see package topology", "asked": "the newest 200 of a member, see package asked", "answers": "10,000 a day, see package idempotency",
	"sessions": "the newest 100 of a person, see package accounts", "sso_attempts": "by address and minute, and ten minutes old, see package sso",
	"webhook_messages": "1,000 that wait and 10,000 others of a webhook, see package webhooks", "webhook_tries": "the newest 100 of a message, see package webhooks",
	"undelivered": "the newest 200 of an exporter, see package otelexport",
}

// A new table of tenants' rows has a bound: it has one row for each, or is a Thing, or is
// bounded for a reason that is told here.
func TestEveryTableHasABound(t *testing.T) {
	_, url := storetest.OpenURL(t)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	things := map[string]bool{}
	for _, thing := range quota.Things {
		table, _ := thing.Bound()
		things[table] = true
	}
	rows, err := admin.Query(t.Context(), `
		SELECT c.relname::text, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
		WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	if err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(elsewhere)
	var table string
	var one bool
	_, err = pgx.ForEachRow(rows, []any{&table, &one}, func() error {
		ways := 0
		for _, bounded := range []bool{one, things[table], left[table] != ""} {
			if bounded {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%s: one row for each tenant: %v, a Thing: %v, bounded elsewhere: %q; one of these is wanted", table, one, things[table], left[table])
		}
		delete(left, table)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("bounded elsewhere, and not there: %q", slices.Sorted(maps.Keys(left)))
	}
}
