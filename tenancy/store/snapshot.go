package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Snapshot runs fn with two transactions that read the same moment, one as Read's
// and one as Global's: neither sees all that belongs to a tenant. They have as
// long as it takes somebody at the other end of a slow line to take it, each
// statement a minute. It holds a connection of each pool.
func (db *DB) Snapshot(ctx context.Context, tenant tenancy.TenantID, fn func(own, people pgx.Tx) error) error {
	const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
	const times = "; SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = 0"
	// Only a writer may hand its snapshot on.
	return db.run(ctx, db.writer, begin+"SET LOCAL ROLE "+quote(writerRole(tenant))+times, func(tx pgx.Tx) error {
		var id string
		if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot()`).Scan(&id); err != nil {
			return fmt.Errorf("fixing the moment: %w", err)
		}
		take := begin + "SET TRANSACTION SNAPSHOT " + literal(id)
		return db.run(ctx, db.reader, take+"; SET LOCAL ROLE "+quote(readerRole(tenant))+times, func(own pgx.Tx) error {
			return db.run(ctx, db.global, take+times, func(people pgx.Tx) error { return fn(own, people) })
		})
	})
}
