package depmap

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Topology asks the relays of a site how it is wired, and who watches whom.
type Topology func(ctx context.Context, actor web.Actor, site string) (uplink.Topology, error)

// Sizes of rings, in pixels.
const (
	ringSpace = 64 // along the circle, for each member
	ringLeast = 160
)

// ringsOf draws a site's rings side by side: who is next to whom exchanges
// heartbeats.
func (s *Service) ringsOf(ctx context.Context, actor web.Actor, scope Scope) (Map, error) {
	site := scope.Site
	if scope.Host != "" {
		err := s.DB.Read(ctx, actor.Tenant, func(tx pgx.Tx) error {
			hosts, err := namedHost(ctx, tx, scope.Host)
			if err == nil {
				site = hosts[0].Site
			}
			return err
		})
		if err != nil {
			return Map{}, err
		}
	}
	if site == "" {
		return Map{}, errRingOfWhat
	}
	t, err := s.Topology(ctx, actor, site)
	if err != nil {
		return Map{}, err
	}
	return drawRings(site, t), nil
}

func drawRings(title string, t uplink.Topology) Map {
	m := Map{Title: "rings of " + title, Nodes: []Node{}, Edges: []Line{}, Width: margin, Height: margin}
	hosts := map[tenancy.HostID]uplink.TopologyHost{}
	for _, h := range t.Hosts {
		hosts[h.Host] = h
	}
	for i, r := range t.Rings {
		members := r.Members[:min(len(r.Members), maxHosts)]
		m.LeftOut.Hosts += len(r.Members) - len(members)
		radius := max(ringLeast, len(members)*ringSpace*10/63) // a circle is 6.3 radii around
		head := Node{ID: fmt.Sprintf("ring:%d", i), Kind: RingNode, Label: r.Level + " " + r.Name, Detail: fmt.Sprintf("%d members", len(r.Members)),
			X: m.Width + radius + emptyWidth/2, Y: margin + titleHeight/2 + radius + titleHeight, W: emptyWidth, H: titleHeight}
		m.Nodes = append(m.Nodes, head)
		ids := make([]string, len(members))
		for j, id := range members {
			angle := 2*math.Pi*float64(j)/float64(len(members)) - math.Pi/2
			n := Node{ID: fmt.Sprintf("%s:%s", head.ID, id), Kind: HostNode, Label: hosts[id].Name, State: hosts[id].State, Detail: hosts[id].Zone, Href: "/hosts/" + id.String(),
				X: head.X + int(float64(radius)*math.Cos(angle)), Y: head.Y + int(float64(radius)*math.Sin(angle)), W: emptyWidth, H: titleHeight}
			if id == (tenancy.HostID{}) {
				n.Label, n.State, n.Href = "relay", "", ""
			}
			ids[j] = n.ID
			m.Nodes = append(m.Nodes, n)
		}
		for j := range ids {
			next := ids[(j+1)%len(ids)]
			if next != ids[j] && (len(ids) > 2 || j == 0) {
				m.Edges = append(m.Edges, Line{ID: "beats:" + ids[j] + ">" + next, Kind: Beats, Source: ids[j], Target: next})
			}
		}
		m.Width += 2*radius + emptyWidth + columnGap
		m.Height = max(m.Height, head.Y+radius+titleHeight+margin)
	}
	m.Note = m.LeftOut.words()
	return m
}
