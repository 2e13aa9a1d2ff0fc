package deletion

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// rig is the feature on a real database, and who looks behind its back.
type rig struct {
	*Service
	t     *testing.T
	url   string
	admin *pgx.Conn
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, database := storetest.OpenURL(t)
	r := &rig{t: t, url: database, admin: connect(t, database)}
	r.Service = r.process(db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	return r
}

// process is one of those that share the database.
func (r *rig) process(db *store.DB, log *slog.Logger) *Service {
	r.t.Helper()
	post, err := mail.New("", "", log, prometheus.NewRegistry())
	if err != nil {
		r.t.Fatal(err)
	}
	return New(Config{DB: db, Post: post, URL: &url.URL{Scheme: "http", Host: "localhost"}, Log: log, Grace: 7 * 24 * time.Hour})
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

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.admin.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// seed has the tenant's id (@) wherever an id is wanted.
var seed = []string{
	`INSERT INTO assim.users (id, email, password_hash) VALUES (@, @, 'h')`,
	`INSERT INTO assim.members (tenant, user_id, role) VALUES (@, @, 'owner')`,
	`INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role) VALUES (@, @, @, 'n', 'h', 'owner')`,
	`INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter) VALUES (@, @, @::bytea, 'e', 'viewer', 'b', now(), now(), @)`,
	`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES (@, @, 's', 'r', @::bytea, 'k')`,
	`INSERT INTO assim.site_members (tenant, user_id, site, role) VALUES (@, @, @, 'operator')`,
	`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES (@, @, @, 'r', 't', 'n', @::bytea, 'k', 'c')`,
	`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES (@, @, @, @, 'web', 'k', 'up', now(), now(), now())`,
	`INSERT INTO assim.facts (tenant, host, kind, instance, hash, term, version, at, seen_at) SELECT @, @, 'os', n::text, 'h', 1, 1, now(), now() FROM generate_series(1, 100) n`,
	`INSERT INTO assim.undo (tenant, at, step, label, key, id) VALUES (@, now(), 1, 'Host', 'k', ag_catalog._graphid(3, 1))`,
	`INSERT INTO assim.events (tenant, at, seen_at, type, detail) SELECT @, now(), now(), 'x', '{}' FROM generate_series(1, 100)`,
	`INSERT INTO assim.views (tenant, id, page, query, name, owner, created_by) VALUES (@, @, '/hosts', '', 'v', @, '')`,
	`INSERT INTO assim.webhooks (tenant, id, name, url, types, state, secret, created_at, event_id, next_at) VALUES (@, @, 'w', 'https://example.org', '{}', 'on', '', now(), 0, now())`,
	`INSERT INTO assim.answers (tenant, key, fingerprint, begun_at) VALUES (@, @::bytea, '', now())`,
}

// owner makes a tenant with rows in many tables, and returns who owns it.
func (r *rig) owner() web.Actor {
	r.t.Helper()
	tenant := storetest.Tenant(r.t, r.DB)
	for _, sql := range seed {
		r.exec(strings.ReplaceAll(sql, "@", "'"+tenant.String()+"'"))
	}
	return web.Actor{User: tenancy.UserID(tenant), Email: tenant.String() + "@example.org", Tenant: tenant, TenantName: "Example", Role: tenancy.Owner}
}

// ofTenant says what the database has of a tenant: rows of each table with a column
// "tenant", schemas and roles.
func (r *rig) ofTenant(tenant tenancy.TenantID) map[string]string {
	r.t.Helper()
	query := func(sql string, args ...any) (all []string) {
		r.t.Helper()
		rows, err := r.admin.Query(r.t.Context(), sql, args...)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return all
	}
	found := map[string]string{}
	for _, table := range query(`SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
		WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`) {
		if rows := query(`SELECT t::text FROM assim.`+table+` t WHERE tenant = $1 ORDER BY 1`, tenant); len(rows) > 0 {
			found[table] = strings.Join(rows, "\n")
		}
	}
	for what, sql := range map[string]string{
		"schemas": `SELECT n.nspname || ' ' || c.relname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = 'g_' || $1 ORDER BY 1`,
		"roles":   `SELECT rolname::text FROM pg_roles WHERE rolname IN ('r_' || $1, 'w_' || $1) ORDER BY 1`,
		"tenant":  `SELECT t::text FROM assim.tenants t WHERE replace(id::text, '-', '') = $1`,
		"people":  `SELECT u::text FROM assim.users u WHERE replace(id::text, '-', '') = $1`,
	} {
		if rows := query(sql, strings.TrimPrefix(store.Graph(tenant), "g_")); len(rows) > 0 {
			found[what] = strings.Join(rows, "\n")
		}
	}
	return found
}

func (r *rig) mustAsk(by web.Actor, now bool) pending {
	r.t.Helper()
	p, err := r.ask(r.t.Context(), by, request{by.TenantName, true, now})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) due() {
	r.t.Helper()
	if err := r.deleteDue(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// status of an answer to a person; 0 for none.
func status(err error) int {
	if known, ok := errors.AsType[huma.StatusError](err); ok {
		return known.GetStatus()
	}
	return 0
}

// Until it is due a deletion can be taken back, hastened, and not put off; then it
// cannot.
func TestATenantHasGrace(t *testing.T) {
	r := newRig(t)
	ada := r.owner()
	if p := r.mustAsk(ada, false); p.DueAt.Sub(p.AskedAt) != r.Grace {
		t.Errorf("due at %s, asked at %s", p.DueAt, p.AskedAt)
	}
	r.due()
	if has := r.ofTenant(ada.Tenant); has["tenant"] == "" || has["hosts"] == "" {
		t.Fatalf("before its time the tenant has %v", slices.Sorted(maps.Keys(has)))
	}
	if _, err := r.ask(t.Context(), ada, request{ada.TenantName, true, false}); status(err) != 409 {
		t.Errorf("put off: %v", err)
	}
	if err := r.keep(t.Context(), ada); err != nil {
		t.Errorf("taken back: %v", err)
	}
	if _, err := r.find(t.Context(), ada.Tenant); !errors.Is(err, errNone) {
		t.Errorf("after that: %v", err)
	}
	if err := r.keep(t.Context(), ada); status(err) != 404 {
		t.Errorf("taken back again: %v", err)
	}
	r.mustAsk(ada, false)
	if p := r.mustAsk(ada, true); p.DueAt.After(p.AskedAt) {
		t.Errorf("at once is at %s", p.DueAt)
	}
	r.exec(`UPDATE assim.deletions SET begun_at = now()`)
	if err := r.keep(t.Context(), ada); status(err) != 404 {
		t.Errorf("taken back when it has begun: %v", err)
	}
	r.due()
	if has := r.ofTenant(ada.Tenant); len(has) > 0 {
		t.Errorf("left are %v", has)
	}
}

// A tenant goes with every row, schema and role that it has, and another that asked
// for the same, but later, keeps each as it is.
func TestATenantGoesAndAnotherStays(t *testing.T) {
	r := newRig(t)
	ada, eve := r.owner(), r.owner()
	r.mustAsk(eve, false)
	r.mustAsk(ada, true)
	before := r.ofTenant(eve.Tenant)
	if has := r.ofTenant(ada.Tenant); len(has) < len(seed) || len(has) != len(before) {
		t.Fatalf("the tenant has %v", slices.Sorted(maps.Keys(has)))
	}
	r.due()
	if has := r.ofTenant(ada.Tenant); len(has) > 0 {
		t.Errorf("left are %v", has)
	}
	if after := r.ofTenant(eve.Tenant); !maps.Equal(before, after) {
		for what := range before {
			if before[what] != after[what] {
				t.Errorf("the other's %s were %.300s, are %.300s", what, before[what], after[what])
			}
		}
	}
	err := r.DB.In(t.Context(), eve.Tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.events (tenant, at, seen_at, type, detail) VALUES ($1, now(), now(), 'x', '{}')`, eve.Tenant)
		return err
	})
	if err != nil {
		t.Errorf("the other can write no more: %v", err)
	}
}

// Whoever deletes is stopped in the middle: nobody gets into the tenant, nobody can
// take it back, and another process goes on.
func TestADeletionThatWasKilledGoesOn(t *testing.T) {
	for _, table := range []string{"events", "hosts", "views"} {
		t.Run(table, func(t *testing.T) {
			r := newRig(t)
			ada, eve := r.owner(), r.owner()
			before := r.ofTenant(eve.Tenant)
			r.mustAsk(ada, true)
			// The deletion comes as far as this table, and waits.
			blocker := connect(t, r.url)
			if _, err := blocker.Exec(t.Context(), `BEGIN; LOCK TABLE assim.`+table+` IN SHARE MODE`); err != nil {
				t.Fatal(err)
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			ended := make(chan error, 1)
			go func() { ended <- r.deleteDue(ctx) }()
			r.waitForALock(table)
			kill()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("killed: %v", err)
			}
			half := r.ofTenant(ada.Tenant)
			if half["schemas"] != "" || half[table] == "" || half["deletions"] == "" || half["tenant"] == "" {
				t.Errorf("in the middle the tenant has %v", slices.Sorted(maps.Keys(half)))
			}
			if err := r.DB.In(t.Context(), ada.Tenant, func(pgx.Tx) error { return nil }); !errors.Is(err, store.ErrUnknownTenant) {
				t.Errorf("somebody gets in: %v", err)
			}
			if err := r.keep(t.Context(), ada); status(err) != 404 {
				t.Errorf("taken back in the middle: %v", err)
			}
			if _, err := r.ask(t.Context(), ada, request{ada.TenantName, true, true}); status(err) != 409 {
				t.Errorf("asked again in the middle: %v", err)
			}
			if _, err := blocker.Exec(t.Context(), `ROLLBACK`); err != nil {
				t.Fatal(err)
			}
			if err := r.process(r.DB, r.Log).deleteDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if has := r.ofTenant(ada.Tenant); len(has) > 0 {
				t.Errorf("left are %v", has)
			}
			if after := r.ofTenant(eve.Tenant); !maps.Equal(before, after) {
				t.Error("the other tenant is another than it was")
			}
		})
	}
}

// waitForALock returns when somebody waits for a table.
func (r *rig) waitForALock(table string) {
	r.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for waits := 0; waits == 0; {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("nobody came as far as %s", table)
		}
		if err := r.admin.QueryRow(r.t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass`, "assim."+table).Scan(&waits); err != nil {
			r.t.Fatal(err)
		}
	}
}

// told is a log that says what it was told.
type told chan string

func (c told) Write(line []byte) (int, error) {
	c <- string(line)
	return len(line), nil
}

// Who asks for it at once wakes who deletes.
func TestAtOnceIsAtOnce(t *testing.T) {
	r := newRig(t)
	ada := r.owner()
	log := make(told, 100)
	r.Service = r.process(r.DB, slog.New(slog.NewTextHandler(log, nil)))
	r.mustAsk(ada, false)
	if len(r.woken) != 0 {
		t.Error("somebody is woken for what has time")
	}
	r.mustAsk(ada, true)
	if len(r.woken) != 1 {
		t.Error("nobody is woken")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for line := ""; !strings.Contains(line, "a tenant is deleted"); {
		line = <-log
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if has := r.ofTenant(ada.Tenant); len(has) > 0 {
		t.Errorf("left are %v", has)
	}
}

// Whoever does not mean it deletes nothing.
func TestADeletionIsMeant(t *testing.T) {
	r := newRig(t)
	ada := r.owner()
	for _, bad := range []request{{"example", true, true}, {"", true, true}, {"Example ", true, true}, {"Example", false, true}} {
		if _, err := r.ask(t.Context(), ada, bad); status(err) != 422 {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := r.find(t.Context(), ada.Tenant); !errors.Is(err, errNone) {
		t.Errorf("it is asked for: %v", err)
	}
}
