package backup

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
)

// loader fills a new database with the rows of a backup.
type loader struct {
	config   *pgx.ConnConfig
	manifest Manifest
	conn     *pgx.Conn
}

// newLoader logs in. Close its connection.
func newLoader(ctx context.Context, config *pgx.ConnConfig, manifest Manifest) (*loader, error) {
	conn, err := connect(ctx, config)
	return &loader{config: config, manifest: manifest, conn: conn}, err
}

// prepare makes the room for rows: partitions as they were, and graphs without
// indexes.
func (l *loader) prepare(ctx context.Context) error {
	// Rows come in no order that references could follow, and triggers would add
	// rows; the snapshot was whole.
	if _, err := l.conn.Exec(ctx, `SET session_replication_role = replica; SET synchronous_commit = off`); err != nil {
		return fmt.Errorf("preparing to load: %w", err)
	}
	if err := l.clear(ctx); err != nil {
		return fmt.Errorf("clearing the new tables: %w", err)
	}
	if err := l.partitions(ctx); err != nil {
		return fmt.Errorf("making partitions: %w", err)
	}
	for _, g := range l.manifest.Graphs {
		if err := l.apart(ctx, func(conn *pgx.Conn) error { return store.PrepareGraph(ctx, conn, g.Tenant, g.Labels) }); err != nil {
			return err
		}
	}
	return nil
}

// apart runs fn in a session of its own: AGE 1.5 loses count of its labels in one
// that makes many.
func (l *loader) apart(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := connect(ctx, l.config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return fn(conn)
}

// clear removes the rows that new tables begin with.
func (l *loader) clear(ctx context.Context) error {
	tables := make([]string, len(l.manifest.Tables))
	for i, t := range l.manifest.Tables {
		tables[i] = quote("assim", t.Name)
	}
	_, err := l.conn.Exec(ctx, `TRUNCATE `+strings.Join(tables, ", "))
	return err
}

// partitions replaces those that a new database begins with.
func (l *loader) partitions(ctx context.Context) error {
	fresh, err := list(ctx, l.conn, pgx.RowTo[string], `SELECT name FROM assim.history_partitions()`)
	if err != nil {
		return err
	}
	for _, name := range fresh {
		if _, err := l.conn.Exec(ctx, `DROP TABLE `+quote("assim", name)); err != nil {
			return err
		}
	}
	for _, p := range l.manifest.Partitions {
		if _, err := l.conn.Exec(ctx, `CREATE TABLE `+quote("assim", p.Name)+` PARTITION OF `+quote("assim", p.Parent)+` `+p.Bound); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (l *loader) load(ctx context.Context, s source, in io.Reader, step *Step, tell func()) error {
	in = io.TeeReader(in, &metered{to: io.Discard, step: step, tell: tell})
	tag, err := l.conn.PgConn().CopyFrom(ctx, in, "COPY "+s.into+" FROM STDIN")
	if err != nil {
		return err
	}
	step.Table, step.Tables, step.Rows = s.entry, step.Tables+1, step.Rows+tag.RowsAffected()
	tell()
	return nil
}

// complete sets the sequences, gives graphs their indexes and rights, and lets the
// planner know what is there.
func (l *loader) complete(ctx context.Context) error {
	if err := l.setSequences(ctx, "assim", l.manifest.Sequences); err != nil {
		return err
	}
	for _, g := range l.manifest.Graphs {
		if err := l.setSequences(ctx, store.Graph(g.Tenant), g.Sequences); err != nil {
			return err
		}
		if err := l.apart(ctx, func(conn *pgx.Conn) error { return store.CompleteGraph(ctx, conn, g.Tenant) }); err != nil {
			return err
		}
	}
	if _, err := l.conn.Exec(ctx, `ANALYZE`); err != nil {
		return fmt.Errorf("analyzing: %w", err)
	}
	return nil
}

func (l *loader) setSequences(ctx context.Context, schema string, all []Sequence) error {
	for _, s := range all {
		if _, err := l.conn.Exec(ctx, `SELECT setval($1::regclass, $2, $3)`, quote(schema, s.Name), s.Value, s.Called); err != nil {
			return fmt.Errorf("setting sequence %s of %s: %w", s.Name, schema, err)
		}
	}
	return nil
}

// compare reads every row back.
func (l *loader) compare(ctx context.Context, end End, step *Step, tell func()) error {
	for _, s := range l.manifest.sources() {
		there := &rows{}
		n, err := copyOut(ctx, l.conn, s, &metered{to: there, step: step, tell: tell})
		if err != nil {
			return err
		}
		digest, err := there.end()
		if err != nil {
			return err
		}
		if want := end.Tables[s.entry]; digest != want {
			return fmt.Errorf("comparing %s: the %d rows of the database are not the %d of the backup", s.entry, digest.Rows, want.Rows)
		}
		step.Table, step.Tables, step.Rows = s.entry, step.Tables+1, step.Rows+n
	}
	tell()
	return nil
}
