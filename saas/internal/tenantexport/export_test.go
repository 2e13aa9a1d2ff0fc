package tenantexport

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/internal/exportfile"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// leftOut are tables and columns that no export has, and why.
var leftOut = map[string]string{
	"tenant_roles": "names in the database", "writers": "the service's own clock", "questions": "what is asked this second",
	"answers": "secrets may be in them, and they are kept for a day", "sso_attempts": "secrets of log-ins that are under way",
	"users": "read with the members: people",
	// Columns.
	"tenants.graph": "names in the database", "tenants.reader": "names in the database", "tenants.writer": "names in the database",
	"tenants.seal_key_hash": "follows from seal_key", "tenants.seal_private": "secret", "tenants.former_key": "on its way out",
	"tenants.former_key_hash": "on its way out", "tenants.former_private": "secret", "tenants.rotated_at": "on its way out", "relays.sealed_to": "of requests", "sites.site_private": "secret", "sites.next_private": "secret", "sites.site_secret": "secret",
	"api_tokens.hash": "secret", "tokens.hash": "secret", "sessions.hash": "secret", "invitations.hash": "secret",
	"identity_providers.client_secret": "secret", "exporters.secret": "secret", "webhooks.secret": "secret", "webhooks.previous_secret": "secret",
	"exporters.leased_until": "who works on it now", "webhooks.leased_until": "who works on it now", "history.kept_at": "when it was last tidied up",
	"hosts.name_lower": "follows from name", "asked.hash": "follows from address", "usage.held_at": "of the service's own book-keeping",
	"usage.told": "of the service's own book-keeping", "usage.asked_at": "of the service's own book-keeping",
}

