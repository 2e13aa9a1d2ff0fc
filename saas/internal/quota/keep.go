package quota

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

const (
	// keepEvery is how late an event says that a quota is near or reached, and a
	// relay is asked for the hosts that had no room.
	keepEvery = time.Minute
	// askAgain is how often that may be: the relay tells of all its hosts anew.
	askAgain = time.Hour
	// near is the share of a quota at which people are told.
	near = 0.8
)

// Service is the feature. All fields are required; Run must run.
type Service struct {
	DB  *store.DB
	Log *slog.Logger

	atOnce cache
}

// Run keeps until ctx ends. Any number of processes may run it.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if err := s.Keep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("keeping quotas", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Keep does once what is due.
func (s *Service) Keep(ctx context.Context) error {
	var due []tenancy.TenantID
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT assim.usage_due($1)`, time.Now())
		if err == nil {
			due, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for tenants whose quotas want a look: %w", err)
	}
	for _, tenant := range due {
		if err := s.look(ctx, tenant); err != nil && ctx.Err() == nil {
			s.Log.Error("keeping quotas", "tenant", tenant, "error", err)
		}
	}
	return ctx.Err()
}

// look takes up one tenant.
func (s *Service) look(ctx context.Context, tenant tenancy.TenantID) error {
	bytes, measured, err := s.measure(ctx, tenant)
	if err != nil {
		return err
	}
	return s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		// The row's lock makes processes follow each other.
		var told map[string]int
		var mayAsk bool
		err := tx.QueryRow(ctx, `
			INSERT INTO assim.usage AS u (tenant, hosts) VALUES ($1, (SELECT count(*) FROM assim.hosts WHERE retired_at IS NULL))
			ON CONFLICT (tenant) DO UPDATE SET hosts = (SELECT count(*) FROM assim.hosts WHERE retired_at IS NULL),
				bytes = CASE WHEN $2::boolean THEN $3::bigint ELSE u.bytes END, measured_at = CASE WHEN $2 THEN now() ELSE u.measured_at END
			RETURNING told, asked_at < now() - make_interval(secs => $4)`, tenant, measured, bytes, askAgain.Seconds()).Scan(&told, &mayAsk)
		if err != nil {
			return fmt.Errorf("counting hosts: %w", err)
		}
		limits, used, err := Read(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO assim.usage_days (tenant, day, hosts, changes, bytes) VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, 0, $3)
			ON CONFLICT (tenant, day) DO UPDATE SET hosts = EXCLUDED.hosts, bytes = EXCLUDED.bytes`, tenant, used.Hosts, used.Bytes)
		if err != nil {
			return fmt.Errorf("noting the day: %w", err)
		}
		if used.Hosts < limits.Hosts && mayAsk {
			if err := askForRefused(ctx, tx, tenant); err != nil {
				return err
			}
		}
		return tell(ctx, tx, tenant, told, levels(limits, used))
	})
}

// level is how much of a quota is used.
type level struct {
	quota       string
	used, limit int64
}

func levels(l Limits, u Used) []level {
	return []level{{"hosts", u.Hosts, l.Hosts}, {"changes", int64(u.Changes), l.Changes}, {"storage", u.Bytes, l.Bytes}}
}

// percent is 100 when reached, 80 when near, else 0.
func (l level) percent() int {
	switch {
	case l.used >= l.limit:
		return 100
	case float64(l.used) >= near*float64(l.limit):
		return 80
	}
	return 0
}

// tell says by events which quotas are near or reached, once until they are not.
func tell(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, told map[string]int, now []level) error {
	next := map[string]int{}
	for _, l := range now {
		is, was := l.percent(), told[l.quota]
		// It is told of anew after it was a good deal less.
		if is < was && float64(l.used) >= (near-0.05)*float64(l.limit) {
			is = was
		}
		if is > 0 {
			next[l.quota] = is
		}
		if is <= was {
			continue
		}
		kind := map[int]string{80: "quota.near", 100: "quota.reached"}[is]
		if err := event(ctx, tx, tenant, kind, map[string]any{"quota": l.quota, "used": l.used, "limit": l.limit,
			"detail": fmt.Sprintf("%d of %d: %s", l.used, l.limit, l.quota)}); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE assim.usage SET told = $1`, next); err != nil {
		return fmt.Errorf("noting what was told of quotas: %w", err)
	}
	return nil
}

// askForRefused has the relays tell anew what they know, if they told of hosts
// that had no room: the stream of each goes on from its beginning, as after a
// restore.
func askForRefused(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) error {
	tag, err := tx.Exec(ctx, `DELETE FROM assim.streams WHERE relay IN (SELECT relay FROM assim.refused_hosts)`)
	if err != nil {
		return fmt.Errorf("asking for hosts that had no room: %w", err)
	}
	relays := tag.RowsAffected()
	if tag, err = tx.Exec(ctx, `DELETE FROM assim.refused_hosts`); err != nil || tag.RowsAffected() == 0 {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE assim.usage SET asked_at = now()`); err != nil {
		return fmt.Errorf("asking for hosts that had no room: %w", err)
	}
	return event(ctx, tx, tenant, "quota.room", map[string]any{"quota": "hosts", "relays": relays,
		"detail": fmt.Sprintf("there is room for hosts again: %d that were refused are asked for", tag.RowsAffected())})
}

func event(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, kind string, detail map[string]any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("writing event %s: %w", kind, err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO assim.events (tenant, at, seen_at, type, detail) VALUES ($1, now(), now(), $2, $3)`, tenant, kind, text); err != nil {
		return fmt.Errorf("writing event %s: %w", kind, err)
	}
	if _, err := tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, tenant.String()+" events"); err != nil {
		return fmt.Errorf("announcing event %s: %w", kind, err)
	}
	return nil
}
