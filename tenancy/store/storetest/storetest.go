// Package storetest gives tests a migrated database with tenants in it, on a
// real server.
package storetest

import (
	"context"
	"crypto/rand"
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
	url := URL(t)
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

// URL returns the superuser's URL of a database that has its tables and goes
// when the test ends. Roles and rights are made by who opens it, with
// store.Migrate as the programs do.
func URL(t testing.TB) string {
	t.Helper()
	sum, err := store.SchemaSum()
	if err != nil {
		t.Fatal(err)
	}
	// A schema has partitions of the time around its making.
	content := sum + time.Now().UTC().Format(" 2006-01-02")
	return pgtest.Copy(t, content, func(ctx context.Context, url string) error {
		config, err := pgx.ParseConfig(url)
		if err != nil {
			return err
		}
		newest, err := store.NewestVersion()
		if err != nil {
			return err
		}
		return store.MigrateTables(ctx, config, newest)
	})
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
