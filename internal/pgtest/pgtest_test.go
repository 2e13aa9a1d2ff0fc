package pgtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func open(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func value[T any](t *testing.T, conn *pgx.Conn, query string, args ...any) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func run(t *testing.T, conn *pgx.Conn, query string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestServerIsWhatTheProductNeeds(t *testing.T) {
	conn := open(t, URL(t))
	if got := value[int](t, conn, `SELECT current_setting('server_version_num')::int / 10000`); got < 17 {
		t.Errorf("Postgres %d, want 17 or later", got)
	}
	run(t, conn, `CREATE EXTENSION age`)
	for _, name := range []string{"fsync", "synchronous_commit"} {
		if got := value[string](t, conn, `SELECT current_setting($1)`, name); got != "on" {
			t.Errorf("%s = %s, want on", name, got)
		}
	}
}

func TestDatabaseAndTenantRolesGoWithTheTest(t *testing.T) {
	const role = "w_0123456789abcdef0123456789abcdef"
	var name string
	t.Run("uses a database", func(t *testing.T) {
		conn := open(t, URL(t))
		name = value[string](t, conn, `SELECT current_database()::text`)
		run(t, conn, `CREATE ROLE `+role)
		run(t, conn, `CREATE TABLE kept (id int)`)
		run(t, conn, `GRANT SELECT ON kept TO `+role)
	})
	admin := connect(t)
	defer admin.Close(context.Background())
	if value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name) {
		t.Errorf("database %s outlived its test", name)
	}
	if value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role) {
		t.Errorf("role %s outlived its test", role)
	}
}

func TestCopyPreparesOnceAndKeepsSettings(t *testing.T) {
	key := fmt.Sprint(t.Name(), time.Now().UnixNano())
	var mu sync.Mutex
	prepared := 0
	prepare := func(ctx context.Context, url string) error {
		mu.Lock()
		prepared++
		mu.Unlock()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, `
			CREATE TABLE made (id int);
			DO $$ BEGIN
				EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database());
				EXECUTE format('ALTER DATABASE %I SET search_path = "$user", public, pg_temp', current_database());
				EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
			END $$`)
		return err
	}
	t.Cleanup(func() {
		if prepared != 1 {
			t.Errorf("prepared %d times, want once", prepared)
		}
		dropTemplate(t, key)
	})
	for i := range 3 {
		t.Run(fmt.Sprint("copy ", i), func(t *testing.T) {
			t.Parallel()
			conn := open(t, Copy(t, key, prepare))
			if got := value[int](t, conn, `SELECT count(*)::int FROM made`); got != 0 {
				t.Errorf("%d rows in a fresh copy", got)
			}
			run(t, conn, `INSERT INTO made VALUES (1)`)
			if got := value[string](t, conn, `SELECT current_setting('work_mem')`); got != "7MB" {
				t.Errorf("work_mem = %s: the template's settings are lost", got)
			}
			if got := value[string](t, conn, `SELECT current_setting('search_path')`); got != `"$user", public, pg_temp` {
				t.Errorf("search_path = %s: the template's settings are lost", got)
			}
			if value[bool](t, conn, `SELECT has_database_privilege('pg_monitor', current_database(), 'TEMP')`) {
				t.Error("PUBLIC may make temporary tables: the template's rights are lost")
			}
		})
	}
}

func dropTemplate(t *testing.T, key string) {
	ctx := context.Background()
	adminURL, err := server()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	name, err := ensureTemplate(ctx, admin, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := drop(ctx, admin, name); err != nil {
		t.Fatal(err)
	}
}

func TestSweepTellsTheDeadFromTheLiving(t *testing.T) {
	live := open(t, URL(t))
	name := value[string](t, live, `SELECT current_database()::text`)
	admin := connect(t)
	defer admin.Close(context.Background())
	dead := databasePrefix + "1000000000_ABCDEFGHIJ"
	if err := copyDatabase(t.Context(), admin, "template1", dead); err != nil {
		t.Fatal(err)
	}
	if err := sweep(t.Context(), admin, time.Unix(1000000001, 0)); err != nil {
		t.Fatal(err)
	}
	if value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, dead) {
		t.Errorf("%s was not dropped", dead)
	}
	if !value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name) {
		t.Errorf("%s was dropped while in use", name)
	}
}
