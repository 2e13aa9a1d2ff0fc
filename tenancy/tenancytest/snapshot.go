package tenancytest

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Snapshot is a copy of all rows of a database, in a schema of its own: what a mutant
// let happen is undone before the next. Triggers note which tables were written to, so
// that the others need not be looked at.
type Snapshot struct {
	admin  *pgx.Conn
	tables map[string]kept // by schema.table
}

type kept struct{ key, name, copy, columns, hash string }

// noteWrites makes what the triggers call. It runs as the superuser: whoever writes to
// a table needs no right to this one.
const noteWrites = `CREATE SCHEMA kept;
	CREATE TABLE kept.written (name text);
	CREATE FUNCTION kept.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO kept.written VALUES (TG_ARGV[0]); RETURN NULL; END $$`

// TakeSnapshot copies the tables of the service and of all graphs.
func TakeSnapshot(ctx context.Context, admin *pgx.Conn) (*Snapshot, error) {
	s := &Snapshot{admin: admin, tables: map[string]kept{}}
	if _, err := admin.Exec(ctx, noteWrites); err != nil {
		return nil, err
	}
	rows, err := admin.Query(ctx, `SELECT n.nspname::text, c.relname::text, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE (n.nspname = 'assim' OR n.nspname ~ '^g_[0-9a-f]{32}$') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind = 'r') ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k kept, err error) {
		var schema, name string
		err = row.Scan(&schema, &name, &k.columns)
		k.key = schema + "." + name
		k.name, k.copy = pgx.Identifier{schema, name}.Sanitize(), pgx.Identifier{"kept", schema + " " + name}.Sanitize()
		return k, err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		text := strings.ReplaceAll(k.key, "'", "''")
		if _, err := admin.Exec(ctx, `CREATE TABLE `+k.copy+` AS SELECT `+k.columns+` FROM `+k.name+`;
			CREATE TRIGGER kept_rows AFTER INSERT OR UPDATE OR DELETE ON `+k.name+` FOR EACH ROW EXECUTE FUNCTION kept.note('`+text+`');
			CREATE TRIGGER kept_all AFTER TRUNCATE ON `+k.name+` EXECUTE FUNCTION kept.note('`+text+`')`); err != nil {
			return nil, fmt.Errorf("copying %s: %w", k.name, err)
		}
		if k.hash, err = s.hash(ctx, k.name); err != nil {
			return nil, err
		}
		s.tables[k.key] = k
	}
	return s, nil
}

func (s *Snapshot) hash(ctx context.Context, table string) (hash string, err error) {
	err = s.admin.QueryRow(ctx, `SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM `+table+` t`).Scan(&hash)
	return hash, err
}

// Written names the tables, as schema.table, of which a row was written since the last
// Restore.
func (s *Snapshot) Written(ctx context.Context) ([]string, error) {
	return texts(ctx, s.admin, `SELECT DISTINCT name FROM kept.written ORDER BY 1`)
}

// Restore brings back what is not as it was.
func (s *Snapshot) Restore(ctx context.Context) error {
	names, err := s.Written(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, s.admin, func(tx pgx.Tx) error {
		// Neither triggers nor references look at it: all is as it was at one time.
		if _, err := tx.Exec(ctx, `SET LOCAL session_replication_role = replica`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM kept.written`); err != nil {
			return err
		}
		for _, name := range names {
			k := s.tables[name]
			if _, err := tx.Exec(ctx, `DELETE FROM `+k.name); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO `+k.name+` (`+k.columns+`) OVERRIDING SYSTEM VALUE SELECT `+k.columns+` FROM `+k.copy); err != nil {
				return fmt.Errorf("restoring %s: %w", k.name, err)
			}
		}
		return nil
	})
}

// Differs names the tables that are not as they were, notes or not.
func (s *Snapshot) Differs(ctx context.Context) (names []string, err error) {
	for _, k := range s.tables {
		hash, err := s.hash(ctx, k.name)
		if err != nil {
			return nil, err
		}
		if hash != k.hash {
			names = append(names, k.name)
		}
	}
	return names, nil
}
