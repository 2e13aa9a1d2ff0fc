package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// measureAgain is how often a tenant's bytes are measured: its rows are read once
// then, in the background.
const measureAgain = day

// overhead of a row with its indexes, in bytes; what a row holds of its own comes on
// top. Rounded from what an estate of 100,000 hosts took, see docs/performance.md.
const (
	factBytes    = 250
	versionBytes = 320
	undoBytes    = 310
	eventBytes   = 400
	bodyBytes    = 150
)

// Added is what a batch adds to storage.
type Added struct {
	Bodies, Packed   int64 // of facts; Packed: their bytes
	Versions         int64
	Elements         int64 // of the graph
	Events, Detailed int64 // Detailed: bytes of what they say
}

// Bytes is about how much room it takes.
func (a Added) Bytes() int64 {
	return a.Packed + a.Bodies*bodyBytes + a.Versions*(versionBytes+factBytes/2) + a.Elements*undoBytes + a.Detailed + a.Events*eventBytes
}

// measure says how much room a tenant takes; false: it is known well enough.
func (s *Service) measure(ctx context.Context, tenant tenancy.TenantID) (bytes int64, measured bool, err error) {
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM assim.usage WHERE measured_at > now() - make_interval(secs => $1))`, measureAgain.Seconds()).Scan(&measured); err != nil || !measured {
			return err
		}
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '30min'`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT (
			(SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r')
			+ (SELECT coalesce(sum(pg_column_size(body) + $2::bigint), 0) FROM assim.fact_bodies)
			+ (SELECT count(*) * $3::bigint FROM assim.facts) + (SELECT count(*) * $4::bigint FROM assim.fact_versions)
			+ (SELECT coalesce(sum(coalesce(pg_column_size(before), 0) + $5::bigint), 0) FROM assim.undo)
			+ (SELECT coalesce(sum(pg_column_size(detail) + $6::bigint), 0) FROM assim.events)
			`+others()+`)::bigint`,
			store.Graph(tenant), bodyBytes, factBytes, versionBytes, undoBytes, eventBytes).Scan(&bytes)
	})
	if err != nil {
		return 0, false, fmt.Errorf("measuring storage: %w", err)
	}
	return bytes, measured, nil
}

// others are tables of which rows are counted whole, with $6 for their indexes: they
// are small where nobody makes them large.
func others() (sql string) {
	for _, table := range []string{"audit", "findings", "verdicts", "webhook_messages", "webhook_tries", "undelivered", "asked", "views"} {
		sql += ` + (SELECT coalesce(sum(pg_column_size(o) + $6::bigint), 0) FROM assim.` + table + ` o)`
	}
	return sql
}

// cache holds for a short while how many questions each tenant may have answered
// at once: every request wants to know.
type cache struct {
	mu    sync.Mutex
	known map[tenancy.TenantID]entry
}

type entry struct {
	most int
	till time.Time
}

const (
	cachedFor = 30 * time.Second
	maxCached = 10_000
)

// AtOnce is how many requests of a tenant are answered at once; 0 when that
// cannot be told now.
func (s *Service) AtOnce(ctx context.Context, tenant tenancy.TenantID) int {
	now := time.Now()
	s.atOnce.mu.Lock()
	e, ok := s.atOnce.known[tenant]
	s.atOnce.mu.Unlock()
	if ok && now.Before(e.till) {
		return e.most
	}
	var limits Limits
	err := s.DB.Read(ctx, tenant, func(tx pgx.Tx) (err error) {
		limits, _, err = Read(ctx, tx)
		return err
	})
	if err != nil {
		return 0 // whoever asks for more than this will hear of it
	}
	s.atOnce.mu.Lock()
	defer s.atOnce.mu.Unlock()
	if len(s.atOnce.known) >= maxCached || s.atOnce.known == nil {
		s.atOnce.known = map[tenancy.TenantID]entry{}
	}
	s.atOnce.known[tenant] = entry{int(min(limits.Questions, 1000)), now.Add(cachedFor)}
	return int(min(limits.Questions, 1000))
}
