package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// Refusals of Postgres: no right, row-level security, read-only transaction,
// undefined role of SET ROLE.
const denied = "42501"

func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || !slices.Contains(codes, pgErr.Code) {
		t.Errorf("got %v, want a refusal %v", err, codes)
	}
}

// world is two tenants, each with a row in every shared table and a vertex and
// an edge in its graph.
type world struct {
	db   *store.DB
	a, b tenancy.TenantID
}

func newWorld(t *testing.T) (world, *pgx.Conn) {
	db, url := storetest.OpenURL(t)
	w := world{db, storetest.Tenant(t, db), storetest.Tenant(t, db)}
	admin := connect(t, url)
	for _, tenant := range []tenancy.TenantID{w.a, w.b} {
		for _, sql := range seed {
			if _, err := admin.Exec(t.Context(), strings.ReplaceAll(sql, "@", "'"+tenant.String()+"'")); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		graph := store.Graph(tenant)
		exec(t, admin, `SET search_path = ag_catalog`)
		exec(t, admin, fmt.Sprintf(`SELECT * FROM cypher('%s', $$
			CREATE (:Host {key: 'secret'})-[:RUNS {p: 1}]->(:Service {key: 'secret/s'}) $$) AS (r agtype)`, graph))
	}
	return w, admin
}

// seed uses the tenant's id (@) wherever an id is wanted.
var seed = []string{
	`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES (@, @, 's', 'r', @::bytea, 'x')`,
	`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES (@, @, @, 'r', 't', 'n', @::bytea, 'k', 'c')`,
	`INSERT INTO assim.tokens (id, tenant, site, kind, hash) VALUES (@, @, @, 'enr', 'h')`,
	`INSERT INTO assim.token_leases (tenant, token, relay, granted) VALUES (@, @, @, 1)`,
	`INSERT INTO assim.token_uses (tenant, token, host, relay) VALUES (@, @, @, @)`,
	`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES (@, @, @, @, 'h', 'k', 'up', now(), now(), now())`,
	`INSERT INTO assim.streams (tenant, relay, epoch, position, chain, updated_at) VALUES (@, @, 1, 1, 'c', now())`,
	`INSERT INTO assim.stream_epochs (tenant, relay, epoch, begun_at) VALUES (@, @, 1, now())`,
	`INSERT INTO assim.writers (tenant, at) VALUES (@, now())`,
	`INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size) VALUES (@, 'h', 'os', 1, 'b', 1)`,
	`INSERT INTO assim.facts (tenant, host, kind, instance, hash, term, version, at, seen_at) VALUES (@, @, 'os', '', 'h', 1, 1, now(), now())`,
	`INSERT INTO assim.fact_versions (tenant, host, kind, instance, at, seen_at, term, version, relay, epoch, seq) VALUES (@, @, 'os', '', now(), now(), 1, 1, @, 1, 1)`,
	`INSERT INTO assim.undo (tenant, at, step, label, key, id) VALUES (@, now(), 1, 'Host', 'k', ag_catalog._graphid(3, 1))`,
	`INSERT INTO assim.events (tenant, at, seen_at, type) VALUES (@, now(), now(), 'x')`,
	`INSERT INTO assim.verdicts (tenant, id, kind, site, count, since, at, confidence, received_at) VALUES (@, @, 'host down', @, 1, now(), now(), 50, now())`,
	`INSERT INTO assim.verdict_hosts (tenant, verdict, host) VALUES (@, @, @)`,
	`INSERT INTO assim.questions (tenant, id, site, kind, asked_at) VALUES (@, @, @, 'topology', now())`,
	`INSERT INTO assim.findings (tenant, host, rule, subject, detail, opened_at) VALUES (@, @, 'r', 's', 'd', now())`,
	`INSERT INTO assim.audit (tenant, actor, action) VALUES (@, 'a', 'b')`,
	`INSERT INTO assim.exporters (tenant, id, name, protocol, endpoint, compression, signals, headers, secret, created_at, event_id, changed, sampled_at, next_at)
		VALUES (@, @, 'n', 'grpc', 'e', 'gzip', '{}', '{}', 's', now(), 0, '{}', now(), now())`,
	`INSERT INTO assim.undelivered (tenant, exporter, at, signal, records, first_at, last_at, reason, sample) VALUES (@, @, now(), 'events', 1, now(), now(), 'r', '{}')`,
	`INSERT INTO assim.webhooks (tenant, id, name, url, types, state, secret, created_at, event_id, next_at) VALUES (@, @, 'w', 'u', '{}', 'on', 'x', now(), 0, now())`,
	`INSERT INTO assim.webhook_messages (tenant, webhook, event, id, type, at, body, next_at) VALUES (@, @, 1, 'm', 't', now(), 'b', now())`,
	`INSERT INTO assim.webhook_tries (tenant, webhook, event, at, status, took_ms, problem, answer) VALUES (@, @, 1, now(), 0, 0, 'p', 'a')`,
	`INSERT INTO assim.answers (tenant, key, fingerprint, begun_at) VALUES (@, @::bytea, 'f', now())`,
	`INSERT INTO assim.users (id, email, password_hash) VALUES (@, @, 'h')`,
	`INSERT INTO assim.members (tenant, user_id, role) VALUES (@, @, 'owner')`,
	`INSERT INTO assim.sessions (hash, user_id, tenant, expires_at) VALUES (@::bytea, @, @, now())`,
	`INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role) VALUES (@, @, @, 'n', 'h', 'owner')`,
	`INSERT INTO assim.known_addresses (user_id, address, seen_at) VALUES (@, '192.0.2.1', now())`,
	`INSERT INTO assim.recovery_codes (user_id, hash) VALUES (@, 'h')`,
	`INSERT INTO assim.signups (hash, email, password_hash, tenant_name, created_at, expires_at) VALUES (@::bytea, @, 'h', @, now(), now())`,
	`INSERT INTO assim.links (hash, purpose, user_id, created_at, expires_at) VALUES (@::bytea, 'reset', @, now(), now())`,
	`INSERT INTO assim.site_members (tenant, user_id, site, role) VALUES (@, @, @, 'operator')`,
	`INSERT INTO assim.invitations (id, tenant, hash, email, role, invited_by, created_at, expires_at, inviter) VALUES (@, @, @::bytea, 'e', 'viewer', 'x', now(), now(), @)`,
	`INSERT INTO assim.entry_rules (tenant) VALUES (@)`,
	`INSERT INTO assim.identity_providers (tenant, issuer, client_id, client_secret, updated_at) VALUES (@, 'i', 'c', 's', now())`,
	`INSERT INTO assim.domains (tenant, domain, challenge) VALUES (@, 'd', 'c')`,
	`INSERT INTO assim.identities (tenant, issuer, subject, user_id) VALUES (@, 'i', 's', @)`,
	`INSERT INTO assim.views (tenant, id, page, query, name, created_by) VALUES (@, @, '/', '', 'n', 'x')`,
	`INSERT INTO assim.asked (tenant, person, hash, address, said) VALUES (@, @, 'h', 'a', 's')`,
	`INSERT INTO assim.operations (what) VALUES (@)`,
	`INSERT INTO assim.deletions (tenant, asked_at, asked_by, due_at) VALUES (@, now(), 'x', now())`,
	`INSERT INTO assim.tombstones (id, on_day) VALUES (@, now())`,
	`INSERT INTO assim.quotas (tenant, hosts) VALUES (@, 1)`,
	`INSERT INTO assim.usage (tenant) VALUES (@)`,
	`INSERT INTO assim.usage_days (tenant, day, hosts, changes, bytes) VALUES (@, now(), 1, 1, 1)`,
	`INSERT INTO assim.refused_hosts (tenant, host, relay, name, refused_at) VALUES (@, @, @, 'h', now())`,
	`INSERT INTO assim.sso_attempts (hash, tenant, issuer, state, nonce, verifier, next, created_at, expires_at) VALUES (@::bytea, @, 'i', 's', 'n', 'v', '/', now(), now())`,
}

// attack runs one statement as tenant A and reports how many rows it returned or
// touched, and the error.
type attack func(context.Context, tenancy.TenantID, func(pgx.Tx) error) error

func (run attack) try(ctx context.Context, as tenancy.TenantID, sql string, args ...any) (int64, error) {
	var n int64
	err := run(ctx, as, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			n++
		}
		rows.Close()
		if !rows.CommandTag().Select() {
			n = rows.CommandTag().RowsAffected()
		}
		return rows.Err()
	})
	return n, err
}

