package members

import (
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const (
	section = "/members"
	perPage = 200
)

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /members", tenancy.ReadMembers, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.show(rw, r, a, "")
	})
	back := func(do func(r *http.Request, a web.Actor) error) func(http.ResponseWriter, *http.Request, web.Actor) error {
		return func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
			if err := r.ParseForm(); err != nil {
				return huma.Error400BadRequest("the form could not be read")
			}
			if err := do(r, a); err != nil {
				return err
			}
			http.Redirect(rw, r, section, http.StatusSeeOther)
			return nil
		}
	}
	w.Page("POST /members/{id}/role", tenancy.ManageMembers, back(func(r *http.Request, a web.Actor) error {
		return s.setRole(r.Context(), a, r.PathValue("id"), r.PostForm.Get("role"))
	}))
	w.Page("POST /members/{id}/site", tenancy.ManageMembers, back(func(r *http.Request, a web.Actor) error {
		return s.setSiteRole(r.Context(), a, r.PathValue("id"), r.PostForm.Get("site_id"), none(r.PostForm.Get("role")))
	}))
	w.Page("POST /members/{id}/remove", tenancy.ManageMembers, back(func(r *http.Request, a web.Actor) error {
		return s.remove(r.Context(), a, r.PathValue("id"))
	}))
	w.Page("POST /invitations/{id}/revoke", tenancy.ManageMembers, back(func(r *http.Request, a web.Actor) error {
		return s.revoke(r.Context(), a, r.PathValue("id"))
	}))
	w.Page("POST /members/name", tenancy.SetTenant, back(func(r *http.Request, a web.Actor) error {
		return s.rename(r.Context(), a, r.PostForm.Get("name"))
	}))
	w.Page("POST /invitations", tenancy.ManageMembers, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return huma.Error400BadRequest("the form could not be read")
		}
		_, link, err := s.invite(r.Context(), a, r.PostForm.Get("email"), r.PostForm.Get("role"))
		if err != nil {
			return err
		}
		return s.show(rw, r, a, link)
	})
	w.Page("GET /invitations", tenancy.ReadMembers, func(rw http.ResponseWriter, r *http.Request, _ web.Actor) error {
		http.Redirect(rw, r, section, http.StatusSeeOther) // someone reloaded the page that showed a link
		return nil
	})
	s.joiningPages(w)
}

// joiningPages are where the link of an invitation leads.
func (s *Service) joiningPages(w *web.Web) {
	errGone := huma.Error404NotFound("this invitation was taken, or revoked, or is too old; ask for a new one")
	w.PublicPage("GET /invitation", func(rw http.ResponseWriter, r *http.Request) error {
		secret := r.URL.Query().Get("token")
		i, ok, err := s.Invited(r.Context(), secret)
		switch {
		case err != nil:
			return err
		case !ok:
			return errGone
		}
		return web.Render(rw, r, 0, "Invitation", "", invitationPage(i, secret))
	})
	w.Page("GET /invitation/accept", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		secret := r.URL.Query().Get("token")
		i, ok, err := s.Invited(r.Context(), secret)
		switch {
		case err != nil:
			return err
		case !ok:
			return errGone
		}
		return web.Render(rw, r, 0, "Invitation", section, acceptPage(i, secret, a.Email))
	})
	w.Page("POST /invitation/accept", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return huma.Error400BadRequest("the form could not be read")
		}
		if _, err := s.accept(r.Context(), a, r.PostForm.Get("token")); err != nil {
			return err
		}
		http.Redirect(rw, r, "/account#tenants", http.StatusSeeOther)
		return nil
	})
}

func (s *Service) show(w http.ResponseWriter, r *http.Request, a web.Actor, link string) error {
	v := pageView{tenant: a.TenantName, me: a.User, may: a.May(tenancy.ManageMembers), mayRename: a.May(tenancy.SetTenant), mayAudit: a.May(tenancy.ReadAudit), mayEntry: a.May(tenancy.SetEntry), mayExport: a.May(tenancy.SetExport), role: a.Role, link: link}
	var err error
	if v.members, v.next, err = s.members(r.Context(), a, web.Text(r.URL.Query().Get("cursor")), perPage); err != nil {
		return err
	}
	if v.may {
		if v.invitations, err = s.invitations(r.Context(), a); err != nil {
			return err
		}
	}
	err = s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(r.Context(), `SELECT id, name FROM assim.sites ORDER BY lower(name) LIMIT 500`)
		if err == nil {
			v.sites, err = pgx.CollectRows(rows, pgx.RowToStructByPos[site])
		}
		return err
	})
	if err != nil {
		return err
	}
	if web.WantsCSV(r) {
		web.SendCSV(w, "members", []string{"email", "role", "at_sites", "last_seen"}, v.rows())
		return nil
	}
	v.csv = web.CSVOf(r)
	return web.Render(w, r, 0, "Members", section, membersPage(v))
}

// site is one that a role can be given at.
type site struct {
	ID   tenancy.SiteID
	Name string
}

// pageView is what the page shows, and what its reader may do.
type pageView struct {
	tenant              string
	me                  tenancy.UserID
	may                 bool
	mayRename           bool
	mayAudit            bool
	mayEntry, mayExport bool
	role                tenancy.Role
	link                string
	members             []memberView
	next                string
	invitations         []invitationView
	sites               []site
	csv                 string // address of the list as a file
}

func (v pageView) rows() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, m := range v.members {
			seen := ""
			if m.SeenAt != nil {
				seen = m.SeenAt.UTC().Format(time.RFC3339)
			}
			if !yield([]string{m.Email, string(m.Role), v.siteWords(m), seen}) {
				return
			}
		}
	}
}

// roles lists the roles that the reader may give, highest first.
func (v pageView) roles() (all []tenancy.Role) {
	for _, r := range []tenancy.Role{tenancy.Owner, tenancy.Admin, tenancy.Operator, tenancy.Viewer} {
		if v.role.Allows(r) {
			all = append(all, r)
		}
	}
	return all
}

// siteWords says which roles a member has at which sites.
func (v pageView) siteWords(m memberView) string {
	var words []string
	for _, s := range v.sites {
		if role, ok := m.Sites[s.ID]; ok {
			words = append(words, string(role)+" of "+s.Name)
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
