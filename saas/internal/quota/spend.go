package quota

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/wire"
)

// Budget is what is left to a batch of a relay.
type Budget struct {
	Limits
	Used
}

// Held is why the tenant's batches wait at their relays; nil when they do not.
func (b Budget) Held() error {
	switch {
	case b.Changes() >= b.Limits.Changes:
		return &wire.Error{Reason: wire.OverQuota, What: fmt.Sprintf("the tenant's %d changes a day", b.Limits.Changes)}
	case b.Used.Bytes >= b.Limits.Bytes:
		return &wire.Error{Reason: wire.OverQuota, What: fmt.Sprintf("the tenant's %d bytes", b.Limits.Bytes)}
	}
	return nil
}

// Changes are those of a day.
func (b Budget) Changes() int64 { return int64(b.Used.Changes) }

// AddHost takes one host more into account; false: there is no room.
func (b *Budget) AddHost() bool {
	if b.Used.Hosts >= b.Limits.Hosts {
		return false
	}
	b.Used.Hosts++
	return true
}

// Spent is what a batch did.
type Spent struct {
	Hosts   int64 // new ones
	Changes int64
	Bytes   int64 // about
}

// Spend counts what was done at a time, in the transaction that does it.
func Spend(queue *pgx.Batch, tenant tenancy.TenantID, s Spent, at time.Time) {
	if s == (Spent{}) {
		return
	}
	queue.Queue(`
		WITH now AS (
			INSERT INTO assim.usage AS u (tenant, hosts, changes, changes_at, bytes) VALUES ($1, $2, $3, $5, $4)
			ON CONFLICT (tenant) DO UPDATE SET hosts = u.hosts + $2, bytes = u.bytes + $4, changes_at = $5,
				changes = u.changes * exp(-least(extract(epoch FROM greatest($5 - u.changes_at, interval '0')) / 86400, 30)) + $3
			RETURNING hosts, bytes)
		INSERT INTO assim.usage_days AS d (tenant, day, hosts, changes, bytes) SELECT $1, ($5::timestamptz AT TIME ZONE 'UTC')::date, hosts, $3, bytes FROM now
		ON CONFLICT (tenant, day) DO UPDATE SET hosts = EXCLUDED.hosts, bytes = EXCLUDED.bytes, changes = d.changes + EXCLUDED.changes`,
		tenant, s.Hosts, s.Changes, s.Bytes, at)
}
