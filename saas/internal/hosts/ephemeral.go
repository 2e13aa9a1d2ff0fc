package hosts

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

const (
	expireEvery = time.Minute
	// maxExpired is how many hosts of a tenant one look takes out; the next one goes on.
	maxExpired = 500
	// byItself is who did it, in the audit log.
	byItself = "the service, by the label ephemeral"
)

// Expiry takes hosts out of the estate that were away for as long as their label
// uplink.Ephemeral says, such as machines that a cloud makes and removes by itself.
type Expiry struct{ *Service }

// Run looks until ctx ends. Any number of processes may.
func (e Expiry) Run(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := e.Look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			e.Log.Error("looking for ephemeral hosts that are gone", "error", err)
		}
	}
}

// Look visits once every tenant that has ephemeral hosts which are away.
func (e Expiry) Look(ctx context.Context, now time.Time) error {
	var tenants []tenancy.TenantID
	err := e.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT * FROM assim.tenants_with_ephemeral_hosts($1)`, now.Add(-uplink.ShortestEphemeral))
		if err == nil {
			tenants, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("listing tenants with ephemeral hosts: %w", err)
	}
	for _, tenant := range tenants {
		if err := e.expire(ctx, tenant, now); err != nil {
			if ctx.Err() != nil {
				return err
			}
			e.Log.Error("taking ephemeral hosts out of the estate", "tenant", tenant, "error", err)
		}
	}
	return nil
}

// expire leaves out hosts of sites of which nothing is heard: nobody knows how they
// are.
func (e Expiry) expire(ctx context.Context, tenant tenancy.TenantID, now time.Time) error {
	type away struct {
		ID    tenancy.HostID
		Since time.Time
		Label string
	}
	var hosts []away
	err := e.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT h.id, h.state_at, h.labels->>'ephemeral' FROM assim.hosts h
			WHERE h.retired_at IS NULL AND h.state <> 'up' AND h.labels ? 'ephemeral' AND h.state_at < $1
				AND NOT EXISTS (SELECT FROM assim.verdicts d WHERE d.tenant = h.tenant AND d.site = h.site AND d.relay IS NULL AND d.over_at IS NULL)
			ORDER BY h.state_at`, now.Add(-uplink.ShortestEphemeral))
		if err == nil {
			hosts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[away])
		}
		return err
	})
	if err != nil {
		return err
	}
	expired := 0
	for _, h := range hosts {
		life, err := uplink.ParseEphemeral(h.Label)
		if err != nil || now.Sub(h.Since) < life { // a host's own label may be anything
			continue
		}
		if _, err := e.Retire(ctx, web.Actor{Tenant: tenant, Email: byItself}, h.ID.String()); err != nil {
			return err
		}
		if expired++; expired == maxExpired {
			return nil
		}
	}
	return nil
}
