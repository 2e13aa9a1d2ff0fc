// Package console is the first page: how the estate is, in one look.
package console

import (
	"context"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB *store.DB
	// Changes shows the newest changes since a time.
	Changes func(ctx context.Context, tx pgx.Tx, since time.Time) (templ.Component, error)
}

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /{$}", tenancy.Viewer, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		v := overview{mayCreate: a.Role.Allows(tenancy.Admin), tenant: a.TenantName}
		err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) error { return s.read(r.Context(), tx, &v, time.Now().Add(-day)) })
		if err != nil {
			return err
		}
		return web.Render(w, r, 0, "Overview", "/", overviewPage(v))
	})
}

const day = 24 * time.Hour

// overview is what the page shows.
type overview struct {
	tenant    string
	mayCreate bool
	counts    counts
	sites     []site
	events    []event
	changes   templ.Component
}

type counts struct {
	Up, Silent, ShutDown int
	Findings             int // open
	Changes, Refusals    int // since yesterday
}

type site struct {
	ID                   tenancy.SiteID
	Name                 string
	Up, Silent, ShutDown int
	Relays               int
	RelaySeenAt          *time.Time // of the relay heard last
}

type event struct {
	SeenAt time.Time
	Type   string
	Host   string
	HostID *tenancy.HostID
	Relay  string
	Reason string
}

func (s *Service) read(ctx context.Context, tx pgx.Tx, v *overview, since time.Time) error {
	rows, err := tx.Query(ctx, `
		SELECT count(*) FILTER (WHERE state = 'up')::int, count(*) FILTER (WHERE state = 'silent')::int, count(*) FILTER (WHERE state = 'shut down')::int,
			(SELECT count(*)::int FROM assim.findings WHERE closed_at IS NULL),
			(SELECT count(*)::int FROM assim.fact_versions WHERE at >= $1),
			(SELECT count(*)::int FROM assim.events WHERE at >= $1 AND type LIKE 'refusal%')
		FROM assim.hosts WHERE retired_at IS NULL`, since)
	if err != nil {
		return err
	}
	if v.counts, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[counts]); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `
		SELECT s.id, s.name, count(h.id) FILTER (WHERE h.state = 'up')::int, count(h.id) FILTER (WHERE h.state = 'silent')::int,
			count(h.id) FILTER (WHERE h.state = 'shut down')::int,
			(SELECT count(*)::int FROM assim.relays r WHERE r.tenant = s.tenant AND r.site = s.id AND r.revoked_at IS NULL),
			(SELECT max(r.seen_at) FROM assim.relays r WHERE r.tenant = s.tenant AND r.site = s.id AND r.revoked_at IS NULL)
		FROM assim.sites s LEFT JOIN assim.hosts h ON h.tenant = s.tenant AND h.site = s.id AND h.retired_at IS NULL
		GROUP BY s.tenant, s.id, s.name ORDER BY lower(s.name) LIMIT 20`)
	if err != nil {
		return err
	}
	if v.sites, err = pgx.CollectRows(rows, pgx.RowToStructByPos[site]); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `
		SELECT e.seen_at, e.type, coalesce(h.name, ''), e.host, coalesce(r.name, ''), coalesce(e.detail->>'reason', '')
		FROM assim.events e LEFT JOIN assim.hosts h ON h.tenant = e.tenant AND h.id = e.host
		LEFT JOIN assim.relays r ON r.tenant = e.tenant AND r.id = e.relay
		ORDER BY e.id DESC LIMIT 8`)
	if err != nil {
		return err
	}
	if v.events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[event]); err != nil {
		return err
	}
	v.changes, err = s.Changes(ctx, tx, since)
	return err
}
