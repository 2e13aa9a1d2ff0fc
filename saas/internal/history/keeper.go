package history

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Keeper does the housekeeping of history: partitions in advance, and the end of
// what is older than its tenant wants it to be held. Any number of processes may
// have one.
type Keeper struct {
	DB  *store.DB
	Log *slog.Logger
	// Also forgets what else of a tenant is kept for a day only, in a transaction of
	// the tenant; may be nil.
	Also func(ctx context.Context, tx pgx.Tx) error
}

const (
	// Partitions are made weeks ahead, so an hour that fails costs nothing.
	keepEvery = time.Hour
	// One process takes up a tenant once a day.
	keepAgain = 24 * time.Hour
	// forgetStep is how many rows go in one transaction: some 100 ms.
	forgetStep = 5000
)

// Run keeps until ctx ends, at once and then every hour.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if err := k.Keep(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("keeping history", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Keep does once what is due. One tenant's trouble does not keep it from others.
func (k *Keeper) Keep(ctx context.Context) error {
	var made, dropped int
	var tenants []tenancy.TenantID
	err := k.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM assim.tenants`)
		if err == nil {
			tenants, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
		}
		if err != nil {
			return fmt.Errorf("listing tenants: %w", err)
		}
		if err := tx.QueryRow(ctx, `SELECT made, dropped FROM assim.turn_history()`).Scan(&made, &dropped); err != nil {
			return fmt.Errorf("making and dropping partitions: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if made+dropped > 0 {
		k.Log.Info("partitions of history", "made", made, "dropped", dropped)
	}
	for _, tenant := range tenants {
		if err := k.tenant(ctx, tenant); err != nil && ctx.Err() == nil {
			k.Log.Error("keeping history", "tenant", tenant, "error", err)
		}
	}
	return ctx.Err()
}

func (k *Keeper) tenant(ctx context.Context, tenant tenancy.TenantID) error {
	var due bool
	err := k.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE assim.history SET kept_at = now() WHERE kept_at < now() - make_interval(secs => $1)`, keepAgain.Seconds())
		due = tag.RowsAffected() > 0
		return err
	})
	if err != nil {
		return fmt.Errorf("taking up the tenant: %w", err)
	}
	if !due {
		return nil
	}
	if k.Also != nil {
		if err := k.DB.In(ctx, tenant, func(tx pgx.Tx) error { return k.Also(ctx, tx) }); err != nil {
			return err
		}
	}
	rows, err := k.forget(ctx, tenant)
	if err != nil {
		return err
	}
	bodies, err := k.collect(ctx, tenant)
	if err != nil {
		return err
	}
	if rows+bodies > 0 {
		k.Log.Info("history forgotten", "tenant", tenant, "rows", rows, "bodies", bodies)
	}
	return nil
}

// forget takes out rows that are older than the tenant wants, step by step.
func (k *Keeper) forget(ctx context.Context, tenant tenancy.TenantID) (gone int64, err error) {
	for {
		var step int64
		err := k.DB.In(ctx, tenant, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, `SELECT assim.forget_history($1)`, forgetStep).Scan(&step)
		})
		if err != nil {
			return gone, fmt.Errorf("forgetting what is too old: %w", err)
		}
		if step == 0 {
			return gone, nil
		}
		gone += step
	}
}