func (w world) doors() map[string]attack {
	return map[string]attack{"writer": w.db.In, "reader": w.db.Read}
}

// Every relation of the schema is tried, so that a new table without a policy
// fails here.
func TestTenantReachesNoRowOfAnother(t *testing.T) {
	w, admin := newWorld(t)
	ctx := t.Context()
	tables := strings1(t, admin, `SELECT relname::text FROM pg_class WHERE relnamespace = 'assim'::regnamespace AND relkind IN ('r', 'p', 'v')`)
	if len(tables) < 20 {
		t.Fatalf("only %d tables: %v", len(tables), tables)
	}
	for door, run := range w.doors() {
		for _, table := range tables {
			t.Run(door+"/"+table, func(t *testing.T) {
				column := "tenant"
				switch table {
				case "tenants", "users", "tombstones":
					column = "id"
				case "operations":
					column = "what"
				case "known_addresses", "recovery_codes", "links":
					column = "user_id"
				case "signups":
					column = "email"
				case "labels":
					column = "name" // of the own graph only: counted below
				}
				refusedOrNone := func(what string, n int64, err error) {
					t.Helper()
					if err != nil {
						wantCode(t, err, denied, "25006", "55000")
					} else if n != 0 {
						t.Errorf("%s reached %d rows of another tenant", what, n)
					}
				}
				of := fmt.Sprintf(`assim.%s WHERE %s::text = $1`, table, column)
				n, err := run.try(ctx, w.a, `SELECT 1 FROM `+of, w.b.String())
				refusedOrNone("SELECT", n, err)
				n, err = run.try(ctx, w.a, `DELETE FROM `+of, w.b.String())
				refusedOrNone("DELETE", n, err)
				n, err = run.try(ctx, w.a, fmt.Sprintf(`UPDATE assim.%[1]s SET %[2]s = %[2]s WHERE %[2]s::text = $1`, table, column), w.b.String())
				refusedOrNone("UPDATE", n, err)
				if column == "tenant" {
					// A row moved to, or made for, the other tenant.
					n, err = run.try(ctx, w.a, fmt.Sprintf(`UPDATE assim.%s SET tenant = $1`, table), w.b)
					refusedOrNone("UPDATE into", n, err)
					_, err = run.try(ctx, w.a, `INSERT INTO assim.`+table+` (tenant) VALUES ($1)`, w.b)
					wantCode(t, err, denied, "25006", "428C9")
				}
			})
		}
		n, err := run.try(ctx, w.a, `SELECT * FROM assim.labels`)
		if err != nil || n != int64(len(cmdb.Vertices)+len(cmdb.Edges)+2) {
			t.Errorf("%s sees %d labels: %v", door, n, err)
		}
	}
	for _, tenant := range []tenancy.TenantID{w.a, w.b} {
		for _, table := range tables {
			if table == "labels" || strings.HasSuffix(table, "_default") {
				continue
			}
			var n int
			if err := admin.QueryRow(ctx, `SELECT count(*) FROM assim.`+table+` t WHERE t::text LIKE '%' || $1 || '%'`, tenant.String()).Scan(&n); err != nil || n == 0 {
				t.Errorf("the attacks left nothing in %s: %v", table, err)
			}
		}
	}
}

