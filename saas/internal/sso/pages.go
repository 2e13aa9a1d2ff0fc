package sso

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.PublicPage("GET /sso", func(rw http.ResponseWriter, r *http.Request) error {
		return web.Render(rw, r, 0, "Single sign-on", "", whichPage("", "", ""))
	})
	w.PublicPage("POST /sso", s.postWhich)
	w.PublicPage("GET /sso/{tenant}", func(rw http.ResponseWriter, r *http.Request) error {
		tenant, err := tenancy.ParseID[tenancy.TenantID](r.PathValue("tenant"))
		if err != nil {
			return errNoProvider
		}
		return s.leave(w, rw, r, tenant, web.LocalPath(r.URL.Query().Get("next")), false)
	})
	w.PublicPage("GET /sso/{tenant}/callback", func(rw http.ResponseWriter, r *http.Request) error {
		tenant, err := tenancy.ParseID[tenancy.TenantID](r.PathValue("tenant"))
		if err != nil {
			return errNoProvider
		}
		session, next, err := s.finish(r.Context(), r, tenant, w.Step(r, step))
		http.SetCookie(rw, w.StepCookie(step, "", -1))
		if err != nil {
			return err
		}
		http.SetCookie(rw, w.SessionCookie(session, s.SessionSeconds))
		if next = web.LocalPath(next); next == "" {
			next = "/"
		}
		http.Redirect(rw, r, next, http.StatusSeeOther)
		return nil
	})
	// A form may lead to this service only, also by a redirect: the way to a provider
	// is a link.
	w.Page("POST /sso/prove", tenancy.Identify, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return huma.Error400BadRequest("the form could not be read")
		}
		return web.Render(rw, r, 0, "Single sign-on", "/account", goPage(a.Tenant.String(), a.TenantName, web.LocalPath(r.PostForm.Get("next"))))
	})
	w.Page("GET /sso/prove", tenancy.Identify, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.leave(w, rw, r, a.Tenant, web.LocalPath(r.URL.Query().Get("next")), true)
	})
	s.settingPages(w)
}

// leave sends a browser to the provider.
func (s *Service) leave(front *web.Web, w http.ResponseWriter, r *http.Request, tenant tenancy.TenantID, next string, fresh bool) error {
	cookie, there, err := s.begin(r.Context(), web.ClientKey(r), tenant, next, fresh)
	if err != nil {
		return err
	}
	http.SetCookie(w, front.StepCookie(step, cookie, int(attemptLife.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, there, http.StatusSeeOther)
	return nil
}

// postWhich finds the tenant of an address's domain.
func (s *Service) postWhich(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return huma.Error400BadRequest("the form could not be read")
	}
	if !s.attempts.Allow(web.ClientKey(r), time.Now()) {
		return errTooMany
	}
	email := strings.ToLower(strings.TrimSpace(r.PostForm.Get("email")))
	_, host, _ := strings.Cut(email, "@")
	var tenant tenancy.TenantID
	ok := false
	if len(host) <= 253 && domainName.MatchString(host) {
		err := s.DB.Global(r.Context(), func(tx pgx.Tx) (err error) {
			tenant, ok, err = tenantOf(r.Context(), tx, host)
			return err
		})
		if err != nil {
			return err
		}
	}
	if !ok {
		return web.Render(w, r, http.StatusNotFound, "Single sign-on", "", whichPage("", web.Text(email), "No organisation lets people of this domain in by single sign-on. If yours does, it has a link of its own for you."))
	}
	return web.Render(w, r, 0, "Single sign-on", "", whichPage(tenant.String(), web.Text(host), ""))
}

func (s *Service) settingPages(w *web.Web) {
	const path = "/entry"
	w.Page("GET "+path, tenancy.SetEntry, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		var v pageView
		var err error
		if v.rules, err = s.rules(r.Context(), a); err != nil {
			return err
		}
		if v.provider, v.has, err = s.view(r.Context(), a); err != nil {
			return err
		}
		if v.domains, err = s.domains(r.Context(), a); err != nil {
			return err
		}
		return web.Render(rw, r, 0, "How people come in", "/members", entryPage(v))
	})
	post := func(pattern string, do func(r *http.Request, a web.Actor) error) {
		w.Page("POST "+path+pattern, tenancy.SetEntry, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
			if err := r.ParseForm(); err != nil {
				return huma.Error400BadRequest("the form could not be read")
			}
			if err := do(r, a); err != nil {
				return err
			}
			http.Redirect(rw, r, path, http.StatusSeeOther)
			return nil
		})
	}
	post("/rules", func(r *http.Request, a web.Actor) error {
		return s.setRules(r.Context(), a, rules{r.PostForm.Get("totp") != "", r.PostForm.Get("sso") != ""})
	})
	post("/provider", func(r *http.Request, a web.Actor) error {
		f := r.PostForm
		mapped, err := parseMap(f.Get("role_map"))
		if err != nil {
			return err
		}
		return s.setProvider(r.Context(), a, providerChange{strings.TrimSpace(f.Get("issuer")), strings.TrimSpace(f.Get("client_id")), strings.TrimSpace(f.Get("client_secret")),
			strings.TrimSpace(f.Get("role_claim")), mapped, f.Get("default_role")})
	})
	post("/provider/remove", func(r *http.Request, a web.Actor) error { return s.dropProvider(r.Context(), a) })
	post("/domains", func(r *http.Request, a web.Actor) error {
		_, err := s.addDomain(r.Context(), a, r.PostForm.Get("domain"))
		return err
	})
	post("/domains/{domain}/prove", func(r *http.Request, a web.Actor) error {
		return s.proveDomain(r.Context(), a, web.Text(r.PathValue("domain")))
	})
	post("/domains/{domain}/remove", func(r *http.Request, a web.Actor) error {
		return s.dropDomain(r.Context(), a, web.Text(r.PathValue("domain")))
	})
}

// pageView is what the settings' page shows.
type pageView struct {
	rules    rules
	provider providerView
	has      bool
	domains  []domain
}

// mapText is the map of roles as a form holds it: one value=role in each line.
func (v pageView) mapText() (text string) {
	for _, value := range slices.Sorted(maps.Keys(v.provider.RoleMap)) {
		text += value + "=" + string(v.provider.RoleMap[value]) + "\n"
	}
	return text
}

func parseMap(text string) (map[string]string, error) {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		at := strings.LastIndex(line, "=")
		if at < 1 {
			return nil, huma.Error422UnprocessableEntity("role_map: a line is value=role")
		}
		all[strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
	}
	return all, nil
}
