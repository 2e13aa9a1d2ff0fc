package hosts

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

const section = "/hosts" // of the navigation

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /hosts", tenancy.Read, s.showList)
	w.Page("GET /hosts/{host}", tenancy.Read, s.view("", s.summary))
	w.Page("GET /hosts/{host}/services", tenancy.Read, s.view("services", s.services))
	w.Page("GET /hosts/{host}/within", tenancy.Read, s.view("within", s.within))
	w.Page("GET /hosts/{host}/packages", tenancy.Read, s.view("packages", s.packages))
	w.Page("GET /hosts/{host}/network", tenancy.Read, s.view("network", s.network))
	w.Page("GET /hosts/{host}/dependencies", tenancy.Read, s.view("dependencies", s.dependencies))
	w.Page("GET /hosts/{host}/changes", tenancy.Read, s.view("changes", s.changes))
	w.Page("GET /hosts/{host}/timeline", tenancy.Read, s.showTimeline)
	w.Page("GET /hosts/{host}/past", tenancy.Read, s.showPast)
	w.Page("GET /hosts/{host}/facts/{kind}", tenancy.Read, s.view("facts", s.factsOf))
	w.Page("POST /hosts/{host}/retire", tenancy.RetireHost, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		h, err := s.Retire(r.Context(), a, r.PathValue("host"))
		if err != nil {
			return err
		}
		http.Redirect(w, r, string(pathOf(h)), http.StatusSeeOther)
		return nil
	})
	w.Page("POST /hosts/{host}/rename", tenancy.RetireHost, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		if err := r.ParseForm(); err != nil {
			return huma.Error400BadRequest("the form could not be read")
		}
		h, err := s.GiveName(r.Context(), a, r.PathValue("host"), strings.TrimSpace(web.Text(r.PostForm.Get("name"))))
		if err != nil {
			return err
		}
		http.Redirect(w, r, string(pathOf(h)), http.StatusSeeOther)
		return nil
	})
}

func pathOf(h Host) templ.SafeURL { return templ.SafeURL("/hosts/" + h.ID.String()) }

// body makes the part of a host's page that differs from view to view.
type body func(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error)

// view serves one view of a host, read in one snapshot.
func (s *Service) view(name string, make body) func(http.ResponseWriter, *http.Request, web.Actor) error {
	return func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		var h Host
		var part templ.Component
		err := s.DB.Read(r.Context(), a.Tenant, func(tx pgx.Tx) (err error) {
			if h, err = s.find(r.Context(), tx, r.PathValue("host")); err != nil {
				return err
			}
			part, err = make(r, tx, h)
			return err
		})
		if err != nil {
			return err
		}
		return web.Render(w, r, 0, h.Name, section, hostFrame(h, name, a.MayAt(tenancy.RetireHost, h.Site), part))
	}
}

func (s *Service) summary(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	ctx := r.Context()
	facts, err := factHeads(ctx, tx, h.ID)
	if err != nil {
		return nil, err
	}
	system, _, err := readKind[os.Facts](ctx, tx, h.ID, os.Kind)
	if err != nil {
		return nil, err
	}
	links, _, err := readKind[network.Facts](ctx, tx, h.ID, network.Kind)
	if err != nil {
		return nil, err
	}
	findings, err := findingsOf(ctx, tx, h.ID)
	if err != nil {
		return nil, err
	}
	latest, err := s.Changes.Latest(ctx, tx, h.ID)
	return summaryBody(h, system, facts, findings, addressesOf(links), latest), err
}

func (s *Service) services(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	facts, _, err := readKind[sockets.Facts](r.Context(), tx, h.ID, sockets.Kind)
	return servicesBody(allServices(facts)), err
}

func (s *Service) packages(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	facts, _, err := readKind[packages.Facts](r.Context(), tx, h.ID, packages.Kind)
	if err != nil {
		return nil, err
	}
	search := web.Text(r.URL.Query().Get("q"))
	shown, matching, all := searchPackages(facts, search)
	return packagesBody(pathOf(h)+"/packages", search, shown, matching, all), nil
}

func (s *Service) network(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	links, _, err := readKind[network.Facts](r.Context(), tx, h.ID, network.Kind)
	if err != nil {
		return nil, err
	}
	seen, _, err := readKind[neighbours.Facts](r.Context(), tx, h.ID, neighbours.Kind)
	return networkBody(links, seen), err
}

func (s *Service) dependencies(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	all, err := dependenciesOf(r.Context(), tx, web.ActorFrom(r.Context()).Tenant, h.ID, time.Time{})
	return dependenciesBody(h, all), err
}

func (s *Service) changes(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	return s.Changes.OfHost(r.Context(), tx, h.ID, r.URL.Query())
}

func (s *Service) factsOf(r *http.Request, tx pgx.Tx, h Host) (templ.Component, error) {
	kind := web.Text(r.PathValue("kind"))
	facts, err := factsOfKind(r.Context(), tx, h.ID, kind, maxRead)
	if err != nil {
		return nil, err
	}
	raw, err := bodies(facts)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(raw))
	for i, b := range raw {
		var indented bytes.Buffer
		if err := json.Indent(&indented, b, "", "  "); err != nil {
			return nil, err
		}
		texts[i] = indented.String()
	}
	return factsBody(kind, facts, texts), nil
}

// ChangesView shows a host's history within its page; the feature of changes
// is one.
type ChangesView interface {
	// OfHost is the whole, as the query of the page's address filters it.
	OfHost(ctx context.Context, tx pgx.Tx, host tenancy.HostID, query url.Values) (templ.Component, error)
	// Latest is the newest few.
	Latest(ctx context.Context, tx pgx.Tx, host tenancy.HostID) (templ.Component, error)
	// Moments is what changed before a time, newest first, of one kind or of all
	// ("").
	Moments(ctx context.Context, tx pgx.Tx, host tenancy.HostID, kind string, before time.Time, limit int) ([]ui.Moment, error)
	// Options are the kinds.
	Options() []ui.Option
	// Since is what differs now from what was at a time.
	Since(ctx context.Context, tx pgx.Tx, host tenancy.HostID, at time.Time) (templ.Component, error)
}
