// Package console is the first page: how the estate is, in one look.
package console

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB *store.DB
	// Changes shows the newest changes since a time.
	Changes func(ctx context.Context, tx pgx.Tx, since time.Time) (templ.Component, error)
	// Verdicts shows what is wrong now, Events what happened last.
	Verdicts, Events func(ctx context.Context, tx pgx.Tx) (templ.Component, error)
}

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /{$}", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		v := overview{mayCreate: a.May(tenancy.CreateSite), tenant: a.TenantName}
		err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) error { return s.read(r.Context(), tx, &v, time.Now().Add(-day)) })
		if err != nil {
			return err
		}
		return web.Render(w, r, 0, "Overview", "/", overviewPage(v))
	})
}

const day = 24 * time.Hour

// maxSites is how many sites are listed.
const maxSites = 20

// overview is what the page shows.
type overview struct {
	tenant    string
	mayCreate bool
	counts    counts
	sites     []site
	world     world
	bars      []ui.Bar // changes of each hour since yesterday
	verdicts  templ.Component
	events    templ.Component
	changes   templ.Component
}

type counts struct {
	hosts
	Findings, Roots   int // open; roots are verdicts that no other explains
	Changes, Refusals int // since yesterday
}

// hosts by the state that is shown of them.
type hosts struct {
	Up, Down, Silent, ShutDown, Unknown int
}

func (h *hosts) add(o hosts) {
	h.Up, h.Down, h.Silent, h.ShutDown, h.Unknown = h.Up+o.Up, h.Down+o.Down, h.Silent+o.Silent, h.ShutDown+o.ShutDown, h.Unknown+o.Unknown
}

func (h hosts) all() int { return h.Up + h.Down + h.Silent + h.ShutDown + h.Unknown }

// countHosts counts the rows of h, hosts that are not retired, d being the open
// problem of their site: while nothing is heard of it, nobody knows how they are.
// Down is all that a verdict took down.
const countHosts = `
	count(h.id) FILTER (WHERE d.id IS NULL AND h.state = 'up')::int,
	count(h.id) FILTER (WHERE d.id IS NULL AND h.state IN ('down', 'unreachable', 'agent down', 'unresponsive'))::int,
	count(h.id) FILTER (WHERE d.id IS NULL AND h.state = 'silent')::int,
	count(h.id) FILTER (WHERE d.id IS NULL AND h.state = 'shut down')::int,
	count(h.id) FILTER (WHERE d.id IS NOT NULL)::int`

const joinProblem = `LEFT JOIN assim.verdicts d ON d.tenant = h.tenant AND d.site = h.site AND d.relay IS NULL AND d.over_at IS NULL`

type site struct {
	ID   tenancy.SiteID
	Name string
	hosts
	Relays      int
	RelaySeenAt *time.Time // of the relay heard last
	Place       string
	Lat, Long   *float64
}

func (s *Service) read(ctx context.Context, tx pgx.Tx, v *overview, since time.Time) error {
	c := &v.counts
	err := tx.QueryRow(ctx, `
		SELECT (SELECT count(*)::int FROM assim.findings WHERE closed_at IS NULL),
			(SELECT count(*)::int FROM assim.verdicts v WHERE over_at IS NULL
				AND NOT EXISTS (SELECT FROM assim.verdicts c WHERE c.tenant = v.tenant AND c.id = v.cause AND c.over_at IS NULL)),
			(SELECT count(*)::int FROM assim.events WHERE at >= $1 AND type LIKE 'refusal%')`, since).
		Scan(&c.Findings, &c.Roots, &c.Refusals)
	if err != nil {
		return err
	}
	if v.bars, err = hourly(ctx, tx, since); err != nil {
		return err
	}
	for _, b := range v.bars {
		c.Changes += b.Count
	}
	rows, err := tx.Query(ctx, `
		SELECT s.id, s.name,`+countHosts+`,
			(SELECT count(*)::int FROM assim.relays r WHERE r.tenant = s.tenant AND r.site = s.id AND r.revoked_at IS NULL),
			(SELECT max(r.seen_at) FROM assim.relays r WHERE r.tenant = s.tenant AND r.site = s.id AND r.revoked_at IS NULL),
			s.location, s.latitude, s.longitude
		FROM assim.sites s LEFT JOIN assim.hosts h ON h.tenant = s.tenant AND h.site = s.id AND h.retired_at IS NULL `+joinProblem+`
		GROUP BY s.tenant, s.id, s.name, s.location, s.latitude, s.longitude ORDER BY lower(s.name)`)
	if err != nil {
		return err
	}
	v.sites, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (site, error) {
		var s site
		return s, row.Scan(&s.ID, &s.Name, &s.Up, &s.Down, &s.Silent, &s.ShutDown, &s.Unknown, &s.Relays, &s.RelaySeenAt, &s.Place, &s.Lat, &s.Long)
	})
	if err != nil {
		return err
	}
	for _, s := range v.sites {
		c.add(s.hosts)
	}
	v.world = worldOf(v.sites)
	v.sites = v.sites[:min(maxSites, len(v.sites))]
	if v.verdicts, err = s.Verdicts(ctx, tx); err != nil {
		return err
	}
	if v.events, err = s.Events(ctx, tx); err != nil {
		return err
	}
	v.changes, err = s.Changes(ctx, tx, since)
	return err
}

// hourly counts the changes of each hour since a time.
func hourly(ctx context.Context, tx pgx.Tx, since time.Time) ([]ui.Bar, error) {
	rows, err := tx.Query(ctx, `
		SELECT floor(extract(epoch FROM at - $1) / 3600)::int, count(*)::int FROM assim.fact_versions WHERE at >= $1 GROUP BY 1`, since)
	if err != nil {
		return nil, err
	}
	bars := make([]ui.Bar, day/time.Hour)
	for i := range bars {
		bars[i].From = since.Add(time.Duration(i) * time.Hour)
		bars[i].Href = "/changes?" + url.Values{"window": {"1h"}, "as_of": {bars[i].From.Add(time.Hour).UTC().Format(time.RFC3339)}}.Encode()
	}
	var hour, n int
	_, err = pgx.ForEachRow(rows, []any{&hour, &n}, func() error {
		bars[min(hour, len(bars)-1)].Count += n // what took effect while this page was made, too
		return nil
	})
	return bars, err
}
