package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

func TestMigrateAndProvisionAreRepeatable(t *testing.T) {
	db, url := storetest.OpenURL(t)
	tenant := store.Tenant{ID: tenancy.NewID[tenancy.TenantID](), Name: "first", SealKey: []byte("public"), SealPrivate: []byte("private")}
	for _, name := range []string{"first", "second"} {
		tenant.Name = name
		if err := db.Provision(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
		if err := store.Migrate(t.Context(), url, storetest.Passwords); err != nil {
			t.Fatal(err)
		}
	}
	var name string
	var labels int
	err := db.Read(t.Context(), tenant.ID, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT name, (SELECT count(*) FROM assim.labels WHERE name NOT LIKE '\_%') FROM assim.tenants`).Scan(&name, &labels)
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := len(cmdb.Vertices) + len(cmdb.Edges); name != "second" || labels != want {
		t.Errorf("tenant %q with %d labels, want %q with %d", name, labels, "second", want)
	}
}

// A graph of an older program has fewer labels, indexes and guards.
func TestOldGraphsGetWhatIsMissing(t *testing.T) {
	db, url := storetest.OpenURL(t)
	tenant := store.Tenant{ID: tenancy.NewID[tenancy.TenantID](), Name: "old", SealKey: []byte("public"), SealPrivate: []byte("private")}
	graph := store.Graph(tenant.ID)
	admin := connect(t, url)
	exec(t, admin, `SET search_path = ag_catalog; SELECT ag_catalog.create_graph('`+graph+`'); SELECT ag_catalog.create_vlabel('`+graph+`', 'Host'); SELECT ag_catalog.create_elabel('`+graph+`', 'RUNS')`)
	missing := func(after string) {
		t.Helper()
		var indexes, unique, constraints, writable int
		err := admin.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM pg_indexes WHERE schemaname = $1 AND indexname IN ('Host_by_name', 'RUNS_by_end', 'CONTAINS_by_end')),
			       (SELECT count(DISTINCT indrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
			          WHERE c.relnamespace = $1::regnamespace AND c.relname NOT LIKE '\_ag\_%' AND i.indisunique AND i.indkey::text = a.attnum::text),
			       (SELECT count(*) FROM pg_constraint WHERE connamespace = $1::regnamespace AND conname = 'id_of_label'),
			       (SELECT count(*) FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relname IN ('Host', 'CONTAINS')
			          AND has_table_privilege('w_' || substr($1, 3), c.oid, 'INSERT'))`, graph).Scan(&indexes, &unique, &constraints, &writable)
		if err != nil {
			t.Fatal(err)
		}
		if want := len(cmdb.Vertices) + len(cmdb.Edges); indexes != 3 || unique != want || constraints != want || writable != 2 {
			t.Errorf("after %s: %d indexes, %d tables with unique ids, %d guards, %d writable tables; want 3, %d, %d, 2", after, indexes, unique, constraints, writable, want, want)
		}
	}
	if err := db.Provision(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	missing("provisioning")
	exec(t, admin, `DROP INDEX `+graph+`."Host_by_name"; ALTER TABLE `+graph+`."Host" DROP CONSTRAINT id_of_label`)
	if err := store.Migrate(t.Context(), url, storetest.Passwords); err != nil {
		t.Fatal(err)
	}
	missing("migrating")
}

// newer are labels that graphs of the first programs do not have.
var newer = []string{
	"WIRED_TO", "OF_SWITCH", "HEARS", "Switch", "SwitchPort",
	"HAS_OBJECT", "HAS_CHILD", "PART_OF", "OF_IMAGE", "CHILD_NIC", "CHILD_ADDRESS", "RUNS_IN", "HAS_UNIT", "STARTED_BY", "HAS_CERTIFICATE", "SERVES",
	"HAS_FILES", "LOADS", "HOLDS", "HAS_DISK", "CARRIES", "ON_DISK", "HAS_GROUP", "MEMBER_OF",
	"Object", "Child", "Image", "Unit", "Certificate", "FileSet", "File", "Disk", "Group",
}

// A tenant that was there before a label was: Migrate adds it, with its indexes
// and rights, and what the graph holds stays.
func TestMigrateAddsLabelsToEveryGraph(t *testing.T) {
	db, url := storetest.OpenURL(t)
	insert := func(tenant tenancy.TenantID, label string) error {
		return db.In(t.Context(), tenant, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO `+store.Graph(tenant)+`."`+label+`" (id, properties)
				SELECT _graphid(id, 1), '{"key": "x"}'::agtype FROM assim.labels WHERE name = $1`, label)
			return err
		})
	}
	tenants := []tenancy.TenantID{storetest.Tenant(t, db), storetest.Tenant(t, db)}
	for _, tenant := range tenants {
		if err := insert(tenant, "Host"); err != nil {
			t.Fatal(err)
		}
		for labels := range slices.Chunk(newer, 16) { // AGE 1.5 bears no more in one session
			admin := connect(t, url)
			for _, label := range labels {
				exec(t, admin, `SET search_path = ag_catalog; SELECT ag_catalog.drop_label('`+store.Graph(tenant)+`', '`+label+`')`)
			}
		}
	}
	if err := store.Migrate(t.Context(), url, storetest.Passwords); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range tenants {
		var labels, hosts int
		err := db.Read(t.Context(), tenant, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM assim.labels WHERE name NOT LIKE '\_%'), (SELECT count(*) FROM `+
				store.Graph(tenant)+`."Host")`).Scan(&labels, &hosts)
		})
		if want := len(cmdb.Vertices) + len(cmdb.Edges); err != nil || labels != want || hosts != 1 {
			t.Errorf("%d labels and %d hosts, %v; want %d and 1", labels, hosts, err, want)
		}
		for _, label := range []string{"Switch", "Child", "Certificate"} {
			if err := insert(tenant, label); err != nil {
				t.Errorf("writing to the new label: %v", err)
			}
		}
	}
}

