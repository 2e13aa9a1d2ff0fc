package audit

import (
	"net/http"
	"net/url"
	"time"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const perPage = 200

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /audit", tenancy.ReadAudit, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		v := pageView{Actor: web.Text(q.Get("actor")), Action: web.Text(q.Get("action")), Object: web.Text(q.Get("object")), Window: q.Get("window")}
		f := Filter{Actor: v.Actor, Action: v.Action, Object: v.Object, Limit: perPage}
		if life, ok := windows[v.Window]; ok {
			f.Since = time.Now().Add(-life)
		}
		var err error
		if f.Before, err = parseCursor(q.Get("cursor")); err != nil {
			return err
		}
		var next string
		if v.rows, next, err = s.List(r.Context(), a.Tenant, f); err != nil {
			return err
		}
		given := url.Values{"actor": {v.Actor}, "action": {v.Action}, "object": {v.Object}}
		v.csv, v.json = "/audit/export?format=csv&"+given.Encode(), "/audit/export?format=json&"+given.Encode()
		if next != "" {
			given.Set("window", v.Window)
			given.Set("cursor", next)
			v.next = "/audit?" + given.Encode()
		}
		return web.Render(rw, r, 0, "Audit log", "/members", auditPage(v))
	})
	w.Page("GET /audit/export", tenancy.ReadAudit, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		format := "csv"
		if q.Get("format") == "json" {
			format = "json"
		}
		s.export(rw, r, a, Filter{Actor: q.Get("actor"), Action: q.Get("action"), Object: q.Get("object"), Limit: maxExport}, format)
		return nil
	})
}

var windows = map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}

// pageView is what the page shows, and what was asked for.
type pageView struct {
	Actor, Action, Object, Window string
	rows                          []Row
	next, csv, json               string
}
