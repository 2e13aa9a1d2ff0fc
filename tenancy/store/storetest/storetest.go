// Package storetest gives tests a migrated database with tenants in it, on a
// real server.
package storetest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/internal/pgtest"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Open returns a migrated database that goes when the test ends.
func Open(t testing.TB) *store.DB {
	t.Helper()
	db, _ := OpenURL(t)
	return db
}

// OpenURL is Open, with the superuser's URL for a test that must look or damage
// behind the store's back.
func OpenURL(t testing.TB) (*store.DB, string) {
	t.Helper()
	var url string
	// Cleanups run last first: roles go after pgtest has dropped the database.
	t.Cleanup(func() { dropRoles(t, url) })
	url = pgtest.URL(t)
	if err := store.Migrate(t.Context(), url, Passwords); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{AdminURL: url, Passwords: Passwords, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db, url
}

// Passwords are those of test databases.
func Passwords(login string) string { return "test " + login }

// Tenant provisions a tenant with keys that open nothing.
func Tenant(t testing.TB, db *store.DB) tenancy.TenantID {
	t.Helper()
	tenant := store.Tenant{
		ID: tenancy.NewID[tenancy.TenantID](), Name: "test " + rand.Text()[:8],
		SealKey: []byte(rand.Text()), SealPrivate: []byte(rand.Text()),
	}
	if err := db.Provision(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	return tenant.ID
}

// dropRoles removes what outlives the database: the roles named after it.
func dropRoles(t testing.TB, url string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	config, err := pgx.ParseConfig(url)
	if url == "" || err != nil {
		return // the test never got a database
	}
	database := config.Database
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Errorf("connecting to drop the roles of %s: %v", database, err)
		return
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT quote_ident(rolname) FROM pg_roles WHERE starts_with(rolname, $1)`,
		store.RolePrefix(database))
	if err == nil {
		var names []string
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		if err == nil && len(names) > 0 {
			_, err = conn.Exec(ctx, "DROP ROLE "+strings.Join(names, ", "))
		}
	}
	if err != nil {
		t.Errorf("dropping the roles of %s: %v", database, err)
	}
}
