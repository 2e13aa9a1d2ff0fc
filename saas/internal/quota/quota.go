// Package quota says how much a tenant may have, and how much it has. The limits
// are the operator's: one row for all, and one for each tenant that is an
// exception. What a tenant has is counted where it happens, so that nobody counts
// rows to know.
//
//	hosts      one more is refused and remembered; its relay is asked again when there is room
//	changes    of facts in a day: beyond, batches wait at their relay
//	storage    beyond, batches wait at their relay
//	questions  at once: beyond, they wait their turn, and then get a 429
//	sites, tokens, exporters  one more is refused
//
// Of everything else that people make there is a number that holds for every
// tenant, see Things: one more is refused, or the oldest that is over goes.
//
// Nothing is lost silently: what waits at a relay is in its outbox, where a full
// one costs steps of the history and says so, and a host that was refused is told
// of anew. Events quota.near (80 %), quota.reached and quota.room tell people.
package quota

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Limits is how much a tenant may have.
type Limits struct {
	Hosts     int64 // enrolled and not retired
	Changes   int64 // of facts, in a day
	Bytes     int64
	Questions int64 // answered at once, by each process
	Sites     int64
	Tokens    int64
	Exporters int64
}

// Used is how much of it a tenant has.
type Used struct {
	Hosts   int64
	Changes float64 // of a day: each fades, so that as many every day show as so many
	Bytes   int64
}

// both reads what a tenant may have and has. The caller's transaction is the
// tenant's.
const both = `
	SELECT coalesce(o.hosts, d.hosts), coalesce(o.changes, d.changes), coalesce(o.bytes, d.bytes), coalesce(o.questions, d.questions),
		coalesce(o.sites, d.sites), coalesce(o.tokens, d.tokens), coalesce(o.exporters, d.exporters), coalesce(u.hosts, 0),
		coalesce(u.changes * exp(-least(extract(epoch FROM greatest(clock_timestamp() - u.changes_at, interval '0')) / 86400, 30)), 0)::double precision,
		coalesce(u.bytes, 0)
	FROM assim.quotas d LEFT JOIN assim.quotas o ON o.tenant IS NOT NULL LEFT JOIN assim.usage u ON true WHERE d.tenant IS NULL`

// Read reads both in a transaction of the tenant.
func Read(ctx context.Context, tx pgx.Tx) (l Limits, u Used, err error) {
	err = tx.QueryRow(ctx, both).Scan(&l.Hosts, &l.Changes, &l.Bytes, &l.Questions, &l.Sites, &l.Tokens, &l.Exporters, &u.Hosts, &u.Changes, &u.Bytes)
	if err != nil {
		err = fmt.Errorf("reading the tenant's quotas: %w", err)
	}
	return l, u, err
}

// day is over which changes are counted.
const day = 24 * time.Hour
