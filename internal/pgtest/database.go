package pgtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// abandonedAfter is far longer than go test lets a package run.
const abandonedAfter = 2 * time.Hour

// templateLock is the advisory lock under which templates are made; they are
// taken in the database that the admin URL names.
const templateLock = 0x61737369_6d5f7074

// ensureTemplate returns the name of the template for key, making it first
// if no process has.
func ensureTemplate(ctx context.Context, admin *pgx.Conn, key string, prepare func(context.Context, string) error) (string, error) {
	name := fmt.Sprintf("assim_template_%x", sha256.Sum256([]byte(key)))[:40]
	if _, err := admin.Exec(ctx, `SELECT pg_advisory_lock($1)`, templateLock); err != nil {
		return "", fmt.Errorf("waiting for the template: %w", err)
	}
	defer admin.Exec(ctx, `SELECT pg_advisory_unlock($1)`, templateLock)

	var exists bool
	if err := admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil {
		return "", fmt.Errorf("looking for the template: %w", err)
	}
	if exists {
		return name, nil
	}
	// Under another name until it is whole: a killed process leaves no half template.
	building := name + "_new"
	if err := drop(ctx, admin, building); err != nil {
		return "", err
	}
	if err := copyDatabase(ctx, admin, "template1", building); err != nil {
		return "", err
	}
	if err := prepare(ctx, databaseURL(admin, building)); err != nil {
		return "", errors.Join(fmt.Errorf("preparing the template: %w", err), drop(ctx, admin, building))
	}
	if _, err := admin.Exec(ctx, `ALTER DATABASE `+quote(building)+` RENAME TO `+quote(name)); err != nil {
		return "", fmt.Errorf("naming the template: %w", err)
	}
	return name, nil
}

// copyDatabase copies a database with its settings and rights, which
// CREATE DATABASE leaves out.
func copyDatabase(ctx context.Context, admin *pgx.Conn, from, to string) error {
	if _, err := admin.Exec(ctx, `CREATE DATABASE `+quote(to)+` TEMPLATE `+quote(from)); err != nil {
		return fmt.Errorf("making database %s: %w", to, err)
	}
	// Written as stored: a list such as search_path does not survive being quoted again.
	if _, err := admin.Exec(ctx, `
		INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
		SELECT made.oid, 0, s.setconfig
		FROM pg_database made, pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0
		WHERE d.datname = $1 AND made.datname = $2`, from, to); err != nil {
		return fmt.Errorf("copying the settings of database %s: %w", from, err)
	}
	rows, err := admin.Query(ctx, `
		SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2::text)
		FROM pg_database WHERE datname = $1 AND datacl IS NOT NULL
		UNION ALL
		SELECT format('GRANT %s ON DATABASE %I TO %s', a.privilege_type, $2::text,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
		FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1`, from, to)
	if err != nil {
		return fmt.Errorf("reading the rights of database %s: %w", from, err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading the rights of database %s: %w", from, err)
	}
	for _, statement := range statements {
		if _, err := admin.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// drop removes a database, sessions included, and the tenants' roles that had
// rights in it. Roles belong to the whole server, so they outlive databases.
func drop(ctx context.Context, admin *pgx.Conn, name string) error {
	rows, err := admin.Query(ctx, `
		SELECT DISTINCT r.rolname::text
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
