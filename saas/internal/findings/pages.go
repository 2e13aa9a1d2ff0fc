package findings

import (
	"iter"
	"net/http"
	"net/url"
	"time"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const perPage = 200

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /findings", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		f := Filter{web.Text(q.Get("host")), q.Get("all") == "true", q.Get("cursor"), perPage}
		if web.WantsCSV(r) {
			f.Limit = web.MaxCSV
		}
		items, cursor, err := s.List(r.Context(), a, f)
		if err != nil {
			return err
		}
		if web.WantsCSV(r) {
			web.SendCSV(w, "findings", []string{"host", "host_id", "rule", "subject", "detail", "opened_at", "closed_at"}, csvOf(items))
			return nil
		}
		next := ""
		if cursor != "" {
			next = "/findings?" + url.Values{"host": {f.Host}, "all": {chosen(f.All)}, "cursor": {cursor}}.Encode()
		}
		return web.Render(w, r, 0, "Findings", "/findings", findingsPage(items, f, next, web.CSVOf(r)))
	})
}

func csvOf(items []Finding) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, f := range items {
			closed := ""
			if f.ClosedAt != nil {
				closed = f.ClosedAt.Format(time.RFC3339)
			}
			if !yield([]string{f.Host, f.HostID.String(), f.Rule, f.Subject, f.Detail, f.OpenedAt.Format(time.RFC3339), closed}) {
				return
			}
		}
	}
}