func TestOwnRowsAreReached(t *testing.T) {
	w, _ := newWorld(t)
	for door, run := range w.doors() {
		for _, table := range []string{"sites", "relays", "tokens", "hosts", "facts", "fact_versions", "undo", "events", "audit"} {
			n, err := run.try(t.Context(), w.a, `SELECT tenant FROM assim.`+table)
			if err != nil || n != 1 {
				t.Errorf("%s sees %d rows of its own in %s: %v", door, n, table, err)
			}
		}
	}
}

// A reference to another tenant's site would be checked as the table's owner,
// past all policies.
func TestReferencesStayInTheTenant(t *testing.T) {
	w, _ := newWorld(t)
	run := attack(w.db.In)
	for _, sql := range []string{
		`UPDATE assim.hosts SET site = $1`, `UPDATE assim.relays SET site = $1`, `UPDATE assim.tokens SET site = $1`,
		`UPDATE assim.streams SET relay = $1`, `UPDATE assim.token_leases SET relay = $1`, `UPDATE assim.token_leases SET token = $1::uuid::text`,
		`UPDATE assim.verdicts SET site = $1`, `UPDATE assim.verdict_hosts SET verdict = $1`,
	} {
		_, err := run.try(t.Context(), w.a, sql, w.b)
		wantCode(t, err, "23503")
	}
}

