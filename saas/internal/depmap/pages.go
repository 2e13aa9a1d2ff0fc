package depmap

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// maxSites bounds the choices of the form.
const maxSites = 200

type mapView struct {
	scope Scope
	sites []ui.Option
	drawn Map
}

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /map", tenancy.Viewer, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		v := mapView{scope: Scope{Host: web.Text(q.Get("host")), Site: web.Text(q.Get("site"))}}
		if v.scope.Host != "" {
			v.scope.Site = "" // the form sends both
		}
		var err error
		if v.drawn, err = s.Draw(r.Context(), a.Tenant, v.scope); err != nil {
			return err
		}
		if v.sites, err = s.sites(r.Context(), a.Tenant); err != nil {
			return err
		}
		return web.Render(w, r, 0, "Map", "/map", mapPage(v))
	})
}

func (s *Service) sites(ctx context.Context, tenant tenancy.TenantID) ([]ui.Option, error) {
	options := []ui.Option{{Value: "", Text: "all sites"}}
	err := s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT name FROM assim.sites ORDER BY lower(name), name LIMIT $1`, maxSites)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, n := range names {
			options = append(options, ui.Option{Value: n, Text: n})
		}
		return err
	})
	return options, err
}

func (v mapView) data(path string) string {
	q := url.Values{}
	if v.scope.Host != "" {
		q.Set("host", v.scope.Host)
	}
	if v.scope.Site != "" {
		q.Set("site", v.scope.Site)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (v mapView) line() string {
	if v.scope.Host != "" {
		return "Who uses the services of " + v.drawn.Title + ", and whose it uses."
	}
	return "Who depends on whom, as the hosts see it. Clients stand left of what they use."
}

// drawing is the plain picture, for whom there is no script.
func drawing(m Map) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error { return m.WriteSVG(w) })
}
