package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Step is how far a backup or a restore is.
type Step struct {
	Doing   string
	Table   string // that was copied last
	Tables  int    // copied so far
	Of      int
	Rows    int64
	Bytes   int64 // of rows as text
	Elapsed time.Duration
}

// Progress is told after each table, and now and then within a large one.
type Progress func(Step)

// connect logs in as the administrator, with settings under which the same value
// is always written in the same way.
func connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	config = config.Copy()
	for name, value := range map[string]string{
		"application_name": "assim-saas backup", "search_path": "pg_catalog, ag_catalog",
		"client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "postgres", "TimeZone": "UTC",
		"extra_float_digits": "1", "bytea_output": "hex", "xmloption": "content",
		"statement_timeout": "0", "lock_timeout": "60s", "idle_in_transaction_session_timeout": "0", "client_min_messages": "warning",
	} {
		config.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to database %s: %w", config.Database, err)
	}
	return conn, nil
}

func list[T any](ctx context.Context, conn *pgx.Conn, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// undefinedTable is what Postgres says of what is not there any more.
const undefinedTable = "42P01"

// copyOut writes the rows of a table.
func copyOut(ctx context.Context, conn *pgx.Conn, s source, out io.Writer) (int64, error) {
	tag, err := conn.PgConn().CopyTo(ctx, out, "COPY (SELECT "+s.columns+" FROM "+s.from+") TO STDOUT")
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == undefinedTable {
		err = fmt.Errorf("a tenant was deleted meanwhile, begin again: %w", err)
	}
	if err != nil {
		return 0, fmt.Errorf("copying %s: %w", s.entry, err)
	}
	return tag.RowsAffected(), nil
}

// metered counts what goes through it.
type metered struct {
	to   io.Writer
	step *Step
	tell func()
}

func (m *metered) Write(p []byte) (int, error) {
	before := m.step.Bytes >> 26
	m.step.Bytes += int64(len(p))
	if m.step.Bytes>>26 != before { // every 64 MiB
		m.tell()
	}
	return m.to.Write(p)
}

// teller calls progress with the time that went by.
func teller(progress Progress, step *Step) func() {
	begun := time.Now()
	return func() {
		step.Elapsed = time.Since(begun)
		if progress != nil {
			progress(*step)
		}
	}
}
