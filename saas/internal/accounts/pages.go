package accounts

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.PublicPage("GET /signup", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 0, "Sign up", "", signupPage(entryForm{}))
	})
	w.PublicPage("GET /signin", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 0, "Sign in", "", signinPage(entryForm{Next: localPath(r.URL.Query().Get("next"))}))
	})
	w.PublicPage("POST /signup", func(rw http.ResponseWriter, r *http.Request) error { return s.postSignup(w, rw, r) })
	w.PublicPage("POST /signin", func(rw http.ResponseWriter, r *http.Request) error { return s.postSignin(w, rw, r) })
	w.Page("POST /signout", tenancy.Viewer, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.leave(r.Context(), a); err != nil {
			return err
		}
		http.SetCookie(rw, w.SessionCookie("", -1))
		http.Redirect(rw, r, "/signin", http.StatusSeeOther)
		return nil
	})
	w.Page("GET /account", tenancy.Viewer, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.showAccount(rw, r, a, "")
	})
	w.Page("POST /account/tokens", tenancy.Viewer, s.postToken)
	w.Page("GET /account/tokens", tenancy.Viewer, func(rw http.ResponseWriter, r *http.Request, _ web.Actor) error {
		http.Redirect(rw, r, "/account", http.StatusSeeOther) // someone reloaded the page that showed a token
		return nil
	})
	w.Page("POST /account/tokens/{id}/revoke", tenancy.Viewer, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.revoke(r.Context(), a, web.Text(r.PathValue("id"))); err != nil {
			return err
		}
		http.Redirect(rw, r, "/account", http.StatusSeeOther)
		return nil
	})
	w.Page("POST /account/sessions/{id}/end", tenancy.Viewer, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.endSessionByID(r.Context(), a, r.PathValue("id")); err != nil {
			return err
		}
		http.Redirect(rw, r, "/account", http.StatusSeeOther)
		return nil
	})
}

func (s *Service) postSignup(front *web.Web, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	f := entryForm{Email: r.PostForm.Get("email"), Tenant: r.PostForm.Get("tenant")}
	a, err := s.signUp(r.Context(), clientOf(r), f.Email, r.PostForm.Get("password"), f.Tenant)
	if status, text, ok := shown(err); ok {
		f.Wrong = text
		return web.Render(w, r, status, "Sign up", "", signupPage(f))
	}
	if err != nil {
		return err
	}
	return s.begin(front, w, r, a, "/")
}

func (s *Service) postSignin(front *web.Web, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	f := entryForm{Email: r.PostForm.Get("email"), Next: localPath(r.PostForm.Get("next"))}
	a, err := s.logIn(r.Context(), clientOf(r), f.Email, r.PostForm.Get("password"), "")
	if status, text, ok := shown(err); ok {
		f.Wrong = text
		return web.Render(w, r, status, "Sign in", "", signinPage(f))
	}
	if err != nil {
		return err
	}
	return s.begin(front, w, r, a, f.Next)
}

// begin starts the browser's session and leads to a page.
func (s *Service) begin(front *web.Web, w http.ResponseWriter, r *http.Request, a account, next string) error {
	cookie, err := s.startSession(r.Context(), a, clientOf(r))
	if err != nil {
		return err
	}
	http.SetCookie(w, front.SessionCookie(cookie, int(sessionLife.Seconds())))
	if next == "" {
		next = "/"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// shown takes apart an error that the person can do something about.
func shown(err error) (status int, text string, ok bool) {
	var known huma.StatusError
	if !errors.As(err, &known) || known.GetStatus() >= http.StatusInternalServerError {
		return 0, "", false
	}
	text = known.Error()
	return known.GetStatus(), strings.ToUpper(text[:1]) + text[1:] + ".", true
}

func badForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return huma.Error400BadRequest("the form could not be read")
}

// localPath lets a redirect lead only to a page of this service.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	return next
}

func (s *Service) postToken(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	seconds, err := strconv.ParseInt(r.PostForm.Get("expires_in"), 10, 64)
	if err != nil || seconds < 0 || seconds > maxTokenLife {
		return invalid("expires_in", "is not a number of seconds up to ten years")
	}
	_, text, err := s.createToken(r.Context(), a, r.PostForm.Get("name"), r.PostForm.Get("role"), time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	return s.showAccount(w, r, a, text)
}

func (s *Service) showAccount(w http.ResponseWriter, r *http.Request, a web.Actor, minted string) error {
	v, err := s.accountView(r.Context(), a)
	if err != nil {
		return err
	}
	v.minted = minted
	return web.Render(w, r, 0, "Account", "/account", accountPage(v))
}

func (s *Service) accountView(ctx context.Context, a web.Actor) (accountView, error) {
	v := accountView{whoami: whoamiOf(a), roles: rolesUpTo(a.Role)}
	var err error
	if v.tokens, err = s.tokenViews(ctx, a); err != nil {
		return v, err
	}
	if v.sessions, err = s.sessionViews(ctx, a); err != nil {
		return v, err
	}
	v.members, err = s.memberViews(ctx, a)
	return v, err
}