func TestTenantReachesNoGraphOfAnother(t *testing.T) {
	w, admin := newWorld(t)
	ctx := t.Context()
	g := store.Graph(w.b)
	attacks := []string{
		`SELECT * FROM ` + g + `."Host"`,
		`SELECT * FROM ` + g + `._ag_label_vertex`,
		`SELECT * FROM ` + g + `."RUNS"`,
		`DELETE FROM ` + g + `."Host"`,
		`UPDATE ` + g + `."Host" SET properties = properties`,
		`INSERT INTO ` + g + `."Host" (id, properties) VALUES (1, '{}')`,
		`SELECT nextval('` + g + `."Host_id_seq"')`,
		`CREATE TABLE ` + g + `.x ()`,
		`SELECT * FROM cypher('` + g + `', $$ MATCH (n:Host) RETURN n $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + g + `', $$ MATCH (n) RETURN n $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + g + `', $$ CREATE (n:Host {key: 'y'}) $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + g + `', $$ MATCH (n:Host) DETACH DELETE n $$) AS (n agtype)`,
		`SELECT * FROM ag_catalog.ag_graph`, // names of all tenants
		`SELECT * FROM ag_catalog.ag_label`,
		`SELECT ag_catalog.drop_graph('` + g + `', true)`,
		`SELECT pg_read_file('/etc/passwd')`,
		`COPY (SELECT 1) TO PROGRAM 'true'`,
		`CREATE ROLE attacker`,
		`CREATE TABLE public.x ()`,
		`ALTER TABLE assim.facts DISABLE ROW LEVEL SECURITY`,
		`CREATE OR REPLACE FUNCTION assim.current_tenant() RETURNS uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$`,
		`SET SESSION AUTHORIZATION postgres`,
	}
	for door, run := range w.doors() {
		for _, sql := range attacks {
			n, err := run.try(ctx, w.a, sql)
			if err == nil {
				t.Errorf("%s: %s succeeded with %d rows", door, sql, n)
			}
		}
	}
	var hosts, edges int
	err := admin.QueryRow(ctx, `SELECT (SELECT count(*) FROM `+g+`."Host"), (SELECT count(*) FROM `+g+`."RUNS")`).Scan(&hosts, &edges)
	if err != nil || hosts != 1 || edges != 1 {
		t.Errorf("the attacks left %d hosts and %d edges: %v", hosts, edges, err)
	}
}

