package pgtest

import (
	"context"
	"os"
	"strconv"
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
	got := value[int](t, conn, `SELECT current_setting('server_version_num')::int / 10000`)
	if got < 17 {
		t.Errorf("Postgres %d, want 17 or later", got)
	}
	if chosen := os.Getenv("ASSIM_POSTGRES"); os.Getenv("ASSIM_DATABASE_URL") == "" && chosen != "" && chosen != strconv.Itoa(got) {
		t.Errorf("Postgres %d, but ASSIM_POSTGRES is %s", got, chosen)
	}
	run(t, conn, `CREATE EXTENSION age`)
	// Without it a killed server forgets what it has answered. fsync is about
	// machines that lose their power, and off where tests are all they do.
	if got := value[string](t, conn, `SELECT current_setting('synchronous_commit')`); got != "on" {
		t.Errorf("synchronous_commit = %s, want on", got)
	}
}

func TestDatabaseAndRolesGoWithTheTest(t *testing.T) {
	const tenantRole = "w_0123456789abcdef0123456789abcdef"
	var name string
	t.Run("uses a database", func(t *testing.T) {
		conn := open(t, URL(t))
		name = value[string](t, conn, `SELECT current_database()::text`)
		run(t, conn, `CREATE TABLE kept (id int)`)
		run(t, conn, `CREATE ROLE `+tenantRole)
		run(t, conn, `GRANT SELECT ON kept TO `+tenantRole)
		run(t, conn, `CREATE ROLE `+quote(name+"_login")+` IN ROLE `+tenantRole)
	})
	admin := connect(t)
	defer admin.Close(context.Background())
	if value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name) {
		t.Errorf("database %s outlived its test", name)
	}
	for _, role := range []string{tenantRole, name + "_login"} {
		if value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role) {
			t.Errorf("role %s outlived its test", role)
		}
	}
}

func TestSweepTellsTheDeadFromTheLiving(t *testing.T) {
	live := open(t, URL(t))
	name := value[string](t, live, `SELECT current_database()::text`)
	admin := connect(t)
	defer admin.Close(context.Background())
	dead := databasePrefix + "1000000000_ABCDEFGHIJ"
	if _, err := admin.Exec(t.Context(), `CREATE DATABASE `+quote(dead)); err != nil {
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