func TestWrongLabelIDIsRefused(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO `+store.Graph(tenant)+`."Host" (id, properties)
			SELECT _graphid(id, 1), '{"key": "x"}'::agtype FROM assim.labels WHERE name = 'Service'`)
		return err
	})
	wantCode(t, err, "23514")
}

func TestTransactions(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	ctx := t.Context()
	audit := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO audit (tenant, actor, action) VALUES ($1, 'test', 'looked')`, tenant)
		return err
	}
	count := func() (n int) {
		err := db.Read(ctx, tenant, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SELECT count(*) FROM audit`).Scan(&n) })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	boom := errors.New("boom")
	if err := db.In(ctx, tenant, func(tx pgx.Tx) error { return errors.Join(audit(tx), boom) }); !errors.Is(err, boom) {
		t.Errorf("error of the function is lost: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.In(ctx, tenant, func(tx pgx.Tx) error { _ = audit(tx); panic(boom) })
	}()
	canceled, cancel := context.WithCancel(ctx)
	if err := db.In(canceled, tenant, func(tx pgx.Tx) error { defer cancel(); return audit(tx) }); err == nil {
		t.Error("a transaction whose context ended was committed")
	}
	if n := count(); n != 0 {
		t.Fatalf("%d rows of transactions that did not end well", n)
	}
	if err := db.In(ctx, tenant, audit); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 1 {
		t.Fatalf("%d rows, want 1", n)
	}
	if err := db.In(ctx, tenancy.NewID[tenancy.TenantID](), audit); !errors.Is(err, store.ErrUnknownTenant) {
		t.Errorf("tenant that does not exist: %v", err)
	}
	err := db.Read(ctx, tenant, audit)
	wantCode(t, err, "42501", "25006")
}

func TestListenHearsCommittedNotifications(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	heard, ended := make(chan string, 8), make(chan error, 1)
	ready := make(chan struct{})
	listenCtx, stop := context.WithCancel(ctx)
	go func() {
		ended <- db.Listen(listenCtx, "assim", func() { close(ready) }, func(p string) { heard <- p })
	}()
	<-ready
	notify := func(topic string, result error) {
		_ = db.In(ctx, tenant, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, topic); err != nil {
				t.Error(err)
			}
			return result
		})
	}
	notify("rolled back", errors.New("no"))
	notify("committed", nil)
	select {
	case got := <-heard:
		if got != "committed" {
			t.Errorf("heard %q", got)
		}
	case <-ctx.Done():
		t.Fatal("heard nothing")
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Listen ended with %v", err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
