package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"assimilation/tenancy"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed access.sql
var accessSQL string

//go:embed cypher.sql
var cypherSQL string

// Migrate brings the database to the state that this program needs: tables,
// login roles, rights, and the labels of every tenant's graph. It may run at any
// time, in several processes at once, and again after a crash.
func Migrate(ctx context.Context, adminURL string, passwords Passwords) error {
	config, err := pgx.ParseConfig(adminURL)
	if err != nil {
		return fmt.Errorf("reading the database URL: %w", err)
	}
	if err := migrateTables(ctx, config, 0); err != nil {
		return fmt.Errorf("migrating database %s: %w", config.Database, err)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connecting to database %s: %w", config.Database, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := grantAccess(ctx, conn, config.Database, passwords); err != nil {
		return fmt.Errorf("granting access to database %s: %w", config.Database, err)
	}
	if err := refreshTenants(ctx, conn, config.Database); err != nil {
		return fmt.Errorf("granting access to the tenants of database %s: %w", config.Database, err)
	}
	if err := refreshGraphs(ctx, conn); err != nil {
		return fmt.Errorf("refreshing the graphs of database %s: %w", config.Database, err)
	}
	return nil
}

// upto is the last version that is wanted; 0: the newest.
func migrateTables(ctx context.Context, config *pgx.ConnConfig, upto int64) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, files, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	if upto == 0 {
		_, err = provider.Up(ctx)
	} else {
		_, err = provider.UpTo(ctx, upto)
	}
	return err
}

// MigrateTables makes the tables of a schema as it was at a version, which this
// program must know, and nothing else: Migrate does the rest.
func MigrateTables(ctx context.Context, config *pgx.ConnConfig, version int64) error {
	if newest, err := NewestVersion(); err != nil || version < 1 || version > newest {
		return errors.Join(err, fmt.Errorf("version %d of the schema is not known: this program's newest is %d", version, newest))
	}
	if err := migrateTables(ctx, config, version); err != nil {
		return fmt.Errorf("migrating database %s to version %d: %w", config.Database, version, err)
	}
	return nil
}

// NewestVersion is the version that Migrate brings a database to.
func NewestVersion() (newest int64, err error) {
	files, err := fs.ReadDir(migrations, "migrations")
	for _, f := range files {
		version, broken := goose.NumericComponent(f.Name())
		newest, err = max(newest, version), errors.Join(err, broken)
	}
	return newest, err
}

// SchemaSum is a checksum of all migrations: programs of one sum make the same
// tables of an empty database.
func SchemaSum() (string, error) {
	files, err := fs.Glob(migrations, "migrations/*")
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s %d\n%s", file, len(text), text)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// SchemaVersion is the version that the database is at, and the one that Migrate
// brings it to.
func SchemaVersion(ctx context.Context, adminURL string) (have, newest int64, err error) {
	if newest, err = NewestVersion(); err != nil {
		return 0, 0, err
	}
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT max(version_id) FROM public.goose_db_version WHERE is_applied`).Scan(&have)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("reading the schema's version: %w", err)
	}
	return have, newest, nil
}

// refreshTenants gives every tenant's roles their memberships, which a cluster
// that was restored to does not have.
func refreshTenants(ctx context.Context, conn *pgx.Conn, database string) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, accessLock); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id FROM assim.tenants t WHERE `+staying+` ORDER BY id`)
		if err != nil {
			return err
		}
		tenants, err := pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
		if err != nil {
			return err
		}
		r := rolesOf(database)
		for _, tenant := range tenants {
			if err := r.ensureTenant(ctx, tx, tenant); err != nil {
				return fmt.Errorf("tenant %s: %w", tenant, err)
			}
		}
		return nil
	})
}

// staying holds of tenants t whose deletion has not begun.
const staying = `NOT EXISTS (SELECT FROM assim.deletions d WHERE d.tenant = t.id AND d.begun_at IS NOT NULL)`

// accessLock serialises what changes roles and rights: Postgres answers
// "tuple concurrently updated" when two sessions grant on one object.
const accessLock = `SELECT pg_advisory_xact_lock(hashtextextended('assim access', 0))`

// quietly is for statements that hold passwords, which no server log may keep.
const quietly = `SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1;
	SET LOCAL log_min_error_statement = 'panic'; SET LOCAL client_min_messages = 'warning'; `

func grantAccess(ctx context.Context, conn *pgx.Conn, database string, passwords Passwords) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, quietly+accessLock); err != nil {
			return err
		}
		r := rolesOf(database)
		for _, group := range r.groups() {
			if err := ensureRole(ctx, tx, group, "NOLOGIN"); err != nil {
				return err
			}
		}
		for _, login := range r.logins() {
			if err := ensureRole(ctx, tx, login, "LOGIN NOINHERIT PASSWORD "+literal(passwords(login))); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, r.replacer(database).Replace(accessSQL+cypherSQL))
		return err
	})
}

func ensureRole(ctx context.Context, tx pgx.Tx, name, options string) error {
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, name).Scan(&exists); err != nil {
		return err
	}
	verb := "CREATE ROLE "
	if exists {
		verb = "ALTER ROLE "
	}
	if _, err := tx.Exec(ctx, verb+quote(name)+" "+options); err != nil {
		return fmt.Errorf("making role %s: %w", name, err)
	}
	return nil
}

// refreshGraphs gives older graphs the labels and indexes of this program. Each
// has its own transaction, which takes some 300 locks, and its own connection:
// AGE 1.5 loses count of its label cache in a session that changes many.
func refreshGraphs(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT graph FROM assim.tenants t WHERE `+staying+` ORDER BY graph`)
	if err != nil {
		return err
	}
	graphs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, graph := range graphs {
		if err := refreshGraph(ctx, conn.Config(), graph); err != nil {
			return fmt.Errorf("graph %s: %w", graph, err)
		}
	}
	return nil
}

func refreshGraph(ctx context.Context, config *pgx.ConnConfig, graph string) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return ensureGraph(ctx, tx, graph) })
}
