package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	neturl "net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"assimilation/internal/pgtest"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// furnished is a database with two tenants that have something of everything that
// is hard to copy.
func furnished(t *testing.T) (url string, tenants []tenancy.TenantID) {
	t.Helper()
	db, url := storetest.OpenURL(t)
	ctx := t.Context()
	if err := db.Global(ctx, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, `SELECT * FROM assim.turn_history()`); return err }); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		tenant := storetest.Tenant(t, db)
		tenants = append(tenants, tenant)
		if err := wrap(ctx, url, tenant); err != nil {
			t.Fatal(err)
		}
		err := db.In(ctx, tenant, func(tx pgx.Tx) error {
			batch := &pgx.Batch{}
			batch.Queue(`INSERT INTO assim.events (tenant, at, seen_at, type, detail) SELECT $1, now(), now(), E'a\tb\\N\n' || n, '{"a": 1.50}' FROM generate_series(1, $2::int) n`, tenant, 100+i)
			batch.Queue(`INSERT INTO assim.fact_bodies (tenant, hash, kind, schema, body, size) VALUES ($1, '\x00ff', 'os', 1, '\x5c6e0a00', 4)`, tenant)
			batch.Queue(`INSERT INTO assim.undo (tenant, at, step, label, key, before, id) VALUES ($1, now(), 1, 'Host', 'x', '{"é": null}', '281474976710657')`, tenant)
			graph := pgx.Identifier{store.Graph(tenant), "Host"}.Sanitize()
			batch.Queue(`INSERT INTO ` + graph + ` (id, properties) SELECT _graphid((SELECT id FROM assim.labels WHERE name = 'Host'), n), ('{"key": "h' || n || '", "load": 0.1, "big": 9007199254740993, "text": "a\"\\é\n"}')::agtype FROM generate_series(1, 50) n`)
			return tx.SendBatch(ctx, batch).Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return url, tenants
}

// wrap makes a tenant's secret look as if a master key had wrapped it.
func wrap(ctx context.Context, url string, tenant tenancy.TenantID) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `UPDATE assim.tenants SET seal_private = decode('01'||$2||'00', 'hex') WHERE id = $1`, tenant, keyID)
	return err
}

// elsewhere is a database of the same server that does not exist yet.
func elsewhere(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	name := config.Database + "_back"
	there := strings.Replace(url, "/"+config.Database, "/"+name, 1)
	config.Database = "postgres"
	t.Cleanup(func() {
		ctx := context.Background()
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		for _, database := range []string{name, name + "_restoring"} {
			if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+quote(database)+` WITH (FORCE)`); err != nil {
				t.Error(err)
			}
		}
		rows, _ := conn.Query(ctx, `SELECT quote_ident(rolname) FROM pg_roles WHERE starts_with(rolname, $1)`, store.RolePrefix(name))
		roles, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err == nil && len(roles) > 0 {
			_, err = conn.Exec(ctx, `DROP ROLE `+strings.Join(roles, ", "))
		}
		if err != nil {
			t.Errorf("dropping the roles of %s: %v", name, err)
		}
	})
	return there
}

// keyID names a master key that nobody has, by which secrets seem to be wrapped.
const keyID = "0badcafe"

