package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// A tenant goes with all that it has, and its neighbour keeps all. Some of the
// graph was dropped before, as by a call that was interrupted.
func TestDropTakesATenantAndNobodyElse(t *testing.T) {
	db, url := storetest.OpenURL(t)
	admin := connect(t, url)
	goes, stays := storetest.Tenant(t, db), storetest.Tenant(t, db)
	for _, tenant := range []tenancy.TenantID{goes, stays} {
		err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), fmt.Sprintf(`
				INSERT INTO assim.undo (tenant, at, step, label, key, id) VALUES ('%[1]s', now(), 1, 'Host', 'h', _graphid(1, 1));
				INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size) VALUES ('%[1]s', '\x01', 'os', 1, '', 0);
				INSERT INTO %[2]s."Host" (id, properties) SELECT _graphid(id, 1), '{"key": "h"}'::agtype FROM assim.labels WHERE name = 'Host'`,
				tenant, store.Graph(tenant)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	exec(t, admin, `SET search_path = ag_catalog; SELECT ag_catalog.drop_label('`+store.Graph(goes)+`', 'WIRED_TO')`)
	for range 2 { // the second time there is nothing to do
		if err := db.Drop(t.Context(), goes); err != nil {
			t.Fatal(err)
		}
	}
	if left := traces(t, connect(t, url), goes); left != "" {
		t.Errorf("left are %s", left)
	}
	if err := db.In(t.Context(), goes, func(pgx.Tx) error { return nil }); !errors.Is(err, store.ErrUnknownTenant) {
		t.Errorf("a transaction of the dropped tenant: %v", err)
	}
	err := db.Read(t.Context(), stays, func(tx pgx.Tx) error {
		var hosts, undone, labels int
		if err := tx.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM cypher('`+store.Graph(stays)+`', $$ MATCH (h:Host) RETURN h.key $$) AS (k agtype)),
			(SELECT count(*) FROM assim.undo), (SELECT count(*) FROM assim.labels WHERE name NOT LIKE '\_%')`).Scan(&hosts, &undone, &labels); err != nil {
			return err
		}
		if want := len(cmdb.Vertices) + len(cmdb.Edges); hosts != 1 || undone != 1 || labels != want {
			t.Errorf("the other tenant has %d hosts, %d rows of history, %d labels; want 1, 1, %d", hosts, undone, labels, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Drop(t.Context(), stays); err != nil {
		t.Errorf("dropping the other: %v", err)
	}
}

// Whoever belongs to two tenants, and to no other, goes with both, even when they go
// at the same moment.
func TestDropTakesThePeopleOfTwoAtOnce(t *testing.T) {
	db, url := storetest.OpenURL(t)
	admin := connect(t, url)
	one, two := storetest.Tenant(t, db), storetest.Tenant(t, db)
	exec(t, admin, fmt.Sprintf(`INSERT INTO assim.users (id, email, password_hash) VALUES ('%[1]s', 'both@example.org', 'h');
		INSERT INTO assim.members (tenant, user_id, role) VALUES ('%[1]s', '%[1]s', 'owner'), ('%[2]s', '%[1]s', 'owner')`, one, two))
	ended := make(chan error)
	for _, tenant := range []tenancy.TenantID{one, two} {
		go func() { ended <- db.Drop(t.Context(), tenant) }()
	}
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM assim.users`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d people are left, %v", left, err)
	}
}

// ofNoTenant are the tables without a column "tenant", and why Drop need not look
// for one in them.
var ofNoTenant = map[string]string{
	"tenants":         "the tenant itself",
	"users":           "people, who go with their last tenant",
	"known_addresses": "of users", "recovery_codes": "of users", "links": "of users",
	"signups":    "people who are none yet; what waits for one who goes is taken along",
	"tombstones": "what is to stay", "operations": "of the whole deployment",
}

// A table that is new has a column "tenant", or a reason here to have none; a row
// of a tenant that Drop left anywhere is found.
func TestDropKnowsEveryTable(t *testing.T) {
	w, admin := newWorld(t)
	const carrying = `EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped)`
	const tables = `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND `
	for _, table := range strings1(t, admin, tables+`NOT `+carrying) {
		if ofNoTenant[table] == "" {
			t.Errorf("table %s has no column tenant: Drop does not know whose its rows are", table)
		}
	}
	carriers := strings1(t, admin, tables+carrying)
	state := func() map[string]string {
		t.Helper()
		all := map[string]string{}
		for _, table := range carriers {
			var goes int
			var stays string
			sql := `SELECT count(*) FILTER (WHERE t::text LIKE '%' || $1 || '%'), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text) FILTER (WHERE t::text LIKE '%' || $2 || '%')), '') FROM assim.` + table + ` t`
			if err := admin.QueryRow(t.Context(), sql, w.a.String(), w.b.String()).Scan(&goes, &stays); err != nil {
				t.Fatal(err)
			}
			all[table] = fmt.Sprint(goes, " ", stays)
		}
		return all
	}
	before := state()
	if err := w.db.Drop(t.Context(), w.a); err != nil {
		t.Fatal(err)
	}
	for table, now := range state() {
		if left, _ := strings.CutPrefix(now, "0 "); strings.HasPrefix(before[table], "0 ") {
			t.Errorf("the test has no row in %s", table)
		} else if !strings.HasPrefix(now, "0 ") || !strings.HasSuffix(before[table], " "+left) {
			t.Errorf("%s was %s, is %s", table, before[table], now)
		}
	}
	var people, stones int
	if err := admin.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM assim.users), (SELECT count(*) FROM assim.tombstones WHERE id NOT IN ($1, $2))`, w.a, w.b).Scan(&people, &stones); err != nil || people != 1 || stones != 1 {
		t.Errorf("%d people and %d tombstones: %v", people, stones, err)
	}
}

// A drop that was interrupted, wherever that was, goes on.
func TestDropGoesOnWhereItStopped(t *testing.T) {
	db, url := storetest.OpenURL(t)
	tenant := storetest.Tenant(t, db)
	admin := connect(t, url)
	for i := 0; traces(t, admin, tenant) != ""; i++ {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- db.Drop(ctx, tenant) }()
		// What is dropped by now is no matter: any point will do.
		if i < 3 {
			var labels int
			if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM ag_catalog.ag_label`).Scan(&labels); err != nil {
				t.Error(err)
			}
			cancel()
		}
		err := <-ended
		cancel()
		if i >= 3 && err != nil {
			t.Fatal(err)
		}
		if err := db.In(t.Context(), tenant, func(pgx.Tx) error { return nil }); err == nil && i >= 3 {
			t.Error("the tenant can still be written to")
		}
	}
}

