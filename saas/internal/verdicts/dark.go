package verdicts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/uplink"
)

const (
	lookEvery = 5 * time.Second
	// darkAfter is three times the longest wait of a relay for orders: the relay
	// asks again at once, so two answers were lost.
	darkAfter = 75 * time.Second
	// A relay that is back is believed to have told all when nothing waits in its
	// outbox; or after this long, when there is always something.
	accountLimit = 10 * time.Minute
	// An account that never came is not looked for any more.
	accountGivenUp = 24 * time.Hour
)

// Watch notices which sites go dark and return, until ctx ends. Any number of
// processes may watch.
func (s *Service) Watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	// Since when relays could reach a service that works, as far as this process
	// knows: a service that was down, or asleep, does not call its sites dark.
	working := time.Now()
	last := working
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(last) > 3*lookEvery {
			working = now
		}
		last = now
		if err := s.look(ctx, now, now.Sub(working) > darkAfter); err != nil && ctx.Err() == nil {
			s.Log.Error("looking for dark sites", "error", err)
			working = time.Now()
		}
	}
}

// look visits once every tenant that has a silent relay, or a verdict that waits
// for the service to settle it. Unless judging, it opens nothing.
func (s *Service) look(ctx context.Context, now time.Time, judging bool) error {
	var tenants []tenancy.TenantID
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT * FROM assim.tenants_with_silent_relays($1)`, now.Add(-darkAfter))
		if err == nil {
			tenants, err = pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("listing tenants with silent relays: %w", err)
	}
	failed := 0
	for _, tenant := range tenants {
		if err = s.lookAt(ctx, tenant, now, judging); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed++
			s.Log.Error("looking for dark sites of a tenant", "tenant", tenant, "error", err)
		}
	}
	// What ails one tenant keeps nobody from looking at the others.
	if failed > 0 && failed == len(tenants) {
		return fmt.Errorf("looking at %d tenants, of which none could be: %w", failed, err)
	}
	return nil
}

func (s *Service) lookAt(ctx context.Context, tenant tenancy.TenantID, now time.Time, judging bool) error {
	return s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		l := looker{tx: tx, tenant: tenant, now: now}
		if err := l.close(ctx); err != nil {
			return err
		}
		if judging {
			if err := l.open(ctx); err != nil {
				return err
			}
		}
		if err := l.explain(ctx); err != nil {
			return err
		}
		return l.tell(ctx)
	})
}

// looker looks at the sites of one tenant, in one transaction.
type looker struct {
	tx     pgx.Tx
	tenant tenancy.TenantID
	now    time.Time
	events []event
}

type event struct {
	kind    string
	seenAt  time.Time
	site    tenancy.SiteID
	verdict tenancy.VerdictID
	detail  map[string]any
}

// open makes a verdict of every site that fell silent. Of several processes that
// see it, the unique index lets one.
func (l *looker) open(ctx context.Context) error {
	type silent struct {
		Site    tenancy.SiteID
		Since   time.Time
		Relays  int64
		Stopped bool // the relay that was heard last said so
		Hosts   int64
	}
	rows, err := l.tx.Query(ctx, `
		SELECT d.site, d.since, d.relays, coalesce((
			SELECT (SELECT e.type = 'relay.stopped' FROM assim.events e
				WHERE e.tenant = r.tenant AND e.relay = r.id AND e.type IN ('relay.started', 'relay.stopped') ORDER BY e.id DESC LIMIT 1)
			FROM assim.relays r WHERE r.tenant = d.tenant AND r.site = d.site AND r.revoked_at IS NULL
			ORDER BY r.seen_at DESC NULLS LAST LIMIT 1), false),
			(SELECT count(*) FROM assim.hosts h WHERE h.tenant = d.tenant AND h.site = d.site AND h.retired_at IS NULL)
		FROM (SELECT r.tenant, r.site, max(r.seen_at) AS since, count(*) AS relays FROM assim.relays r
			WHERE r.revoked_at IS NULL AND r.seen_at IS NOT NULL GROUP BY r.tenant, r.site HAVING max(r.seen_at) < $1) d
		WHERE NOT EXISTS (SELECT FROM assim.verdicts v WHERE v.tenant = d.tenant AND v.site = d.site AND v.relay IS NULL AND v.over_at IS NULL)`,
		l.now.Add(-darkAfter))
	if err != nil {
		return fmt.Errorf("looking for silent sites: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[silent])
	if err != nil {
		return fmt.Errorf("looking for silent sites: %w", err)
	}
	for _, d := range found {
		kind := siteDark
		if d.Stopped {
			kind = relayStopped
		}
		evidence := []map[string]any{{"kind": relaySilent, "at": l.now.UnixMilli(), "age": l.now.Sub(d.Since).Milliseconds(), "count": d.Relays}}
		id := tenancy.NewID[tenancy.VerdictID]()
		tag, err := l.tx.Exec(ctx, `
			INSERT INTO assim.verdicts (tenant, id, kind, site, count, since, at, confidence, evidence, received_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 100, $8, $7) ON CONFLICT DO NOTHING`,
			l.tenant, id, kind, d.Site, d.Hosts, d.Since, l.now, evidence)
		if err != nil {
			return fmt.Errorf("noting that site %s is silent: %w", d.Site, err)
		}
		if tag.RowsAffected() == 1 {
			l.events = append(l.events, event{"verdict." + strings.ReplaceAll(kind, " ", "-"), l.now, d.Site, id,
				map[string]any{"kind": kind, "hosts": d.Hosts, "since": d.Since.UTC()}})
		}
	}
	return nil
}

// ended is a verdict of the service's own that an update ended or explained.
type ended struct {
	ID     tenancy.VerdictID
	Site   tenancy.SiteID
	Kind   string
	Ending string
	At     time.Time
	Hosts  int64
}

func (l *looker) ended(ctx context.Context, kind string, sql string, args ...any) error {
	rows, err := l.tx.Query(ctx, sql+` RETURNING v.id, v.site, v.kind, v.ending, v.over_at, v.count`, args...)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ended])
	for _, e := range all {
		l.events = append(l.events, event{kind, e.At, e.Site, e.ID, map[string]any{"kind": e.Kind, "hosts": e.Hosts, "ending": e.Ending}})
	}
	return err
}

// close ends the verdicts of sites that are heard again, or have no relay left.
func (l *looker) close(ctx context.Context) error {
	err := l.ended(ctx, "verdict.over", `
		UPDATE assim.verdicts v SET over_at = coalesce(h.heard, $1), received_at = $1,
			ending = CASE WHEN h.heard IS NULL THEN $2 WHEN v.kind = $3 THEN $4 ELSE $5 END
		FROM (SELECT s.tenant, s.id AS site, max(r.seen_at) AS heard
			FROM assim.sites s LEFT JOIN assim.relays r ON r.tenant = s.tenant AND r.site = s.id AND r.revoked_at IS NULL GROUP BY s.tenant, s.id) h
		WHERE v.relay IS NULL AND v.over_at IS NULL AND v.tenant = h.tenant AND v.site = h.site AND (h.heard IS NULL OR h.heard > v.since)`,
		l.now, noRelayLeft, relayStopped, startedAgain, heardAgain)
	if err != nil {
		return fmt.Errorf("noting that sites are heard again: %w", err)
	}
	return l.closeOrphans(ctx)
}

// explain tells apart why sites were dark, once their relays have told all that
// they noted meanwhile: a relay that heard its hosts had lost the service only,
// one that heard nobody was cut off itself, one that started anew was down.
func (l *looker) explain(ctx context.Context) error {
	err := l.ended(ctx, "verdict.explained", `
		UPDATE assim.verdicts v SET cause = c.cut, ending = CASE WHEN c.cut IS NOT NULL THEN $3 WHEN c.restarted THEN $4 ELSE $5 END, received_at = $1
		FROM (SELECT o.tenant, o.id,
				(SELECT w.id FROM assim.verdicts w WHERE w.tenant = o.tenant AND w.site = o.site AND w.kind = $6 AND w.at <= o.over_at
					AND coalesce(w.over_at, 'infinity') >= o.since ORDER BY w.at, w.id LIMIT 1) AS cut,
				EXISTS (SELECT FROM assim.relays r JOIN assim.events e ON e.tenant = r.tenant AND e.relay = r.id AND e.type IN ('relay.started', 'relay.stopped')
					WHERE r.tenant = o.tenant AND r.site = o.site AND e.type = 'relay.started' AND e.at > o.since) AS restarted
			FROM assim.verdicts o
			WHERE o.relay IS NULL AND o.ending = $2 AND o.over_at > $7 AND (o.over_at < $8 OR
				(SELECT bool_and(r.backlog = 0 AND r.seen_at > o.over_at) FROM assim.relays r
					WHERE r.tenant = o.tenant AND r.site = o.site AND r.revoked_at IS NULL AND r.seen_at >= o.over_at))) c
		WHERE v.tenant = c.tenant AND v.id = c.id AND v.ending = $2`,
		l.now, heardAgain, relayCutOff, relayRestarted, wanCut, string(uplink.SiteCutOff), l.now.Add(-accountGivenUp), l.now.Add(-accountLimit))
	if err != nil {
		return fmt.Errorf("explaining why sites were dark: %w", err)
	}
	return nil
}

// tell writes the events, last: other tellers wait from here on.
func (l *looker) tell(ctx context.Context) error {
	for _, e := range l.events {
		detail, err := json.Marshal(e.detail)
		if err != nil {
			return fmt.Errorf("encoding an event: %w", err)
		}
		_, err = l.tx.Exec(ctx, `INSERT INTO assim.events (tenant, at, seen_at, type, site, verdict, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			l.tenant, l.now, e.seenAt, e.kind, e.site, e.verdict, detail)
		if err != nil {
			return fmt.Errorf("writing the event %s: %w", e.kind, err)
		}
	}
	if len(l.events) == 0 {
		return nil
	}
	for _, topic := range []string{"verdicts", "events", "hosts"} {
		if _, err := l.tx.Exec(ctx, `SELECT pg_notify('assim', $1)`, l.tenant.String()+" "+topic); err != nil {
			return fmt.Errorf("announcing a verdict: %w", err)
		}
	}
	return nil
}
