package tenancytest

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Snapshot is a copy of all rows of a database, in a schema of its own: what a mutant
// let happen is undone before the next.
type Snapshot struct {
	admin  *pgx.Conn
	tables []kept
}

type kept struct{ name, copy, columns, hash string }

// TakeSnapshot copies the tables of the service and of all graphs.
func TakeSnapshot(ctx context.Context, admin *pgx.Conn) (*Snapshot, error) {
	s := &Snapshot{admin: admin}
	if _, err := admin.Exec(ctx, `CREATE SCHEMA kept`); err != nil {
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
		k.name, k.copy = pgx.Identifier{schema, name}.Sanitize(), pgx.Identifier{"kept", schema + " " + name}.Sanitize()
		return k, err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if _, err := admin.Exec(ctx, `CREATE TABLE `+k.copy+` AS SELECT `+k.columns+` FROM `+k.name); err != nil {
			return nil, fmt.Errorf("copying %s: %w", k.name, err)
		}
	}
	s.tables = all
	return s, s.hashes(ctx, func(k *kept, hash string) error { k.hash = hash; return nil })
}

func (s *Snapshot) hashes(ctx context.Context, each func(*kept, string) error) error {
	var all []string
	for _, k := range s.tables {
		all = append(all, `SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM `+k.name+` t`)
	}
	hashes, err := texts(ctx, s.admin, strings.Join(all, " UNION ALL "))
	if err != nil {
		return err
	}
	for i := range s.tables {
		if err := each(&s.tables[i], hashes[i]); err != nil {
			return err
		}
	}
	return nil
}

// Restore brings back what is not as it was.
func (s *Snapshot) Restore(ctx context.Context) error {
	var changed []kept
	err := s.hashes(ctx, func(k *kept, hash string) error {
		if hash != k.hash {
			changed = append(changed, *k)
		}
		return nil
	})
	if err != nil || len(changed) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, s.admin, func(tx pgx.Tx) error {
		// Neither triggers nor references look at it: all is as it was at one time.
		if _, err := tx.Exec(ctx, `SET LOCAL session_replication_role = replica`); err != nil {
			return err
		}
		for _, k := range changed {
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
