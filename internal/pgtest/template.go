package pgtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// templatePrefix is followed by a checksum of what the template holds.
const templatePrefix = "assim_template_"

// templatesKept are those of one server: the newest, and the one before it for
// a second working copy of the project.
const templatesKept = 2

// templateLock is an advisory lock in the database that the admin URL names:
// shared by those who copy a template, held alone by who makes or drops one.
const templateLock = 0x61737369_74656d70

// Conditions of PostgreSQL, appendix A.
const (
	noSuchDatabase = "3D000" // invalid_catalog_name
	databaseInUse  = "55006" // object_in_use
)

// Copy is URL with something in the database: what fill makes of an empty one.
// It is filled once on the server and then copied, for every test of every
// process that gives the same content, which says what fill makes. What fill
// makes outside of the database, such as roles, is not copied.
func Copy(t testing.TB, content string, fill func(ctx context.Context, url string) error) string {
	t.Helper()
	return database(t, func(ctx context.Context, admin *pgx.Conn, name string) error {
		return templates(templatePrefix).copy(ctx, admin, name, content, fill)
	})
}

// templates are those whose names begin so.
type templates string

func (ts templates) copy(ctx context.Context, admin *pgx.Conn, name, content string, fill func(ctx context.Context, url string) error) error {
	template, err := ts.name(ctx, admin, content)
	if err != nil {
		return err
	}
	for {
		err := copyTemplate(ctx, admin, template, name)
		if missing, ok := errors.AsType[*pgconn.PgError](err); !ok || missing.Code != noSuchDatabase {
			return err
		}
		// Between making and copying somebody else's newer ones may push it out.
		if err := ts.make(ctx, admin, template, fill); err != nil {
			return fmt.Errorf("making template %s: %w", template, err)
		}
	}
}

// name tells apart what the versions of AGE make of the same content, too: a
// server's packages can change under its data.
func (ts templates) name(ctx context.Context, admin *pgx.Conn, content string) (string, error) {
	var age string
	err := admin.QueryRow(ctx, `SELECT default_version FROM pg_available_extensions WHERE name = 'age'`).Scan(&age)
	if err != nil {
		return "", fmt.Errorf("asking for the version of AGE: %w", err)
	}
	sum := sha256.Sum256([]byte(age + "\n" + content))
	return fmt.Sprintf("%s%x", ts, sum[:12]), nil
}

func copyTemplate(ctx context.Context, admin *pgx.Conn, template, name string) error {
	if _, err := admin.Exec(ctx, `SELECT pg_advisory_lock_shared($1)`, templateLock); err != nil {
		return err
	}
	defer admin.Exec(ctx, `SELECT pg_advisory_unlock_shared($1)`, templateLock)
	// The other strategy waits for two checkpoints of the whole server.
	return execAlone(ctx, admin, `CREATE DATABASE `+quote(name)+` TEMPLATE `+quote(template)+` STRATEGY wal_log`)
}

// execAlone runs what wants a database without sessions. The server waits five
// seconds for those that are ending, and for autovacuum, which on a busy machine
// is not always enough.
func execAlone(ctx context.Context, admin *pgx.Conn, statement string) (err error) {
	for range 12 {
		_, err = admin.Exec(ctx, statement)
		if used, ok := errors.AsType[*pgconn.PgError](err); !ok || used.Code != databaseInUse {
			return err
		}
	}
	return err
}

// make fills a database under a test's name, so that it is swept if this
// process is killed meanwhile, and then renames it.
func (ts templates) make(ctx context.Context, admin *pgx.Conn, template string, fill func(ctx context.Context, url string) error) error {
	if _, err := admin.Exec(ctx, `SELECT pg_advisory_lock($1)`, templateLock); err != nil {
		return err
	}
	defer admin.Exec(ctx, `SELECT pg_advisory_unlock($1)`, templateLock)
	var made bool
	err := admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, template).Scan(&made)
	if err != nil || made {
		return err
	}
	name := newName()
	if _, err := admin.Exec(ctx, `CREATE DATABASE `+quote(name)); err != nil {
		return err
	}
	if err := fill(ctx, databaseURL(admin, name)); err != nil {
		return errors.Join(err, drop(ctx, admin, name))
	}
	// A template that somebody is connected to cannot be copied.
	for _, alter := range []string{` ALLOW_CONNECTIONS false`, ` RENAME TO ` + quote(template)} {
		if err := execAlone(ctx, admin, `ALTER DATABASE `+quote(name)+alter); err != nil {
			return errors.Join(err, drop(ctx, admin, name))
		}
	}
	return ts.dropOld(ctx, admin)
}

// dropOld drops all but the newest.
func (ts templates) dropOld(ctx context.Context, admin *pgx.Conn) error {
	rows, err := admin.Query(ctx, `SELECT datname::text FROM pg_database WHERE starts_with(datname, $1) ORDER BY oid DESC OFFSET $2`,
		string(ts), templatesKept)
	if err != nil {
		return fmt.Errorf("listing templates: %w", err)
	}
	old, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing templates: %w", err)
	}
	for _, name := range old {
		if err := drop(ctx, admin, name); err != nil {
			return err
		}
	}
	return nil
}
