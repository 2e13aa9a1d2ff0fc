package webhooks

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const (
	pagePath  = "/webhooks"
	perPage   = 50
	ofSection = "/members"
)

// Pages adds the pages: settings, one webhook, one delivery.
func (s *Service) Pages(w *web.Web) {
	page := func(pattern string, h func(http.ResponseWriter, *http.Request, web.Actor) error) {
		method, path, _ := strings.Cut(pattern, " ")
		w.Page(method+" "+pagePath+path, tenancy.SetExport, h)
	}
	page("GET ", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		all, err := s.webhooks(r.Context(), a)
		if err != nil {
			return err
		}
		return web.Render(rw, r, 0, "Webhooks", ofSection, webhooksPage(all))
	})
	page("GET /{webhook}", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return s.show(rw, r, a, nil, "")
	})
	page("POST ", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		in, err := settingsOf(r)
		if err != nil {
			return err
		}
		e, secret, err := s.add(r.Context(), a, in)
		if err != nil {
			return err
		}
		r.SetPathValue("webhook", e.ID.String())
		return s.show(rw, r, a, nil, secret)
	})
	page("POST /{webhook}", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		in, err := settingsOf(r)
		if err != nil {
			return err
		}
		if err := s.set(r.Context(), a, r.PathValue("webhook"), in); err != nil {
			return err
		}
		http.Redirect(rw, r, pagePath+"/"+url.PathEscape(r.PathValue("webhook")), http.StatusSeeOther)
		return nil
	})
	page("POST /{webhook}/test", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		t, err := s.test(r.Context(), a, r.PathValue("webhook"))
		if err != nil {
			return err
		}
		return s.show(rw, r, a, &t, "")
	})
	page("POST /{webhook}/rotate", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		secret, err := s.rotate(r.Context(), a, r.PathValue("webhook"))
		if err != nil {
			return err
		}
		return s.show(rw, r, a, nil, secret)
	})
	page("POST /{webhook}/remove", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.remove(r.Context(), a, r.PathValue("webhook")); err != nil {
			return err
		}
		http.Redirect(rw, r, pagePath, http.StatusSeeOther)
		return nil
	})
	s.deliveryPages(page)
}

func (s *Service) deliveryPages(page func(string, func(http.ResponseWriter, *http.Request, web.Actor) error)) {
	eventOf := func(r *http.Request) (int64, error) {
		event, err := strconv.ParseInt(r.PathValue("event"), 10, 64)
		if err != nil || event < 1 {
			return 0, errNoDelivery
		}
		return event, nil
	}
	page("GET /{webhook}/deliveries/{event}", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		event, err := eventOf(r)
		if err != nil {
			return err
		}
		v, err := s.get(r.Context(), a, r.PathValue("webhook"))
		if err != nil {
			return err
		}
		d, err := s.delivery(r.Context(), a, r.PathValue("webhook"), event)
		if err != nil {
			return err
		}
		return web.Render(rw, r, 0, v.Name+": "+d.Type, ofSection, deliveryPage(v, d))
	})
	page("POST /{webhook}/deliveries/{event}/redeliver", func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		event, err := eventOf(r)
		if err != nil {
			return err
		}
		if err := s.redeliver(r.Context(), a, r.PathValue("webhook"), event); err != nil {
			return err
		}
		http.Redirect(rw, r, pagePath+"/"+url.PathEscape(r.PathValue("webhook"))+"#deliveries", http.StatusSeeOther)
		return nil
	})
}

// show is the page of one webhook; after a test, and with a secret that was just
// made.
func (s *Service) show(rw http.ResponseWriter, r *http.Request, a web.Actor, tested *Try, secret string) error {
	v, err := s.get(r.Context(), a, r.PathValue("webhook"))
	if err != nil {
		return err
	}
	v.Secret = secret
	query := r.URL.Query()
	state := query.Get("state")
	if state != "waiting" && state != "delivered" && state != "failed" {
		state = ""
	}
	sent, next, err := s.deliveries(r.Context(), a, v.ID.String(), state, query.Get("cursor"), perPage)
	if err != nil {
		return err
	}
	if next != "" {
		next = v.path() + "?" + url.Values{"state": {state}, "cursor": {next}}.Encode() + "#deliveries"
	}
	return web.Render(rw, r, 0, v.Name, ofSection, webhookPage(v, sent, state, next, tested))
}

// settingsOf reads a form; types stand apart by spaces or commas.
func settingsOf(r *http.Request) (in WebhookSettings, err error) {
	if err := r.ParseForm(); err != nil {
		return in, huma.Error400BadRequest("the form could not be read")
	}
	f := r.PostForm
	in = WebhookSettings{Name: f.Get("name"), URL: f.Get("url"), Site: strings.TrimSpace(f.Get("site_id")), Off: f.Get("off") != ""}
	in.Types = strings.FieldsFunc(f.Get("types"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	return in, nil
}

// words for pages.

func (v Webhook) path() string { return pagePath + "/" + v.ID.String() }

func (v Webhook) types() string {
	if len(v.Types) == 0 {
		return "everything"
	}
	return strings.Join(v.Types, ", ")
}

func (v Webhook) site() string {
	if v.Site == nil {
		return ""
	}
	return v.Site.String()
}

func (v Webhook) delivery(event int64) string {
	return v.path() + "/deliveries/" + strconv.FormatInt(event, 10)
}

func (t Try) words() string {
	if t.Problem != "" {
		return t.Problem
	}
	return "answered " + strconv.Itoa(t.Status)
}
