package depmap

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// maxSites bounds the choices of the form.
const maxSites = 200

type mapView struct {
	kind  Type
	scope Scope
	sites []ui.Option
	drawn Map
}

// types are the choices of the form.
var types = []ui.Option{{Value: "service", Text: "dependencies"}, {Value: "network", Text: "network"}, {Value: "everything", Text: "everything"}, {Value: "ring", Text: "heartbeat rings"}}

// only are the choices of what to show of a map.
var only = []ui.Option{{Value: "", Text: "everything"}, {Value: "host,subnet,ip", Text: "hosts and subnets"}, {Value: "host,switch,port", Text: "hosts and switches"},
	{Value: "host,service,endpoint", Text: "hosts and services"}, {Value: "host", Text: "hosts"}}

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /map", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		q := r.URL.Query()
		v := mapView{kind: Type(q.Get("type")), scope: Scope{Host: web.Text(q.Get("host")), Site: web.Text(q.Get("site")), Subnet: web.Text(q.Get("subnet"))}}
		if !slices.ContainsFunc(types, func(o ui.Option) bool { return o.Value == string(v.kind) }) {
			v.kind = Services
		}
		for k := range strings.SplitSeq(q.Get("kinds"), ",") {
			if k != "" && len(v.scope.Kinds) < 10 {
				v.scope.Kinds = append(v.scope.Kinds, NodeKind(web.Text(k)))
			}
		}
		// The form sends all.
		switch {
		case v.scope.Host != "":
			v.scope.Site, v.scope.Subnet = "", ""
		case v.scope.Subnet != "" && v.kind == Network:
			v.scope.Site = ""
		default:
			v.scope.Subnet = ""
		}
		var err error
		if v.sites, err = s.sites(r.Context(), a.Tenant); err != nil {
			return err
		}
		if v.kind == Rings && v.scope.Site == "" && v.scope.Host == "" && len(v.sites) > 1 {
			v.scope.Site = v.sites[1].Value // the first after "all sites"
		}
		if v.drawn, err = s.Draw(r.Context(), a, v.kind, v.scope); err != nil {
			return err
		}
		return web.Render(w, r, 0, "Map", "/map", mapPage(v))
	})
}

func (s *Service) sites(ctx context.Context, tenant tenancy.TenantID) ([]ui.Option, error) {
	options := []ui.Option{{Value: "", Text: "all sites"}}
	err := s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT name FROM assim.sites ORDER BY lower(name), name LIMIT $1`, maxSites)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, n := range names {
			options = append(options, ui.Option{Value: n, Text: n})
		}
		return err
	})
	return options, err
}

// data is the address of what is drawn, in a format.
func (v mapView) data(format string) string {
	q := url.Values{"type": {string(v.kind)}, "format": {format}}
	for name, value := range map[string]string{"host": v.scope.Host, "site": v.scope.Site, "subnet": v.scope.Subnet, "kinds": v.kinds()} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/v1/graph/draw?" + q.Encode()
}

func (v mapView) kinds() string {
	var names []string
	for _, k := range v.scope.Kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ",")
}

func (v mapView) line() string {
	switch v.kind {
	case Network:
		return "Hosts with their addresses, the subnets that they are in, and the switches that they are wired to where these are known here."
	case Rings:
		return "Who watches whom: neighbours in a ring exchange heartbeats."
	case Everything:
		return "Services, dependencies, addresses, subnets and switches."
	}
	if v.scope.Host != "" {
		return "Who uses the services of " + v.drawn.Title + ", and whose it uses."
	}
	return "Who depends on whom, as the hosts see it. Clients stand left of what they use."
}

// drawing is the plain picture, for whom there is no script.
func drawing(m Map) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error { return m.WriteSVG(w) })
}
