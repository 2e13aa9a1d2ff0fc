package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// maxRefused is how many hosts that had no room are remembered of a tenant. Beyond,
// those that nobody knows are counted and not told of; their relays are asked with
// the others.
const maxRefused = 100_000

// refusedHost is a host for which there was no room.
type refusedHost struct {
	name  string
	at    time.Time
	known bool // it was refused by a batch before
}

// loadRefused reads which of the hosts that nobody knows were refused before.
func (b *batch) loadRefused(ctx context.Context, wanted map[tenancy.HostID]bool) error {
	b.noRoom, b.toRefuse = map[tenancy.HostID]refusedHost{}, maxRefused
	unknown := maps.Clone(wanted)
	maps.DeleteFunc(unknown, func(id tenancy.HostID, _ bool) bool { return b.hosts[id] != nil })
	if len(unknown) == 0 {
		return nil
	}
	if err := b.tx.QueryRow(ctx, `SELECT $1 - count(*) FROM assim.refused_hosts`, maxRefused).Scan(&b.toRefuse); err != nil {
		return fmt.Errorf("counting refused hosts: %w", err)
	}
	rows, err := b.tx.Query(ctx, `SELECT host FROM assim.refused_hosts WHERE host = ANY($1)`, slices.Collect(maps.Keys(unknown)))
	if err != nil {
		return fmt.Errorf("reading refused hosts: %w", err)
	}
	var id tenancy.HostID
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		b.noRoom[id] = refusedHost{known: true}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading refused hosts: %w", err)
	}
	return nil
}

// room takes a new host into account. Where the tenant may have no more, the host
// is refused, which an event says once, and remembered: package quota has its
// relay asked again when there is room.
func (b *batch) room(c uplink.Change) bool {
	if b.budget.AddHost() {
		b.spent.Hosts++
		delete(b.noRoom, c.Host)
		return true
	}
	if b.isRefused(c.Host) {
		b.refusal[wire.OverQuota]++
		return false
	}
	b.toRefuse--
	b.noRoom[c.Host] = refusedHost{name: uplink.Plain(c.HostState.Name, uplink.MaxDetail), at: wallClock(c.SeenAt)}
	b.refuse(c, wire.OverQuota, fmt.Sprintf("%.100s is one host more than the tenant's %d", c.HostState.Name, b.budget.Limits.Hosts))
	return false
}

func (b *batch) isRefused(host tenancy.HostID) bool {
	_, refused := b.noRoom[host]
	return refused || b.toRefuse <= 0
}

func (b *batch) saveRefused(queue *pgx.Batch) {
	for id, h := range b.noRoom {
		if !h.known {
			queue.Queue(`INSERT INTO assim.refused_hosts (tenant, host, relay, name, refused_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
				b.from.Tenant, id, b.from.Relay, h.name, h.at)
		}
	}
	if b.spent.Hosts > 0 {
		queue.Queue(`DELETE FROM assim.refused_hosts r USING assim.hosts h WHERE h.tenant = r.tenant AND h.id = r.host`)
	}
}

// noteHeld remembers that a batch was sent back to wait. It is for people to see:
// where it fails the batch waits all the same.
func (s *Service) noteHeld(ctx context.Context, tenant tenancy.TenantID) {
	err := s.db.In(ctx, tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE assim.usage SET held_at = now()`)
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("noting that a tenant's relays wait", "tenant", tenant, "error", err)
	}
}
