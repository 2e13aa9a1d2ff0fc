package topology

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

const section = "/sites" // of the navigation

// maxRows is how many ports the page's table shows; the API has all.
const maxRows = 2000

type pageView struct {
	id, name string
	rings    bool
	topology uplink.Topology
	problem  string // why there is no answer
}

// line is one row of the table.
type line struct {
	zone, sw, chassis, port, vlan, device, protocol string
	host                                            uplink.TopologyHost
}

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /sites/{site}/topology", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		ref := web.Text(r.PathValue("site"))
		at, err := s.find(r.Context(), a.Tenant, ref)
		if err != nil {
			return err
		}
		v := pageView{id: at.id.String(), name: at.name, rings: r.URL.Query().Get("rings") == "on"}
		status := http.StatusOK
		v.topology, err = s.Ask(r.Context(), a, ref)
		if problem, ok := errors.AsType[*web.Problem](err); ok {
			v.problem, status = problem.Detail, problem.Status
		} else if err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		return web.Render(w, r, status, "Topology of "+at.name, section, topologyPage(v))
	})
}

func (v pageView) path() templ.SafeURL { return templ.SafeURL("/sites/" + v.id + "/topology") }

func (v pageView) drawing() templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error { return writeSVG(w, v.topology, v.rings) })
}

// lines are the ports and the hosts without one.
func (v pageView) lines() (all []line) {
	hosts := map[tenancy.HostID]uplink.TopologyHost{}
	of := map[string][]uplink.TopologyHost{}
	for _, h := range v.topology.Hosts {
		hosts[h.Host] = h
		of[h.Domain] = append(of[h.Domain], h)
	}
	for _, s := range v.topology.Switches {
		wired := map[tenancy.HostID]bool{}
		for _, p := range s.Ports {
			wired[p.Host] = true
			l := line{zone: s.Zone, sw: nameOf(s), chassis: s.Chassis, port: p.Port, device: p.Interface, protocol: p.Protocol, host: hosts[p.Host]}
			if p.VLAN > 0 {
				l.vlan = strconv.FormatInt(p.VLAN, 10)
			}
			all = append(all, l)
		}
		for _, h := range of[s.Domain] {
			if !wired[h.Host] {
				all = append(all, line{zone: cmp.Or(h.Zone, s.Zone), sw: nameOf(s), chassis: s.Chassis, host: h})
			}
		}
	}
	return all
}
