package events

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

const perPage = 200

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /events", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		f := Filter{Host: web.Text(q.Get("host")), Site: web.Text(q.Get("site")), Type: web.Text(q.Get("type")), After: newestFirst,
			Cursor: q.Get("cursor"), Limit: perPage}
		if web.WantsCSV(r) {
			f.Limit = web.MaxCSV
		}
		page, err := s.List(r.Context(), a, f)
		if err != nil {
			return err
		}
		if web.WantsCSV(r) {
			web.SendCSV(w, "events", []string{"seen_at", "type", "host", "relay", "site", "summary"}, csvOf(page.Items))
			return nil
		}
		next := ""
		if page.NextCursor != "" {
			next = "/events?" + url.Values{"host": {f.Host}, "site": {f.Site}, "type": {f.Type}, "cursor": {page.NextCursor}}.Encode()
		}
		return web.Render(w, r, 0, "Events", "/events", eventsPage(page.Items, f, next, web.CSVOf(r)))
	})
}

func csvOf(items []Event) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, e := range items {
			if !yield([]string{e.SeenAt.Format(time.RFC3339), e.Type, e.Host, e.Relay, e.Site, e.Summary}) {
				return
			}
		}
	}
}

// How many events a site's page shows, and the overview.
const (
	ofSite = 40
	recent = 8
)

// OfHost is what happened to a host before a time, verdicts about it among it,
// newest first.
func (s *Service) OfHost(ctx context.Context, tx pgx.Tx, host tenancy.HostID, before time.Time, limit int) ([]ui.Moment, error) {
	page, err := list(ctx, tx, Filter{Host: host.String(), After: newestFirst, Before: before, Limit: limit})
	moments := make([]ui.Moment, len(page.Items))
	for i, e := range page.Items {
		moments[i] = ui.Moment{At: e.SeenAt, Row: row(e)}
	}
	return moments, err
}

// OfSite shows what happened at a site.
func (s *Service) OfSite(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) (templ.Component, error) {
	page, err := list(ctx, tx, Filter{Site: site.String(), After: newestFirst, Limit: ofSite})
	return timeline(page.Items, "/events?site="+site.String()), err
}

// Recent shows the newest of all.
func (s *Service) Recent(ctx context.Context, tx pgx.Tx) (templ.Component, error) {
	page, err := list(ctx, tx, Filter{After: newestFirst, Limit: recent})
	return timeline(page.Items, "/events"), err
}
