package accounts

import (
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"assimilation/saas/internal/web"
)

// What cookies hold between two steps.
const (
	codeStep   = "code"   // of a log-in: between password and code
	signupStep = "signup" // of a sign-up: between form and letter
)

func (s *Service) entryPages(w *web.Web) {
	w.PublicPage("GET /signup", func(rw http.ResponseWriter, r *http.Request) error {
		f := entryForm{Invitation: r.URL.Query().Get("invitation")}
		if f.Invitation == "" {
			return web.Render(rw, r, 0, "Sign up", "", signupPage(f))
		}
		i, ok, err := s.Joining.Invited(r.Context(), f.Invitation)
		switch {
		case err != nil:
			return err
		case !ok:
			return errLink
		}
		f.Email, f.Tenant = i.Email, i.TenantName
		return web.Render(rw, r, 0, "Sign up", "", signupPage(f))
	})
	w.PublicPage("POST /signup", func(rw http.ResponseWriter, r *http.Request) error { return s.postSignup(w, rw, r) })
	w.PublicPage("GET /signin", func(rw http.ResponseWriter, r *http.Request) error {
		return web.Render(rw, r, 0, "Sign in", "", signinPage(entryForm{Next: web.LocalPath(r.URL.Query().Get("next"))}))
	})
	w.PublicPage("POST /signin", func(rw http.ResponseWriter, r *http.Request) error { return s.postSignin(w, rw, r) })
	w.PublicPage("GET /signin/code", func(rw http.ResponseWriter, r *http.Request) error {
		return web.Render(rw, r, 0, "Second factor", "", codePage(entryForm{}))
	})
	w.PublicPage("POST /signin/code", func(rw http.ResponseWriter, r *http.Request) error { return s.postCode(w, rw, r) })
}

// again shows a form once more, with what was wrong; any other error goes on.
func again(w http.ResponseWriter, r *http.Request, err error, title string, f entryForm, page func(entryForm) templ.Component) error {
	status, text, ok := shown(err)
	if !ok {
		return err
	}
	f.Wrong = text
	return web.Render(w, r, status, title, "", page(f))
}

func (s *Service) postSignup(front *web.Web, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	f := entryForm{Email: r.PostForm.Get("email"), Tenant: r.PostForm.Get("tenant"), Invitation: r.PostForm.Get("invitation")}
	if f.Invitation != "" {
		a, err := s.signUpInvited(r.Context(), clientOf(r), f.Invitation, r.PostForm.Get("password"))
		if err != nil {
			return again(w, r, err, "Sign up", f, signupPage)
		}
		return s.begin(front, w, r, a, "/")
	}
	tenant := f.Tenant
	if strings.TrimSpace(tenant) == "" {
		_, tenant, _ = strings.Cut(f.Email, "@") // an address without one is refused by itself
	}
	a, mark, err := s.signUp(r.Context(), clientOf(r), f.Email, r.PostForm.Get("password"), tenant)
	switch {
	case err != nil:
		return again(w, r, err, "Sign up", f, signupPage)
	case mark != "":
		http.SetCookie(w, front.StepCookie(signupStep, mark, int(signupLife.Seconds())))
		return web.Render(w, r, http.StatusAccepted, "Look into your mail", "", letterSentPage(f))
	}
	return s.begin(front, w, r, a, "/")
}

func (s *Service) postSignin(front *web.Web, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	f := entryForm{Email: r.PostForm.Get("email"), Next: web.LocalPath(r.PostForm.Get("next"))}
	from := clientOf(r)
	u, err := s.checkPassword(r.Context(), from, f.Email, r.PostForm.Get("password"))
	if err != nil {
		return again(w, r, err, "Sign in", f, signinPage)
	}
	if u.hasTOTP() {
		secret, err := s.begun(r.Context(), u, half{f.Next})
		if err != nil {
			return err
		}
		http.SetCookie(w, front.StepCookie(codeStep, secret, int(codeLife.Seconds())))
		http.Redirect(w, r, "/signin/code", http.StatusSeeOther)
		return nil
	}
	a, err := s.choose(r.Context(), u, "")
	if err != nil {
		return again(w, r, err, "Sign in", f, signinPage)
	}
	if err := s.remember(r.Context(), u, from); err != nil {
		return err
	}
	return s.begin(front, w, r, a, f.Next)
}