func dump(t *testing.T, url string, recipients ...age.Recipient) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, _, err := (Dump{AdminURL: url, Recipients: recipients}).Write(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhatIsRestoredIsWhatWasThere(t *testing.T) {
	url, tenants := furnished(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := dump(t, url, identity.Recipient())
	there := elsewhere(t, url)
	r := Restore{AdminURL: there, Passwords: storetest.Passwords, MasterKeys: []string{keyID}}

	if _, _, err := r.Run(t.Context(), file); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Fatalf("without an identity: %v", err)
	}
	r.Identities = []age.Identity{identity}
	r.MasterKeys = []string{"00000000"}
	if _, _, err := r.Run(t.Context(), file); err == nil || !strings.Contains(err.Error(), keyID) {
		t.Fatalf("with another master key: %v", err)
	}
	r.MasterKeys = []string{"00000000", keyID}
	begun := time.Now()
	manifest, step, err := r.Run(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows of %d tables restored in %v", step.Rows, step.Tables, time.Since(begun))
	if len(manifest.Graphs) != 2 || step.Rows < 2*(100+50+2) {
		t.Errorf("%d graphs, %d rows", len(manifest.Graphs), step.Rows)
	}
	sameContent(t, url, there, manifest)
	lives(t, there, tenants)

	if _, _, err := r.Run(t.Context(), file); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("over a database in use: %v", err)
	}
	r.Force = true
	if _, _, err := r.Run(t.Context(), file); err != nil {
		t.Errorf("by force: %v", err)
	}
	lives(t, there, tenants)
}

// A deployment moves to a server with a newer Postgres and AGE by its backup.
func TestABackupMovesToANewerPostgres(t *testing.T) {
	newer := os.Getenv("ASSIM_NEWER_DATABASE_URL")
	if newer == "" {
		t.Skip("ASSIM_NEWER_DATABASE_URL is not set: `make test-pg18` sets it to the server of Postgres 18")
	}
	from, tenants := furnished(t)
	config, err := pgx.ParseConfig(from)
	if err != nil {
		t.Fatal(err)
	}
	to, err := neturl.Parse(newer)
	if err != nil {
		t.Fatal(err)
	}
	to.Path = "/" + config.Database
	there := elsewhere(t, to.String())
	manifest, _, err := Restore{AdminURL: there, Passwords: storetest.Passwords, MasterKeys: []string{keyID}}.Run(t.Context(), dump(t, from))
	if err != nil {
		t.Fatal(err)
	}
	sameContent(t, from, there, manifest)
	lives(t, there, tenants)
	second, step, err := Dump{AdminURL: there}.Write(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if second.Postgres == manifest.Postgres {
		t.Errorf("both servers are Postgres %s", second.Postgres)
	}
	t.Logf("%d rows of Postgres %s, AGE %s are in Postgres %s, AGE %s", step.Rows, manifest.Postgres, manifest.AGE, second.Postgres, second.AGE)
}

// sameContent compares all that backups of the two hold.
func sameContent(t *testing.T, a, b string, manifest Manifest) {
	t.Helper()
	var all [2]map[string]Digest
	var found [2]Manifest
	for i, url := range []string{a, b} {
		in, err := os.Open(dump(t, url))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		r, err := newReader(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		end, err := r.tables(func(_ source, in io.Reader) error { _, err := io.Copy(io.Discard, in); return err })
		if err != nil {
			t.Fatal(err)
		}
		all[i], found[i] = end.Tables, r.manifest
	}
	for entry, want := range all[0] {
		if got := all[1][entry]; got != want {
			t.Errorf("%s: %+v, want %+v", entry, got, want)
		}
	}
	if !slices.Equal(found[0].Sequences, found[1].Sequences) || !slices.Equal(found[0].Partitions, found[1].Partitions) {
		t.Errorf("sequences or partitions differ:\n%v\n%v\n%v\n%v", found[0].Sequences, found[1].Sequences, found[0].Partitions, found[1].Partitions)
	}
	for i, g := range found[0].Graphs {
		if !slices.Equal(g.Labels, found[1].Graphs[i].Labels) {
			t.Errorf("labels of %s differ", g.Tenant)
		}
	}
}

// errLooked undoes what a look needed to write.
var errLooked = errors.New("looked")

// lives works with a restored database as the service does.
func lives(t *testing.T, url string, tenants []tenancy.TenantID) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Config{AdminURL: url, Passwords: storetest.Passwords, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, tenant := range tenants {
		var hosts, events int
		var newest, next int64
		err := db.In(ctx, tenant, func(tx pgx.Tx) error {
			graph := pgx.Identifier{store.Graph(tenant), "Host"}.Sanitize()
			// By the index that a restore must have made, as AGE plans it.
			if err := tx.QueryRow(ctx, `SELECT count(*) FROM cypher('`+store.Graph(tenant)+`', $$ MATCH (h:Host {key: 'h7'}) RETURN h.key $$) AS (k agtype)`).Scan(&hosts); err != nil {
				return fmt.Errorf("asking the graph: %w", err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO `+graph+` (id, properties) VALUES (_graphid((SELECT id FROM assim.labels WHERE name = 'Host'), 1000), '{"key": "new"}')`); err != nil {
				return fmt.Errorf("adding to the graph: %w", err)
			}
			if err := tx.QueryRow(ctx, `SELECT count(*), max(id) FROM assim.events`).Scan(&events, &newest); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, `INSERT INTO assim.events (tenant, at, seen_at, type) VALUES ($1, now(), now(), 'x') RETURNING id`, tenant).Scan(&next); err != nil {
				return fmt.Errorf("adding an event: %w", err)
			}
			return errLooked
		})
		if err != errLooked {
			t.Fatal(err)
		}
		if hosts != 1 || events != 100+i || next <= newest {
			t.Errorf("tenant %d: %d hosts, %d events, event %d after %d", i, hosts, events, next, newest)
		}
	}
}

func TestDamageIsFoundBeforeAnythingIsTouched(t *testing.T) {
	whole := archive(t)
	there := elsewhere(t, pgtest.URL(t))
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"cut", func(b []byte) []byte { return b[:len(b)-100] }},
		{"half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"empty", func([]byte) []byte { return nil }},
		{"a bit", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }},
		{"not a backup", func([]byte) []byte { return []byte("PGDMP") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "damaged")
			if err := os.WriteFile(file, c.damage(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			r := Restore{AdminURL: there, Passwords: storetest.Passwords, MasterKeys: []string{keyID}}
			if _, _, err := r.Run(t.Context(), file); err == nil {
				t.Fatal("it was restored")
			}
			config, err := pgx.ParseConfig(there)
			if err != nil {
				t.Fatal(err)
			}
			p, err := findPlace(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close(context.Background())
			if p.state != missing {
				t.Error("there is a database now")
			}
		})
	}
}