// traces are what the database still has of a tenant.
func traces(t *testing.T, admin *pgx.Conn, tenant tenancy.TenantID) string {
	t.Helper()
	name := strings.TrimPrefix(store.Graph(tenant), "g_")
	var left []string
	for what, sql := range map[string]string{
		"graph":   `SELECT count(*) FROM ag_catalog.ag_graph WHERE name = 'g_' || $1`,
		"schema":  `SELECT count(*) FROM pg_namespace WHERE nspname = 'g_' || $1`,
		"labels":  `SELECT count(*) FROM ag_catalog.ag_label l WHERE NOT EXISTS (SELECT FROM ag_catalog.ag_graph g WHERE g.graphid = l.graph) AND $1 <> ''`,
		"roles":   `SELECT count(*) FROM pg_roles WHERE rolname IN ('r_' || $1, 'w_' || $1)`,
		"tenant":  `SELECT count(*) FROM assim.tenants WHERE replace(id::text, '-', '') = $1`,
		"undo":    `SELECT count(*) FROM assim.undo WHERE replace(tenant::text, '-', '') = $1`,
		"bodies":  `SELECT count(*) FROM assim.fact_bodies WHERE replace(tenant::text, '-', '') = $1`,
		"history": `SELECT count(*) FROM assim.history WHERE replace(tenant::text, '-', '') = $1`,
	} {
		var n int
		if err := admin.QueryRow(t.Context(), sql, name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			left = append(left, fmt.Sprintf("%d %s", n, what))
		}
	}
	return strings.Join(left, ", ")
}
