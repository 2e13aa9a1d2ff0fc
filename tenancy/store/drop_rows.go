package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// rowsAtOnce is how many rows one transaction deletes: others read and write the
// same tables meanwhile.
const rowsAtOnce = 20_000

// atBurial are the tables whose rows of a tenant go last, in one transaction: who
// its people are, and that it is to be deleted.
var atBurial = []string{"deletions", "members"}

// shared is a table that has rows of tenants.
type shared struct {
	name   string
	leaves []string // its partitions; itself, where it has none
}

// sharedTables finds every table that has rows of tenants, which is every one
// with a column "tenant"; those that refer to others come first. A new table
// needs to be told to nobody.
func sharedTables(ctx context.Context, conn *pgx.Conn) (all []shared, err error) {
	rows, err := conn.Query(ctx, `
		WITH RECURSIVE carrying AS (
			SELECT c.oid, c.relname::text AS name FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
			WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		), depth AS (
			SELECT oid, 0 AS n FROM carrying
			UNION SELECT k.conrelid, d.n + 1 FROM depth d JOIN pg_catalog.pg_constraint k ON k.confrelid = d.oid AND k.contype = 'f' AND k.conrelid <> k.confrelid
			WHERE d.n < 20 -- deeper than any chain of references
		)
		SELECT c.name, ARRAY(SELECT t.relid::regclass::text FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf
			UNION ALL SELECT c.oid::regclass::text WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid)))
		FROM carrying c JOIN depth d ON d.oid = c.oid GROUP BY c.oid, c.name ORDER BY max(d.n) DESC, c.name`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s shared, err error) {
		err = row.Scan(&s.name, &s.leaves)
		return s, err
	})
}

// dropRows deletes the tenant's rows of every shared table, some in each
// transaction, and what the planner has kept of them.
func (db *DB) dropRows(ctx context.Context, tenant tenancy.TenantID) error {
	return db.admin(ctx, func(conn *pgx.Conn) error {
		tables, err := sharedTables(ctx, conn)
		if err != nil {
			return err
		}
		for _, table := range tables {
			if slices.Contains(atBurial, table.name) {
				continue
			}
			deleted, err := deleteRows(ctx, conn, table, tenant)
			if err == nil && deleted > 0 {
				err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return learnAnew(ctx, tx, table.name) })
			}
			if err != nil {
				return fmt.Errorf("table %s: %w", table.name, err)
			}
		}
		return nil
	})
}

func deleteRows(ctx context.Context, conn *pgx.Conn, table shared, tenant tenancy.TenantID) (deleted int64, err error) {
	for _, leaf := range table.leaves {
		for {
			tag, err := conn.Exec(ctx, `DELETE FROM `+leaf+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+leaf+` WHERE tenant = $1 LIMIT $2))`, tenant, rowsAtOnce)
			if err != nil {
				return deleted, err
			}
			deleted += tag.RowsAffected()
			if tag.RowsAffected() < rowsAtOnce {
				break
			}
		}
	}
	return deleted, nil
}

// learnAnew replaces a table's statistics, which quote values of its rows: the
// names of hosts among them. ANALYZE leaves those of a table that is empty.
func learnAnew(ctx context.Context, tx pgx.Tx, table string) error {
	_, err := tx.Exec(ctx, `
		WITH RECURSIVE of AS (
			SELECT $1::regclass::oid AS oid
			UNION SELECT below.oid FROM of CROSS JOIN LATERAL (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = of.oid
				UNION ALL SELECT x.indexrelid FROM pg_catalog.pg_index x WHERE x.indrelid = of.oid) below(oid)
		) DELETE FROM pg_catalog.pg_statistic WHERE starelid IN (SELECT oid FROM of)`, quote("assim", table))
	if err != nil {
		return fmt.Errorf("forgetting the statistics of %s: %w", table, err)
	}
	if _, err := tx.Exec(ctx, `ANALYZE `+quote("assim", table)); err != nil {
		return fmt.Errorf("analysing %s: %w", table, err)
	}
	return nil
}

// bury deletes the tenant itself, and those of its people who belong to no other.
// One tenant is buried at a time: somebody who belongs to two that go would stay with
// both.
func (db *DB) bury(ctx context.Context, tenant tenancy.TenantID) error {
	return db.admin(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, accessLock); err != nil {
				return err
			}
			const leaving = `SELECT m.user_id FROM assim.members m WHERE m.tenant = $1 AND NOT EXISTS (
				SELECT FROM assim.members o WHERE o.user_id = m.user_id AND o.tenant <> m.tenant)`
			for _, sql := range []string{
				`DELETE FROM assim.signups WHERE email IN (SELECT u.email FROM assim.users u WHERE u.id IN (` + leaving + `))`,
				`DELETE FROM assim.users WHERE id IN (` + leaving + `)`,
			} {
				if _, err := tx.Exec(ctx, sql, tenant); err != nil {
					return err
				}
			}
			tag, err := tx.Exec(ctx, `DELETE FROM assim.tenants WHERE id = $1`, tenant)
			if err != nil || tag.RowsAffected() == 0 {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO assim.tombstones (id, on_day) VALUES (gen_random_uuid(), current_date)`); err != nil {
				return err
			}
			for _, table := range append([]string{"tenants", "tenant_roles", "users", "known_addresses", "recovery_codes", "links", "signups"}, atBurial...) {
				if err := learnAnew(ctx, tx, table); err != nil {
					return err
				}
			}
			// The catalogs, too, have statistics, with names of schemas and roles.
			_, err = tx.Exec(ctx, `DELETE FROM pg_catalog.pg_statistic s WHERE strpos(s::text, $1) > 0`, hexOf(tenant))
			return err
		})
	})
}
