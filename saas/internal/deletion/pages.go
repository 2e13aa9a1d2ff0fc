package deletion

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const section = "/tenant"

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /tenant", tenancy.ReadMembers, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		p, err := s.find(r.Context(), a.Tenant)
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		v := s.viewOf(p)
		return web.Render(rw, r, 0, "Export and deletion", section, tenantPage(v, a.TenantName, a.May(tenancy.ExportTenant), a.May(tenancy.DeleteTenant)))
	})
	w.Page("POST /tenant/delete", tenancy.DeleteTenant, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return huma.Error400BadRequest("the form could not be read")
		}
		asked := request{name: r.PostForm.Get("name"), confirm: r.PostForm.Get("confirm") == "yes", now: r.PostForm.Get("when") == "now"}
		if asked.name == a.TenantName && !asked.confirm {
			return web.Render(rw, r, 0, "Delete the tenant?", section, confirmPage(a.TenantName, asked.now, s.Grace))
		}
		if _, err := s.ask(r.Context(), a, asked); err != nil {
			return err
		}
		if asked.now {
			return web.Render(rw, r, http.StatusAccepted, "Deleting", section, goingPage(a.TenantName))
		}
		http.Redirect(rw, r, section, http.StatusSeeOther)
		return nil
	})
	w.Page("POST /tenant/keep", tenancy.DeleteTenant, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.keep(r.Context(), a); err != nil {
			return err
		}
		http.Redirect(rw, r, section, http.StatusSeeOther)
		return nil
	})
}
