package otelexport

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Pages adds the pages: settings, and one exporter.
func (s *Service) Pages(w *web.Web) {
	const path = "/export"
	w.Page("GET "+path, tenancy.SetExport, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		all, err := s.list(r.Context(), a)
		if err != nil {
			return err
		}
		return web.Render(rw, r, 0, "Export", "/members", exportersPage(all))
	})
	show := func(rw http.ResponseWriter, r *http.Request, a web.Actor, tested *outcome) error {
		v, err := s.get(r.Context(), a, r.PathValue("exporter"))
		if err != nil {
			return err
		}
		lost, err := s.undelivered(r.Context(), a, v.ID.String())
		if err != nil {
			return err
		}
		return web.Render(rw, r, 0, v.Name, "/members", exporterPage(v, lost, tested))
	}
	w.Page("GET "+path+"/{exporter}", tenancy.SetExport, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		return show(rw, r, a, nil)
	})
	w.Page("POST "+path, tenancy.SetExport, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		in, err := settingsOf(r)
		if err != nil {
			return err
		}
		v, err := s.add(r.Context(), a, in)
		if err != nil {
			return err
		}
		http.Redirect(rw, r, path+"/"+v.ID.String(), http.StatusSeeOther)
		return nil
	})
	w.Page("POST "+path+"/{exporter}", tenancy.SetExport, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		in, err := settingsOf(r)
		if err != nil {
			return err
		}
		if err := s.set(r.Context(), a, r.PathValue("exporter"), in); err != nil {
			return err
		}
		http.Redirect(rw, r, path+"/"+r.PathValue("exporter"), http.StatusSeeOther)
		return nil
	})
	w.Page("POST "+path+"/{exporter}/test", tenancy.SetExport, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		problem, err := s.test(r.Context(), a, r.PathValue("exporter"))
		if err != nil {
			return err
		}
		return show(rw, r, a, &outcome{problem == "", problem})
	})
	w.Page("POST "+path+"/{exporter}/remove", tenancy.SetExport, func(rw http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := s.remove(r.Context(), a, r.PathValue("exporter")); err != nil {
			return err
		}
		http.Redirect(rw, r, path, http.StatusSeeOther)
		return nil
	})
}

// settingsOf reads a form. Headers are one name: value in each line; an empty field
// keeps those that are there.
func settingsOf(r *http.Request) (in Settings, err error) {
	if err := r.ParseForm(); err != nil {
		return in, huma.Error400BadRequest("the form could not be read")
	}
	f := r.PostForm
	in = Settings{
		Name: f.Get("name"), Protocol: f.Get("protocol"), Endpoint: strings.TrimSpace(f.Get("endpoint")), Compression: f.Get("compression"),
		CA: strings.TrimSpace(f.Get("ca")), Certificate: strings.TrimSpace(f.Get("certificate")), Key: strings.TrimSpace(f.Get("key")),
	}
	for _, signal := range f["signal"] {
		in.Signals = append(in.Signals, Signal(signal))
	}
	if f.Get("headers_none") != "" {
		in.Headers = map[string]string{}
	}
	for line := range strings.Lines(f.Get("headers")) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return in, huma.Error422UnprocessableEntity("headers: a line is name: value")
		}
		if in.Headers == nil {
			in.Headers = map[string]string{}
		}
		in.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return in, nil
}

// words of a view, for its pages.

func (v view) sends(s Signal) bool { return Exporter{Signals: v.Signals}.sends(s) }

func (v view) signals() string {
	var words []string
	for _, s := range v.Signals {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

func (v view) path() string { return "/export/" + v.ID.String() }