// A column that is new is handed out, or left out for a reason.
func TestEveryColumnIsHandedOutOrLeftOutForAReason(t *testing.T) {
	_, url := storetest.OpenURL(t)
	admin := connect(t, url)
	handed := map[string]bool{}
	for _, of := range tables {
		from := of.from
		if from == "" {
			from = of.name
		}
		for column := range strings.FieldsSeq(of.columns) {
			name, _, _ := strings.Cut(column, ":")
			handed[from+"."+name] = true
		}
	}
	rows, err := admin.Query(t.Context(), `
		SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		  AND (c.relname = 'tenants' OR EXISTS (SELECT FROM pg_attribute k WHERE k.attrelid = c.oid AND k.attname = 'tenant' AND NOT k.attisdropped))`)
	if err != nil {
		t.Fatal(err)
	}
	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		in, out := handed[table+"."+column], leftOut[table] != "" || leftOut[table+"."+column] != ""
		if column != "tenant" && in == out {
			t.Errorf("%s.%s: handed out %v, left out for a reason %v", table, column, in, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seed uses the tenant's id (@) wherever an id is wanted.
var seed = []string{
	`INSERT INTO assim.users (id, email, password_hash) VALUES (@, @, 'secret-hash')`,
	`INSERT INTO assim.members (tenant, user_id, role) VALUES (@, @, 'owner')`,
	`INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role) VALUES (@, @, @, 'n', 'secret-hash', 'owner')`,
	`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES (@, @, 's', 'r', @::bytea, 'secret-key')`,
	`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES (@, @, @, 'r', 't', 'n', @::bytea, 'k', 'c')`,
	`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES (@, @, @, @, 'web', 'k', 'up', now(), now(), now())`,
	`INSERT INTO assim.facts (tenant, host, kind, instance, hash, term, version, at, seen_at) SELECT @, @, 'os', n::text, 'h', 1, 1, now(), now() FROM generate_series(1, 5000) n`,
	`INSERT INTO assim.fact_versions (tenant, host, kind, instance, at, seen_at, term, version, relay, epoch, seq, hash) SELECT @, @, 'os', n::text, now() - n * interval '1 day', now(), 1, n, @, 1, n, 'h' FROM generate_series(1, 300) n`,
	`INSERT INTO assim.undo (tenant, at, step, label, key, id, before) VALUES (@, now(), 1, 'Host', 'k', ag_catalog._graphid(3, 1), '{"name": "before"}')`,
	`INSERT INTO assim.events (tenant, at, seen_at, type, detail) SELECT @, now(), now(), 'x', '{"line": "two\nlines"}' FROM generate_series(1, 100)`,
	`INSERT INTO assim.exporters (tenant, id, name, protocol, endpoint, compression, signals, headers, secret, created_at, event_id, changed, sampled_at, next_at)
		VALUES (@, @, 'n', 'grpc', 'e', 'gzip', '{events}', '{x-key}', 'secret-key', now(), 0, '{}', now(), now())`,
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

func fill(t *testing.T, admin *pgx.Conn, tenant tenancy.TenantID) {
	t.Helper()
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range seed {
		if _, err := admin.Exec(t.Context(), strings.ReplaceAll(sql, "@", "'"+tenant.String()+"'")); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for i := range 40 {
		body := fmt.Appendf(nil, `{"n":%d,"of":"%s"}`, i, tenant)
		if _, err := admin.Exec(t.Context(), `INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size) VALUES ($1, $2, 'os', 1, $3, $4)`,
			tenant, []byte{byte(i)}, pack.EncodeAll(body, nil), len(body)); err != nil {
			t.Fatal(err)
		}
	}
	graph := store.Graph(tenant)
	if _, err := admin.Exec(t.Context(), `SET search_path = ag_catalog; SELECT * FROM cypher('`+graph+`', $$
		CREATE (:Host {key: 'h', n: 1})-[:RUNS {p: [1, 2]}]->(:Service {key: 'h/s', said: 'a "quote"'}) $$) AS (r agtype); RESET search_path`); err != nil {
		t.Fatal(err)
	}
}

// lines reads an export back, by table.
func lines(t *testing.T, export []byte) map[string][]map[string]any {
	t.Helper()
	unpack, err := zstd.NewReader(bytes.NewReader(export))
	if err != nil {
		t.Fatal(err)
	}
	defer unpack.Close()
	all := map[string][]map[string]any{}
	entries := tar.NewReader(unpack)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		table, _, ok := strings.Cut(header.Name, "/")
		if !ok {
			continue
		}
		decode := json.NewDecoder(entries)
		for decode.More() {
			var row map[string]any
			if err := decode.Decode(&row); err != nil {
				t.Fatal(err)
			}
			all[table] = append(all[table], row)
		}
	}
}

// What is handed out is what the database holds of the tenant: row by row, as the
// database itself puts it, and nothing of another tenant, and no secret.
func TestExportIsTheDatabases(t *testing.T) {
	db, url := storetest.OpenURL(t)
	admin := connect(t, url)
	tenant, other := storetest.Tenant(t, db), storetest.Tenant(t, db)
	fill(t, admin, tenant)
	fill(t, admin, other)
	var b bytes.Buffer
	if err := New(db, slog.New(slog.DiscardHandler), "test").write(t.Context(), web.Actor{Tenant: tenant}, &b, func() {}); err != nil {
		t.Fatal(err)
	}
	manifest, err := exportfile.Verify(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	has := lines(t, b.Bytes())
	for _, of := range manifest.Tables {
		if int64(len(has[of.Name])) != of.Rows {
			t.Errorf("%s has %d lines, the manifest says %d", of.Name, len(has[of.Name]), of.Rows)
		}
	}
	text := fmt.Sprint(has)
	if strings.Contains(text, other.String()) || strings.Contains(text, "secret-") {
		t.Error("the export has something of another tenant, or a secret")
	}
	for _, of := range tables {
		from, key := of.from, of.key
		if from == "" {
			from = of.name
		}
		if key == "" {
			key = "tenant"
		}
		rows, err := admin.Query(t.Context(), `SELECT to_jsonb(t) FROM assim.`+from+` t WHERE `+key+` = $1`, tenant)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
		if err != nil {
			t.Fatal(err)
		}
		same(t, of, want, has[of.name])
	}
	if len(has["people"]) != 1 || len(has["vertices"]) != 2 || len(has["edges"]) != 1 || len(has["facts"]) != 5000 {
		t.Errorf("%d people, %d vertices, %d edges, %d facts", len(has["people"]), len(has["vertices"]), len(has["edges"]), len(has["facts"]))
	}
	if edge := has["edges"][0]; edge["label"] != "RUNS" || !reflect.DeepEqual(edge["properties"], map[string]any{"p": []any{1., 2.}}) {
		t.Errorf("the edge is %v", edge)
	}
	t.Logf("%d bytes, %d files, %d tables", b.Len(), len(manifest.Files), len(manifest.Tables))
}

// same compares rows as the database has them with those of the export.
func same(t *testing.T, of table, want, got []map[string]any) {
	t.Helper()
	var wanted, gotten []string
	for _, row := range want {
		left := map[string]any{}
		for column := range strings.FieldsSeq(of.columns) {
			name, form, _ := strings.Cut(column, ":")
			left[name] = row[name]
			if text, ok := row[name].(string); ok && form == "hex" {
				left[name] = strings.TrimPrefix(text, `\x`)
			} else if form == "text" && row[name] != nil {
				left[name] = strings.Trim(fmt.Sprint(row[name]), `"`)
			}
		}
		if of.name == "fact_bodies" {
			delete(left, "body") // compressed
		}
		wanted = append(wanted, written(t, left))
	}
	for _, row := range got {
		if of.name == "fact_bodies" {
			if body := row["body"].(map[string]any); fmt.Sprint(body["of"]) == "" {
				t.Errorf("a body says %v", body)
			}
			delete(row, "body")
		}
		gotten = append(gotten, written(t, row))
	}
	slices.Sort(wanted)
	slices.Sort(gotten)
	if !slices.Equal(wanted, gotten) {
		t.Errorf("%s: the export has %.300s, the database %.300s", of.name, gotten, wanted)
	}
}

func written(t *testing.T, row map[string]any) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Exports in many hands do not take all connections, nor one tenant's all places.
func TestNoMoreExportsAtOnceThanConnectionsBear(t *testing.T) {
	s := New(nil, slog.New(slog.DiscardHandler), "test")
	var tenants []tenancy.TenantID
	for range atOnce {
		tenant := tenancy.NewID[tenancy.TenantID]()
		tenants = append(tenants, tenant)
		if err := s.enter(tenant); err != nil {
			t.Fatal(err)
		}
		if err := s.enter(tenant); err != errAnother {
			t.Errorf("a tenant's second: %v", err)
		}
	}
	other := tenancy.NewID[tenancy.TenantID]()
	if err := s.enter(other); err != errBusy {
		t.Errorf("one more: %v", err)
	}
	s.leave(tenants[0])
	if err := s.enter(other); err != nil {
		t.Errorf("a place that was given back: %v", err)
	}
}

func TestWhoTakesNextToNothingIsCutOff(t *testing.T) {
	begun := time.Now()
	for _, test := range []struct {
		after time.Duration
		taken int64
		want  time.Duration // after the beginning
	}{
		{0, 0, patience},
		{9 * time.Minute, 0, firstMinutes},
		{time.Hour, 100, firstMinutes},
		{time.Hour, 3600 * slowest, time.Hour + patience},
	} {
		if got := deadline(begun, begun.Add(test.after), test.taken).Sub(begun); got != test.want {
			t.Errorf("after %v and %d bytes: %v, want %v", test.after, test.taken, got, test.want)
		}
	}
}
