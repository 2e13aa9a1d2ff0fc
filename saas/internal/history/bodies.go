package history

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

const (
	// markMost bounds the hashes that are held in memory, 32 bytes each.
	markMost = 100_000
	// collectStep is how many bodies go while the tenant's writers wait.
	collectStep = 1000
)

// collect takes out the bodies of facts that nothing refers to any more. Writers
// go on meanwhile: what was without a reference at some time gets one only by a
// version of a fact that is newer, so that is all that must be looked at again
// while they wait.
func (k *Keeper) collect(ctx context.Context, tenant tenancy.TenantID) (gone int64, err error) {
	var marked time.Time
	err = k.DB.In(ctx, tenant, func(tx pgx.Tx) (err error) {
		marked, err = lockWriters(ctx, tx, tenant)
		return err
	})
	if err != nil {
		return 0, err
	}
	var hashes [][]byte
	err = k.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		// It reads all of the tenant's history once, in the background.
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '30min'; SET LOCAL work_mem = '64MB'`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT b.hash FROM assim.fact_bodies b
			WHERE NOT EXISTS (SELECT FROM assim.facts f WHERE f.hash = b.hash)
			  AND NOT EXISTS (SELECT FROM assim.fact_versions v WHERE v.hash = b.hash)
			  AND NOT EXISTS (SELECT FROM assim.fact_versions v WHERE v.previous = b.hash)
			LIMIT $1`, markMost)
		if err == nil {
			hashes, err = pgx.CollectRows(rows, pgx.RowTo[[]byte])
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("looking for bodies that nothing refers to: %w", err)
	}
	for len(hashes) > 0 {
		step := hashes[:min(collectStep, len(hashes))]
		hashes = hashes[len(step):]
		err := k.DB.In(ctx, tenant, func(tx pgx.Tx) error {
			if _, err := lockWriters(ctx, tx, tenant); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, `
				WITH newer AS MATERIALIZED (SELECT v.hash, v.previous FROM assim.fact_versions v WHERE v.at >= $2)
				DELETE FROM assim.fact_bodies b WHERE b.hash = ANY($1)
				  AND NOT EXISTS (SELECT FROM newer n WHERE n.hash = b.hash) AND NOT EXISTS (SELECT FROM newer n WHERE n.previous = b.hash)`, step, marked)
			gone += tag.RowsAffected()
			return err
		})
		if err != nil {
			return gone, fmt.Errorf("taking out bodies that nothing refers to: %w", err)
		}
	}
	return gone, nil
}

// lockWriters waits until nobody else writes to the tenant's estate, and keeps it
// so until the transaction ends. It returns a time that is later than all that
// was written. The lock is the one that ingest takes.
func lockWriters(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (at time.Time, err error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "assim writer "+tenant.String()); err != nil {
		return at, fmt.Errorf("waiting for the tenant's lock: %w", err)
	}
	err = tx.QueryRow(ctx, `SELECT greatest(clock_timestamp(), (SELECT at + interval '1 microsecond' FROM assim.writers))`).Scan(&at)
	if err != nil {
		return at, fmt.Errorf("taking the time: %w", err)
	}
	return at, nil
}