// What a reader must not do in its own graph, nor to the server. On AGE 1.5
// Cypher's SET and DELETE ask no table for rights.
func TestReaderWritesNothing(t *testing.T) {
	w, _ := newWorld(t)
	ctx := t.Context()
	own, other := store.Graph(w.a), store.Graph(w.b)
	read := attack(w.db.Read)
	for _, sql := range []string{
		`SELECT * FROM cypher('` + own + `', $$ MATCH (n:Host) SET n.x = 1 $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + own + `', $$ MATCH (n:Host) REMOVE n.key $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + own + `', $$ MATCH (n:Host) DETACH DELETE n $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + own + `', $$ CREATE (n:Host) $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + own + `', $$ MERGE (n:Host {key: 'z'}) $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + own + `', $$ MATCH (a)-[*]->(b) RETURN b $$) AS (n agtype)`,
		`SELECT * FROM cypher('` + own + `', $$ RETURN startnode('` + other + `', {id: 1, start_id: 1, end_id: 1, label: 'RUNS', properties: {}}::edge) $$) AS (n agtype)`,
		`SELECT set_config('role', 'postgres', true)`,
		`SELECT query_to_xml('SELECT 1', true, true, '')`,
		`SELECT pg_sleep(0)`,
		`SELECT pg_advisory_lock(1)`,
		`SELECT secret FROM assim.webhooks`,
		`SELECT answer FROM assim.answers`,
		`SELECT lo_creat(-1)`,
		`CREATE TEMPORARY TABLE x ()`,
		`SELECT site_private FROM assim.sites`,
		`SELECT seal_private FROM assim.tenants`,
		`SELECT * FROM assim.users`,
		`SELECT * FROM assim.sessions`,
		`SET LOCAL ROLE ` + "w_" + strings.TrimPrefix(own, "g_"),
	} {
		if n, err := read.try(ctx, w.a, sql); err == nil {
			t.Errorf("%s succeeded with %d rows", sql, n)
		}
	}
	n, err := read.try(ctx, w.a, `SELECT * FROM cypher('`+own+`', $$ MATCH (h:Host {key: 'secret'})-[:RUNS]->(s:Service) RETURN h.key, s $$) AS (k agtype, s agtype)`)
	if err != nil || n != 1 {
		t.Errorf("the reader's own question: %d rows, %v", n, err)
	}
}

func TestGlobalSeesNothingOfATenant(t *testing.T) {
	w, _ := newWorld(t)
	ctx := t.Context()
	global := attack(func(ctx context.Context, _ tenancy.TenantID, fn func(pgx.Tx) error) error {
		return w.db.Global(ctx, fn)
	})
	for _, sql := range []string{
		`SELECT * FROM assim.sites`, `SELECT * FROM assim.hosts`, `SELECT * FROM assim.facts`, `SELECT * FROM assim.relays`,
		`SELECT * FROM assim.tokens`, `SELECT * FROM ` + store.Graph(w.a) + `."Host"`, `UPDATE assim.tenants SET name = 'x'`,
		`SET LOCAL ROLE ` + "r_" + strings.TrimPrefix(store.Graph(w.a), "g_"),
	} {
		_, err := global.try(ctx, w.a, sql)
		wantCode(t, err, denied)
	}
	if n, err := global.try(ctx, w.a, `SELECT id FROM assim.tenants`); err != nil || n != 2 {
		t.Errorf("%d tenants: %v", n, err)
	}
	var tenant tenancy.TenantID
	err := w.db.Global(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SELECT assim.tenant_of_relay($1)`, w.b).Scan(&tenant) })
	if err != nil || tenant != w.b {
		t.Errorf("tenant of a relay is %s: %v", tenant, err)
	}
}

func TestHistoryIsWrittenOnce(t *testing.T) {
	w, _ := newWorld(t)
	for _, table := range []string{"fact_versions", "undo", "events", "audit"} {
		for _, sql := range []string{`DELETE FROM assim.` + table, `UPDATE assim.` + table + ` SET at = now()`} {
			_, err := attack(w.db.In).try(t.Context(), w.a, sql)
			wantCode(t, err, denied)
		}
	}
}

func strings1(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}
