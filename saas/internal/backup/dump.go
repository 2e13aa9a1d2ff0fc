package backup

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Dump is how a backup is to be made.
type Dump struct {
	AdminURL   string
	Program    string // version
	Recipients []age.Recipient
	Progress   Progress
}

// Write writes a backup of the deployment as it is now. Nothing waits for it but
// changes of the tables' shape.
func (d Dump) Write(ctx context.Context, out io.Writer) (Manifest, Step, error) {
	config, err := pgx.ParseConfig(d.AdminURL)
	if err != nil {
		return Manifest{}, Step{}, fmt.Errorf("reading the database URL: %w", err)
	}
	conn, err := connect(ctx, config)
	if err != nil {
		return Manifest{}, Step{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// What is locked before the snapshot keeps the shape that the snapshot sees: who
	// reads a table that was written anew by an ALTER finds nothing in it.
	names, err := list(ctx, conn, pgx.RowTo[string], `
		SELECT relname::text FROM pg_class WHERE relnamespace = 'assim'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`)
	if err != nil {
		return Manifest{}, Step{}, fmt.Errorf("listing the tables: %w; was `assim-saas migrate` run?", err)
	}
	if len(names) == 0 {
		return Manifest{}, Step{}, fmt.Errorf("database %s has no tables of this service", config.Database)
	}
	locked := make([]string, len(names))
	for i, name := range names {
		locked[i] = quote("assim", name)
	}
	if _, err := conn.Exec(ctx, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE `+strings.Join(locked, ", ")+` IN ACCESS SHARE MODE`); err != nil {
		return Manifest{}, Step{}, fmt.Errorf("locking the tables: %w", err)
	}
	manifest := Manifest{Format: format, Program: d.Program, Database: config.Database}
	if err := manifest.read(ctx, conn, names); err != nil {
		return Manifest{}, Step{}, fmt.Errorf("reading what there is: %w", err)
	}
	step, err := d.copyAll(ctx, conn, manifest, out)
	return manifest, step, err
}

func (d Dump) copyAll(ctx context.Context, conn *pgx.Conn, manifest Manifest, out io.Writer) (Step, error) {
	all := manifest.sources()
	step := Step{Doing: "copying", Of: len(all)}
	tell := teller(d.Progress, &step)
	w, err := newWriter(out, d.Recipients, manifest.MadeAt)
	if err != nil {
		return step, err
	}
	if err := w.json(manifestName, manifest); err != nil {
		return step, fmt.Errorf("writing the manifest: %w", err)
	}
	for _, s := range all {
		// A tenant's graph is a hundred locks, which are given back with the savepoint.
		if _, err := conn.Exec(ctx, `SAVEPOINT one`); err != nil {
			return step, err
		}
		t := w.table(s.entry)
		n, err := copyOut(ctx, conn, s, &metered{to: t, step: &step, tell: tell})
		if err != nil {
			return step, err
		}
		if _, err := conn.Exec(ctx, `ROLLBACK TO one; RELEASE one`); err != nil {
			return step, err
		}
		if err := t.Close(); err != nil {
			return step, fmt.Errorf("writing %s: %w", s.entry, err)
		}
		step.Table, step.Tables, step.Rows = s.entry, step.Tables+1, step.Rows+n
		tell()
	}
	if err := w.Close(); err != nil {
		return step, fmt.Errorf("ending the backup: %w", err)
	}
	return step, nil
}

// read asks the snapshot what there is. The first question takes it.
func (m *Manifest) read(ctx context.Context, conn *pgx.Conn, tables []string) error {
	err := conn.QueryRow(ctx, `SELECT now(), current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'age'),
		(SELECT max(version_id) FROM public.goose_db_version WHERE is_applied)`).Scan(&m.MadeAt, &m.Postgres, &m.AGE, &m.Schema)
	if err != nil {
		return err
	}
	m.MadeAt = m.MadeAt.UTC()
	for _, name := range tables {
		columns, err := list(ctx, conn, pgx.RowTo[string], `SELECT attname::text FROM pg_attribute
			WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`, quote("assim", name))
		if err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		m.Tables = append(m.Tables, Table{Name: name, Columns: columns})
	}
	if m.Partitions, err = list(ctx, conn, pgx.RowToStructByPos[Partition], `
		SELECT p.relname::text, c.relname::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
		JOIN pg_class c ON c.oid = i.inhrelid WHERE p.relnamespace = 'assim'::regnamespace AND p.relkind = 'p' ORDER BY 1, 2`); err != nil {
		return err
	}
	if m.Sequences, err = sequences(ctx, conn, "assim"); err != nil {
		return err
	}
	secrets, err := store.WrappedBy(ctx, conn)
	if err != nil {
		return err
	}
	m.MasterKeys = slices.Sorted(maps.Keys(secrets))
	tenants, err := list(ctx, conn, pgx.RowTo[tenancy.TenantID], `SELECT id FROM assim.tenants ORDER BY id`)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		g := Graph{Tenant: tenant}
		if g.Labels, err = list(ctx, conn, pgx.RowToStructByPos[store.Label], `
			SELECT l.name::text, l.id, l.kind = 'e' FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
			WHERE g.name = $1 AND l.name NOT LIKE '\_ag\_label\_%' ORDER BY l.id`, store.Graph(tenant)); err != nil {
			return err
		}
		if g.Sequences, err = sequences(ctx, conn, store.Graph(tenant)); err != nil {
			return err
		}
		m.Graphs = append(m.Graphs, g)
	}
	return nil
}

// sequences reads where the sequences of a schema stand: at least as far as the
// rows of the snapshot need, as they are in no snapshot.
func sequences(ctx context.Context, conn *pgx.Conn, schema string) ([]Sequence, error) {
	names, err := list(ctx, conn, pgx.RowTo[string], `SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'S' ORDER BY 1`, schema)
	if err != nil {
		return nil, err
	}
	all := make([]Sequence, len(names))
	for i, name := range names {
		all[i].Name = name
		if _, err := conn.Exec(ctx, `SAVEPOINT one`); err != nil {
			return nil, err
		}
		if err := conn.QueryRow(ctx, `SELECT last_value, is_called FROM `+quote(schema, name)).Scan(&all[i].Value, &all[i].Called); err != nil {
			return nil, fmt.Errorf("sequence %s: %w", name, err)
		}
		if _, err := conn.Exec(ctx, `ROLLBACK TO one; RELEASE one`); err != nil {
			return nil, err
		}
	}
	return all, nil
}
