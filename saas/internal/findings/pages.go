package findings

import (
	"net/http"
	"net/url"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const perPage = 200

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /findings", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		f := Filter{web.Text(q.Get("host")), q.Get("all") == "true", q.Get("cursor"), perPage}
		items, cursor, err := s.List(r.Context(), a, f)
		if err != nil {
			return err
		}
		next := ""
		if cursor != "" {
			next = "/findings?" + url.Values{"host": {f.Host}, "all": {chosen(f.All)}, "cursor": {cursor}}.Encode()
		}
		return web.Render(w, r, 0, "Findings", "/findings", findingsPage(items, f, next))
	})
}
