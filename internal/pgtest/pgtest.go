// Package pgtest gives tests a real database: Postgres with AGE, one fresh
// database per test, empty or a copy of a template, dropped when the test ends
// together with the roles it left behind. tenancy/store/storetest builds on it
// for migrated ones.
//
// The server is the one of ASSIM_DATABASE_URL, else the development server of
// ops/postgres, which is started when it does not run (version 18 with
// ASSIM_POSTGRES=18). A test that gets no
// server fails; it is never skipped.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// databasePrefix is followed by the Unix time of creation, so that databases
// of test processes that were killed can be told by their age.
const databasePrefix = "assim_test_"

// URL returns a superuser's URL of an empty database that belongs to the test.
func URL(t testing.TB) string {
	t.Helper()
	return database(t, func(ctx context.Context, admin *pgx.Conn, name string) error {
		_, err := admin.Exec(ctx, `CREATE DATABASE `+quote(name))
		return err
	})
}

// database makes one that is dropped when the test ends.
func database(t testing.TB, create func(ctx context.Context, admin *pgx.Conn, name string) error) string {
	t.Helper()
	admin := connect(t)
	defer admin.Close(context.Background())
	if err := sweep(t.Context(), admin, time.Now().Add(-abandonedAfter)); err != nil {
		t.Fatalf("pgtest: dropping databases of ended tests: %v", err)
	}
	name := newName()
	if err := create(t.Context(), admin, name); err != nil {
		t.Fatalf("pgtest: making database %s: %v", name, err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		admin, err := pgx.Connect(ctx, admin.Config().ConnString())
		if err != nil {
			t.Errorf("pgtest: connecting to drop %s: %v", name, err)
			return
		}
		defer admin.Close(ctx)
		if err := drop(ctx, admin, name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return databaseURL(admin, name)
}

func newName() string {
	return fmt.Sprintf("%s%d_%s", databasePrefix, time.Now().Unix(), strings.ToLower(rand.Text()[:10]))
}

// connect opens the superuser's connection to the server.
func connect(t testing.TB) *pgx.Conn {
	t.Helper()
	adminURL, err := server()
	if err != nil {
		t.Fatalf("pgtest: no database server: %v", err)
	}
	conn, err := pgx.Connect(t.Context(), adminURL)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return conn
}

// databaseURL is the connection's URL with another database in it.
func databaseURL(conn *pgx.Conn, name string) string {
	u, err := url.Parse(conn.Config().ConnString())
	if err != nil {
		panic(fmt.Sprintf("pgtest: the server's URL became unreadable: %v", err))
	}
	u.Path = "/" + name
	return u.String()
}
