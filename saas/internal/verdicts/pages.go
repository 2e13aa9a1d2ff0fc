package verdicts

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
	"assimilation/uplink"
)

const (
	section = "/verdicts" // of the navigation
	perPage = 100
	// openShown is how many open verdicts another page shows.
	openShown = 50
)

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /verdicts", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		f := Filter{Host: web.Text(q.Get("host")), Site: web.Text(q.Get("site")), Kind: web.Text(q.Get("kind")), Open: q.Get("open") == "true",
			Cursor: q.Get("cursor"), Limit: perPage}
		if web.WantsCSV(r) {
			f.Limit = web.MaxCSV
		}
		items, cursor, err := s.List(r.Context(), a, f)
		if err != nil {
			return err
		}
		if web.WantsCSV(r) {
			web.SendCSV(w, "verdicts", []string{"id", "kind", "title", "site", "since", "at", "over_at", "ending", "confidence", "hosts"}, csvOf(items))
			return nil
		}
		next := ""
		if cursor != "" {
			next = "/verdicts?" + url.Values{"host": {f.Host}, "site": {f.Site}, "kind": {f.Kind}, "open": {strconv.FormatBool(f.Open)}, "cursor": {cursor}}.Encode()
		}
		return web.Render(w, r, 0, "Verdicts", section, listPage(items, f, next, web.CSVOf(r)))
	})
	w.Page("GET /verdicts/{verdict}", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		v, err := s.Get(r.Context(), a, r.PathValue("verdict"))
		if err != nil {
			return err
		}
		return web.Render(w, r, 0, v.Title, section, verdictPage(v, drawingOf(v)))
	})
}

func csvOf(items []Verdict) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, v := range items {
			over := ""
			if v.OverAt != nil {
				over = v.OverAt.UTC().Format(time.RFC3339)
			}
			if !yield([]string{v.ID.String(), v.Kind, v.Title, v.Site, v.Since.UTC().Format(time.RFC3339), v.At.UTC().Format(time.RFC3339), over, v.Ending,
				strconv.Itoa(v.Confidence), strconv.FormatInt(v.Count, 10)}) {
				return
			}
		}
	}
}

// Open shows what is wrong now, root causes first.
func (s *Service) Open(ctx context.Context, tx pgx.Tx) (templ.Component, error) {
	items, next, err := list(ctx, tx, Filter{Open: true, Limit: openShown})
	return openPanel(trees(items), next != "", "/verdicts?open=true"), err
}

// OpenAt shows what is wrong at a site now.
func (s *Service) OpenAt(ctx context.Context, tx pgx.Tx, site tenancy.SiteID) (templ.Component, error) {
	items, next, err := list(ctx, tx, Filter{Site: site.String(), Open: true, Limit: openShown})
	return openPanel(trees(items), next != "", "/verdicts?open=true&site="+site.String()), err
}

func pathOf(id tenancy.VerdictID) templ.SafeURL { return templ.SafeURL("/verdicts/" + id.String()) }

func toneOf(v Verdict) ui.Tone {
	switch v.Kind {
	case string(uplink.HostShutDown):
		return ui.Idle
	case string(uplink.ProbeUnresponsive), string(uplink.ClockStepped), string(uplink.LinkDown), relayStopped:
		return ui.Warn
	}
	return ui.Bad
}

func kindOptions() []ui.Option {
	options := []ui.Option{{Value: "", Text: "all"}}
	for _, k := range kinds {
		options = append(options, ui.Option{Value: k, Text: k})
	}
	return options
}

// after says how long after the last sign of life something was.
func after(ms int64) string {
	if ms < 0 {
		return "−" + short(-ms)
	}
	return "+" + short(ms)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }
