package views

import (
	"context"
	"net/http"
	"net/url"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// barView is the views of a page, beside its filter.
type barView struct {
	page, query string // where the person is, with the choices made
	views       []Named
	mayKeep     bool
	mayShare    bool
}

// Bar shows the views of the page at an address, and keeps its choices.
func (s *Service) Bar(ctx context.Context, tx pgx.Tx, a web.Actor, at *url.URL) (templ.Component, error) {
	v := barView{page: at.Path, query: choices(at.Query()), mayKeep: a.May(tenancy.Read), mayShare: a.May(tenancy.ShareView)}
	var err error
	v.views, err = list(ctx, tx, a.User, at.Path)
	return bar(v), err
}

func (v Named) href() string {
	if v.Query == "" {
		return v.Page
	}
	return v.Page + "?" + v.Query
}

// Pages adds what the forms send.
func (s *Service) Pages(w *web.Web) {
	for _, of := range []struct {
		path   string
		action tenancy.Action
		shared bool
	}{{"/views", tenancy.Read, false}, {"/shared-views", tenancy.ShareView, true}} {
		w.Page("POST "+of.path, of.action, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
			if err := r.ParseForm(); err != nil {
				return huma.Error400BadRequest("the form could not be read")
			}
			view, err := s.create(r.Context(), a, Wish{web.Text(r.PostForm.Get("page")), r.PostForm.Get("query"), web.Text(r.PostForm.Get("name"))}, of.shared)
			if err != nil {
				return err
			}
			http.Redirect(w, r, view.href(), http.StatusSeeOther)
			return nil
		})
		w.Page("POST "+of.path+"/{view}/remove", of.action, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
			page, err := s.remove(r.Context(), a, r.PathValue("view"), of.shared)
			if err != nil {
				return err
			}
			http.Redirect(w, r, page, http.StatusSeeOther)
			return nil
		})
	}
}
