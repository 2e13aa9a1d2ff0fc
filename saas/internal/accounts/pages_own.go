package accounts

import (
	"net/http"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/secondfactor"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// ownPages are about the person who is signed in.
func (s *Service) ownPages(w *web.Web) {
	w.Page("GET /prove", tenancy.Identify, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.showProve(rw, r, a, entryForm{Next: web.LocalPath(r.URL.Query().Get("next"))}, 0)
	})
	w.Page("POST /prove", tenancy.Identify, s.postProve)
	w.Page("POST /account/tenant", tenancy.Own, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		if !seesAll(a) {
			return errNeedSSO
		}
		cookie, err := s.switchTo(r.Context(), clientOf(r), a, r.PostForm.Get("tenant"))
		if err != nil {
			return err
		}
		http.SetCookie(rw, w.SessionCookie(cookie, SessionSeconds))
		http.Redirect(rw, r, "/", http.StatusSeeOther)
		return nil
	})
	w.Page("POST /account/tenants", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		id, err := s.addTenant(r.Context(), clientOf(r), a, r.PostForm.Get("name"))
		if err != nil {
			return err
		}
		cookie, err := s.switchTo(r.Context(), clientOf(r), a, id.String())
		if err != nil {
			return err
		}
		http.SetCookie(rw, w.SessionCookie(cookie, SessionSeconds))
		http.Redirect(rw, r, "/", http.StatusSeeOther)
		return nil
	})
	s.passwordPages(w)
	s.secondPages(w)
}

func (s *Service) showProve(w http.ResponseWriter, r *http.Request, a web.Actor, f entryForm, status int) error {
	var u user
	err := s.DB.Global(r.Context(), func(tx pgx.Tx) (err error) {
		u, err = findUserByID(r.Context(), tx, a.User, "")
		return err
	})
	if err != nil {
		return err
	}
	return web.Render(w, r, status, "Is it you?", "/account", provePage(f, u.hasTOTP(), a.SSO))
}

func (s *Service) postProve(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	f := entryForm{Next: web.LocalPath(r.PostForm.Get("next"))}
	if !seesAll(a) {
		return errNeedSSO
	}
	err := s.prove(r.Context(), clientOf(r), a, r.PostForm.Get("secret"))
	if status, text, ok := shown(err); ok {
		f.Wrong = text
		return s.showProve(w, r, a, f, status)
	}
	if err != nil {
		return err
	}
	if f.Next == "" {
		f.Next = "/account"
	}
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
	return nil
}

func (s *Service) passwordPages(w *web.Web) {
	form := func(path, title string, page func(entryForm) templ.Component, do func(r *http.Request, a web.Actor, f *entryForm) (done string, err error)) {
		w.Page("GET "+path, tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, _ web.Actor) error {
			return web.Render(rw, r, 0, title, "/account", page(entryForm{}))
		})
		w.Page("POST "+path, tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
			if err := r.ParseForm(); err != nil {
				return badForm(err)
			}
			var f entryForm
			done, err := do(r, a, &f)
			if err != nil {
				return again(rw, r, err, title, f, page)
			}
			http.Redirect(rw, r, "/account?done="+done, http.StatusSeeOther)
			return nil
		})
	}
	form("/account/password", "Password", passwordPage, func(r *http.Request, a web.Actor, _ *entryForm) (string, error) {
		return "password", s.setPassword(r.Context(), clientOf(r), a, r.PostForm.Get("old"), r.PostForm.Get("password"))
	})
	form("/account/address", "E-mail address", addressPage, func(r *http.Request, a web.Actor, f *entryForm) (string, error) {
		f.Email = r.PostForm.Get("email")
		done := "address"
		if s.Post.Reaches() {
			done = "letter"
		}
		return done, s.askAddress(r.Context(), clientOf(r), a, f.Email)
	})
}

func (s *Service) secondPages(w *web.Web) {
	w.Page("GET /account/second-factor", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.showSecond(rw, r, a, secondView{}, 0)
	})
	w.Page("POST /account/second-factor/begin", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.showOffer(rw, r, a, "", 0)
	})
	w.Page("POST /account/second-factor", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		codes, err := s.enrol(r.Context(), clientOf(r), a, r.PostForm.Get("code"))
		if status, text, ok := shown(err); ok && status != http.StatusConflict {
			return s.showOffer(rw, r, a, text, status)
		}
		if err != nil {
			return err
		}
		a.Owes = false
		return s.showSecond(rw, r, a, secondView{codes: codes}, 0)
	})
	w.Page("POST /account/second-factor/codes", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		codes, err := s.renewRecoveryCodes(r.Context(), clientOf(r), a)
		if err != nil {
			return err
		}
		return s.showSecond(rw, r, a, secondView{codes: codes}, 0)
	})
	w.Page("POST /account/second-factor/remove", tenancy.OwnSecrets, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.dropSecondFactor(r.Context(), clientOf(r), a); err != nil {
			return err
		}
		http.Redirect(rw, r, "/account/second-factor", http.StatusSeeOther)
		return nil
	})
}

func (s *Service) showSecond(w http.ResponseWriter, r *http.Request, a web.Actor, v secondView, status int) error {
	err := s.DB.Global(r.Context(), func(tx pgx.Tx) error {
		u, err := findUserByID(r.Context(), tx, a.User, "")
		v.on = u.hasTOTP()
		return err
	})
	if err != nil {
		return err
	}
	v.owed = a.Owes
	return web.Render(w, r, status, "Second factor", "/account", secondPage(v))
}

// showOffer shows the secret that waits for its first code.
func (s *Service) showOffer(w http.ResponseWriter, r *http.Request, a web.Actor, wrong string, status int) error {
	secret, err := s.offerSecret(r.Context(), a.User)
	if err != nil {
		return err
	}
	v := secondView{text: secondfactor.Text(secret), wrong: wrong}
	if v.picture, v.side, err = secondfactor.Picture(secondfactor.URI(secret, a.Email)); err != nil {
		return err
	}
	return s.showSecond(w, r, a, v, status)
}
