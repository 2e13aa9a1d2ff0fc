package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config says where the database is and how to log in.
type Config struct {
	AdminURL  string // of a superuser of the database: AGE and its settings want one
	Passwords Passwords
	// Others are passwords that may hold instead: while the master key is changed not
	// every machine knows at the same moment. May be nil.
	Others   func(login string) []string
	MaxConns int32 // of each of the three pools; 0 means 8
}

// Time limits of one statement. A batch of a relay may be 8 MiB of facts; a page
// or a lookup that takes seconds is an error.
const (
	writeTimeout  = 60 * time.Second
	readTimeout   = 10 * time.Second
	globalTimeout = 10 * time.Second
	lockTimeout   = 30 * time.Second
)

// connLifetime bounds a connection's age: a backend keeps catalog entries of
// every graph that it has ever touched.
const connLifetime = 30 * time.Minute

// DB is the open database.
type DB struct {
	adminURL               string
	writer, reader, global *pgxpool.Pool
	roles                  roles
}

// Open connects to a database that Migrate has prepared.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	admin, err := pgx.ParseConfig(cfg.AdminURL)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	db := &DB{adminURL: cfg.AdminURL, roles: rolesOf(admin.Database)}
	for _, p := range []struct {
		pool    **pgxpool.Pool
		login   string
		timeout time.Duration
	}{
		{&db.writer, db.roles.writer, writeTimeout},
		{&db.reader, db.roles.reader, readTimeout},
		{&db.global, db.roles.global, globalTimeout},
	} {
		*p.pool, err = openPool(ctx, cfg, p.login, p.timeout)
		if err != nil {
			db.Close()
			return nil, fmt.Errorf("connecting to database %s as %s: %w", admin.Database, p.login, err)
		}
	}
	return db, nil
}

func openPool(ctx context.Context, cfg Config, login string, timeout time.Duration) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(cfg.AdminURL)
	if err != nil {
		return nil, err
	}
	pc.ConnConfig.User = login
	pc.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error { // the master key may be another by then
		c.Password = cfg.password(ctx, c, login)
		return nil
	}
	params := pc.ConnConfig.RuntimeParams
	params["application_name"] = login
	params["search_path"] = searchPath
	params["statement_timeout"] = milliseconds(timeout)
	params["lock_timeout"] = milliseconds(lockTimeout)
	params["idle_in_transaction_session_timeout"] = milliseconds(timeout)
	pc.MaxConns = cfg.MaxConns
	if pc.MaxConns == 0 {
		pc.MaxConns = 8
	}
	pc.MaxConnLifetime = connLifetime
	pc.MaxConnLifetimeJitter = connLifetime / 4
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// password is the one that the database takes of a login. There is one, but while the
// master key is changed: then each is tried. Whatever else is wrong is said by the
// connection that is made with it.
func (c Config) password(ctx context.Context, to *pgx.ConnConfig, login string) string {
	first := c.Passwords(login)
	if c.Others == nil {
		return first
	}
	others := c.Others(login)
	if len(others) == 0 {
		return first
	}
	for _, password := range append([]string{first}, others...) {
		try := to.Copy()
		try.Password = password
		conn, err := pgx.ConnectConfig(ctx, try)
		if err == nil {
			conn.Close(ctx)
			return password
		}
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "28P01" { // invalid_password
			break
		}
	}
	return first
}

// searchPath of all logins. Operators of agtype live in ag_catalog; pg_catalog
// comes before both.
const searchPath = "assim, ag_catalog"

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Close waits for transactions to end and closes all connections.
func (db *DB) Close() {
	for _, p := range []*pgxpool.Pool{db.writer, db.reader, db.global} {
		if p != nil {
			p.Close()
		}
	}
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.global.Ping(ctx); err != nil {
		return fmt.Errorf("asking the database for a sign of life: %w", err)
	}
	return nil
}
