package deletion

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// lookEvery is how late a deletion may begin, and how soon one that broke off is
// taken up again.
const lookEvery = 30 * time.Second

// Run deletes what is due until ctx ends. Any number of processes may run it.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.deleteDue(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("deleting tenants", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.woken:
		case <-tick.C:
		}
	}
}

// deleteDue deletes the tenants whose time has come, or had come when whoever
// began was stopped. One tenant's trouble does not keep it from others.
func (s *Service) deleteDue(ctx context.Context) error {
	var due []tenancy.TenantID
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `UPDATE assim.deletions SET begun_at = coalesce(begun_at, now()) WHERE due_at <= now() RETURNING tenant`)
		if err == nil {
			due, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
		}
		for _, tenant := range due {
			if err == nil { // live pages look whether they may go on; see accounts
				_, err = tx.Exec(ctx, `NOTIFY `+web.Channel+`, '`+tenant.String()+` `+string(web.People)+`'`)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for tenants that are to be deleted: %w", err)
	}
	for _, tenant := range due {
		began := time.Now()
		s.Log.Info("deleting a tenant", "tenant", tenant)
		if err := s.DB.Drop(ctx, tenant); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.Log.Error("deleting a tenant; it is tried again", "tenant", tenant, "error", err)
			continue
		}
		s.Log.Info("a tenant is deleted", "tenant", tenant, "took", time.Since(began).Round(time.Millisecond).String())
	}
	return nil
}
