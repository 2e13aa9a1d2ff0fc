package pgtest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// abandonedAfter is far longer than go test lets a package run.
const abandonedAfter = 2 * time.Hour

// sweepLock is an advisory lock in the database that the admin URL names.
const sweepLock = 0x61737369_73776570

// drop removes a database, sessions included, and the roles that came with it:
// those named after it, and those of tenants that have rights in it. Roles
// belong to the whole server, so they outlive databases.
func drop(ctx context.Context, admin *pgx.Conn, name string) error {
	rows, err := admin.Query(ctx, `
		SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1 || '_')
		UNION
		SELECT r.rolname::text
		FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.refobjid
		WHERE d.datname = $1 AND s.refclassid = 'pg_authid'::regclass AND r.rolname ~ '^[rw]_[0-9a-f]{32}$'`, name)
	if err != nil {
		return fmt.Errorf("listing the roles of database %s: %w", name, err)
	}
	roles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing the roles of database %s: %w", name, err)
	}
	if _, err := admin.Exec(ctx, `DROP DATABASE IF EXISTS `+quote(name)+` WITH (FORCE)`); err != nil {
		return fmt.Errorf("dropping database %s: %w", name, err)
	}
	for _, role := range roles {
		if _, err := admin.Exec(ctx, `DROP ROLE IF EXISTS `+quote(role)); err != nil {
			return fmt.Errorf("dropping role %s: %w", role, err)
		}
	}
	return nil
}

// sweep drops the test databases made before the given time: their test
// processes were killed.
func sweep(ctx context.Context, admin *pgx.Conn, before time.Time) error {
	// Test processes start together and would trip over each other's drops.
	if _, err := admin.Exec(ctx, `SELECT pg_advisory_lock($1)`, sweepLock); err != nil {
		return err
	}
	defer admin.Exec(ctx, `SELECT pg_advisory_unlock($1)`, sweepLock)
	rows, err := admin.Query(ctx, `SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)`, databasePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		made, _, _ := strings.Cut(strings.TrimPrefix(name, databasePrefix), "_")
		at, err := strconv.ParseInt(made, 10, 64)
		if err != nil || !time.Unix(at, 0).Before(before) {
			continue
		}
		if err := drop(ctx, admin, name); err != nil {
			return err
		}
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
