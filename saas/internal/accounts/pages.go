package accounts

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	s.entryPages(w)
	s.letterPages(w)
	s.ownPages(w)
	w.Page("POST /signout", tenancy.Identify, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.leave(r.Context(), a); err != nil {
			return err
		}
		http.SetCookie(rw, w.SessionCookie("", -1))
		http.Redirect(rw, r, "/signin", http.StatusSeeOther)
		return nil
	})
	w.Page("GET /account", tenancy.Own, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.showAccount(rw, r, a, "", doneWords[r.URL.Query().Get("done")])
	})
	w.Page("POST /account/tokens", tenancy.OwnTokens, s.postToken)
	w.Page("GET /account/tokens", tenancy.Own, func(rw http.ResponseWriter, r *http.Request, _ web.Actor) error {
		http.Redirect(rw, r, "/account", http.StatusSeeOther) // someone reloaded the page that showed a token
		return nil
	})
	w.Page("POST /account/tokens/{id}/revoke", tenancy.Own, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.revoke(r.Context(), a, web.Text(r.PathValue("id"))); err != nil {
			return err
		}
		http.Redirect(rw, r, "/account", http.StatusSeeOther)
		return nil
	})
	w.Page("POST /account/sessions/{id}/end", tenancy.Own, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.endSessionByID(r.Context(), a, r.PathValue("id")); err != nil {
			return err
		}
		http.Redirect(rw, r, "/account", http.StatusSeeOther)
		return nil
	})
}

// doneWords are what the account's page says after something was done elsewhere:
// words of ours only, whatever the address says.
var doneWords = map[string]string{
	"password": "Your password was changed; your other sessions ended.",
	"address":  "Your address was changed.",
	"letter":   "A letter is on its way to the new address. Follow its link within a day.",
}

// begin starts the browser's session and leads to a page.
func (s *Service) begin(front *web.Web, w http.ResponseWriter, r *http.Request, a account, next string) error {
	cookie, err := s.startSession(r.Context(), a, clientOf(r), false, time.Now())
	if err != nil {
		return err
	}
	http.SetCookie(w, front.SessionCookie(cookie, SessionSeconds))
	if next == "" {
		next = "/"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// SessionSeconds is how long a browser keeps a session's cookie.
const SessionSeconds = int(sessionLife / time.Second)

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

func (s *Service) postToken(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	seconds, err := strconv.ParseInt(r.PostForm.Get("expires_in"), 10, 64)
	if err != nil || seconds < 0 || seconds > maxTokenLife {
		return invalid("expires_in", "is not a number of seconds up to ten years")
	}
	_, text, err := s.createToken(r.Context(), a, r.PostForm.Get("name"), r.PostForm.Get("role"), strings.TrimSpace(r.PostForm.Get("site_id")), time.Duration(seconds)*time.Second)
	if err != nil {
		return err
	}
	return s.showAccount(w, r, a, text, "")
}

func (s *Service) showAccount(w http.ResponseWriter, r *http.Request, a web.Actor, minted, done string) error {
	v, err := s.accountView(r.Context(), a)
	if err != nil {
		return err
	}
	v.minted, v.done = minted, done
	return web.Render(w, r, 0, "Account", "/account", accountPage(v))
}

func (s *Service) accountView(ctx context.Context, a web.Actor) (accountView, error) {
	v := accountView{whoami: whoamiOf(a), roles: rolesUpTo(a.Role), own: seesAll(a)}
	for site, role := range a.Sites {
		v.sites = append(v.sites, siteRole{site.String(), string(role)})
	}
	var err error
	if v.tokens, err = s.tokenViews(ctx, a); err != nil {
		return v, err
	}
	if v.sessions, err = s.sessionViews(ctx, a); err != nil {
		return v, err
	}
	if v.tenants, err = s.tenantsOf(ctx, a); err != nil {
		return v, err
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		u, err := findUserByID(ctx, tx, a.User, "")
		v.totp = u.hasTOTP()
		return err
	})
	return v, err
}
