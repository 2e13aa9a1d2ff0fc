package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

const maxForm = 64 << 10 // bytes of a page's form

// Page serves a page of the console to actors who may do what it needs; others
// are sent to /signin. The pattern is ServeMux's, with the method. An error is
// shown as error page: a huma.StatusError with its own text, any other as 500.
func (s *Web) Page(pattern string, action tenancy.Action, h func(http.ResponseWriter, *http.Request, Actor) error) {
	if _, known := tenancy.RightFor(action); !known {
		s.faults = append(s.faults, fmt.Errorf("page %s does not say who may use it", pattern))
	}
	s.routes = append(s.routes, Route{pattern, PageRoute, action})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		actor, problem := s.permit(r, action)
		switch {
		case problem == nil:
		case problem.Status == http.StatusUnauthorized:
			http.Redirect(w, r, signinFor(r), http.StatusSeeOther)
			return
		case problem.Code == ProofRequired:
			http.Redirect(w, r, "/prove?next="+url.QueryEscape(pageBefore(r)), http.StatusSeeOther)
			return
		case problem.Code == SecondFactorOwed:
			http.Redirect(w, r, "/account/second-factor", http.StatusSeeOther)
			return
		default:
			s.showError(w, r, problem)
			return
		}
		if !s.turns.enter(r.Context(), actor.Tenant) {
			s.metrics.refused.WithLabelValues("too many at once").Inc()
			s.showError(w, r, huma.Error429TooManyRequests(tooManyAtOnce))
			return
		}
		defer s.turns.leave(actor.Tenant)
		r = r.WithContext(WithActor(r.Context(), actor))
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := h(w, r, actor); err != nil {
			s.showError(w, r, err)
		}
	})
}

// PublicPage serves a page to anyone.
func (s *Web) PublicPage(pattern string, h func(http.ResponseWriter, *http.Request) error) {
	s.routes = append(s.routes, Route{pattern, PublicPageRoute, ""})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := h(w, r); err != nil {
			s.showError(w, r, err)
		}
	})
}

// signinFor is the sign-in page that leads back to a page that can be shown by
// GET.
func signinFor(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" {
		return "/signin"
	}
	return "/signin?next=" + url.QueryEscape(r.URL.RequestURI())
}

// pageBefore is where a person goes after showing a secret: to the page, or
// where the form stood that they sent.
func pageBefore(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host || !strings.HasPrefix(from.Path, "/") {
		return "/"
	}
	return from.RequestURI()
}

// Render writes a page: the body within the console's frame. section is the
// entry of the navigation that is marked; status 0 means 200.
func Render(w http.ResponseWriter, r *http.Request, status int, title, section string, body templ.Component) error {
	a := ActorFrom(r.Context())
	frame := ui.Frame{Title: title, Section: section, Email: a.Email, Tenant: a.TenantName, Role: string(a.Role), Theme: themeOf(r), Ends: a.TenantEnds}
	if r.URL.Path == "/search" {
		frame.Search = Text(r.URL.Query().Get("q"))
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if status != 0 {
		w.WriteHeader(status)
	}
	return ui.Page(frame, body).Render(r.Context(), w)
}

// themeOf is what the person chose; the style then does not flash.
func themeOf(r *http.Request) string {
	if c, err := r.Cookie("assim-theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}

func (s *Web) showError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "The service failed; the cause is in its log."
	var known huma.StatusError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		status, text = known.GetStatus(), known.Error()
	case errors.As(err, &tooLarge):
		status, text = http.StatusRequestEntityTooLarge, "The form is too large."
	case r.Context().Err() != nil:
		return // nobody reads the answer
	default:
		s.config.Log.Error("page", "method", r.Method, "path", r.Pattern, "error", err)
	}
	if err := Render(w, r, status, http.StatusText(status), "", ui.Problem(status, http.StatusText(status), text)); err != nil {
		s.config.Log.Debug("writing the error page", "error", err)
	}
}

// problem answers an error in the form that the client reads.
func (s *Web) problem(w http.ResponseWriter, r *http.Request, status int, text string) {
	if strings.HasPrefix(r.URL.Path, "/v1/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		s.API.Marshal(w, "application/json", NewProblem(status, codeOf(status), text))
		return
	}
	s.showError(w, r, huma.NewError(status, text))
}

// route is the mux with its own error texts replaced by ours.
func (s *Web) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	// Only the mux knows whether another method would do.
	answer := &discard{header: http.Header{}}
	h.ServeHTTP(answer, r)
	switch {
	case answer.status == http.StatusMethodNotAllowed:
		w.Header().Set("Allow", answer.header.Get("Allow"))
		s.problem(w, r, answer.status, "this address knows only the methods "+answer.header.Get("Allow"))
	case answer.header.Get("Location") != "":
		h.ServeHTTP(w, r)
	default:
		s.problem(w, r, http.StatusNotFound, "there is nothing at this address")
	}
}

// discard keeps an answer's status and header only.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func (s *Web) denyCrossOrigin(w http.ResponseWriter, r *http.Request) {
	s.metrics.refused.WithLabelValues("cross-origin").Inc()
	s.problem(w, r, http.StatusForbidden, "the request came from a page of another site")
}

// Text makes any string one that Postgres takes as text: valid UTF-8 without
// NUL. A name that needed mending matches nothing.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
