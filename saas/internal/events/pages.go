package events

import (
	"net/http"
	"net/url"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const perPage = 200

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /events", tenancy.Viewer, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		f := Filter{web.Text(q.Get("host")), web.Text(q.Get("type")), q.Get("cursor"), perPage}
		items, cursor, err := s.List(r.Context(), a, f)
		if err != nil {
			return err
		}
		next := ""
		if cursor != "" {
			next = "/events?" + url.Values{"host": {f.Host}, "type": {f.Type}, "cursor": {cursor}}.Encode()
		}
		return web.Render(w, r, 0, "Events", "/events", eventsPage(items, f, next))
	})
}