func (s *Service) postCode(front *web.Web, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	a, h, err := s.finish(r.Context(), clientOf(r), front.Step(r, codeStep), r.PostForm.Get("code"))
	if err != nil {
		return again(w, r, err, "Second factor", entryForm{}, codePage)
	}
	http.SetCookie(w, front.StepCookie(codeStep, "", -1))
	return s.begin(front, w, r, a, h.Next)
}

func (s *Service) letterPages(w *web.Web) {
	w.PublicPage("POST /signup/resend", func(rw http.ResponseWriter, r *http.Request) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		f := entryForm{Email: r.PostForm.Get("email")}
		if err := s.resend(clientOf(r), f.Email); err != nil {
			return again(rw, r, err, "Look into your mail", f, letterSentPage)
		}
		f.Done = "It was sent again."
		return web.Render(rw, r, 0, "Look into your mail", "", letterSentPage(f))
	})
	// What is in a letter only shows a form, but to the browser that signed up:
	// programs that look at mail follow links.
	showForm := func(pattern, title string, page func(entryForm) templ.Component) {
		w.PublicPage(pattern, func(rw http.ResponseWriter, r *http.Request) error {
			return web.Render(rw, r, 0, title, "", page(entryForm{Token: r.URL.Query().Get("token")}))
		})
	}
	w.PublicPage("GET /signup/confirm", func(rw http.ResponseWriter, r *http.Request) error {
		f := entryForm{Token: r.URL.Query().Get("token")}
		a, here, err := s.confirmHere(r.Context(), clientOf(r), f.Token, w.Step(r, signupStep))
		switch {
		case err != nil:
			return err
		case here:
			http.SetCookie(rw, w.StepCookie(signupStep, "", -1))
			return s.begin(w, rw, r, a, "/")
		}
		return web.Render(rw, r, 0, "Confirm your address", "", confirmPage(f))
	})
	showForm("GET /reset/new", "Set a new password", newPasswordPage)
	showForm("GET /account/address/confirm", "Your new address", confirmAddressPage)
	w.PublicPage("POST /signup/confirm", func(rw http.ResponseWriter, r *http.Request) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		f := entryForm{Token: r.PostForm.Get("token")}
		a, err := s.confirm(r.Context(), clientOf(r), f.Token, r.PostForm.Get("password"))
		if err != nil {
			return again(rw, r, err, "Confirm your address", f, confirmPage)
		}
		return s.begin(w, rw, r, a, "/")
	})
	ask := func(f entryForm) templ.Component { return resetPage(f, s.Post.Reaches() || s.Post.Log()) }
	w.PublicPage("GET /reset", func(rw http.ResponseWriter, r *http.Request) error {
		return web.Render(rw, r, 0, "Set a new password", "", ask(entryForm{}))
	})
	w.PublicPage("POST /reset", func(rw http.ResponseWriter, r *http.Request) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		f := entryForm{Email: r.PostForm.Get("email")}
		if err := s.askReset(clientOf(r), f.Email); err != nil {
			return again(rw, r, err, "Set a new password", f, ask)
		}
		return web.Render(rw, r, 0, "Look into your mail", "", donePage("Look into your mail", "If this address has an account, a letter with a link is on its way to it.", "/signin", "Sign in"))
	})
	w.PublicPage("POST /reset/new", func(rw http.ResponseWriter, r *http.Request) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		f := entryForm{Token: r.PostForm.Get("token")}
		if err := s.reset(r.Context(), clientOf(r), f.Token, r.PostForm.Get("password")); err != nil {
			return again(rw, r, err, "Set a new password", f, newPasswordPage)
		}
		http.SetCookie(rw, w.SessionCookie("", -1))
		return web.Render(rw, r, 0, "Done", "", donePage("Your password is set", "All your sessions and API tokens ended.", "/signin", "Sign in"))
	})
	w.PublicPage("POST /account/address/confirm", func(rw http.ResponseWriter, r *http.Request) error {
		if err := r.ParseForm(); err != nil {
			return badForm(err)
		}
		f := entryForm{Token: r.PostForm.Get("token")}
		if err := s.confirmAddress(r.Context(), clientOf(r), f.Token); err != nil {
			return again(rw, r, err, "Your new address", f, confirmAddressPage)
		}
		return web.Render(rw, r, 0, "Done", "", donePage("Your address was changed", "Sign in with it from now on.", "/", "Go on"))
	})
}
