package depmap

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"assimilation/cmdb"
)

// box is a host or an address, with what is drawn inside.
type box struct {
	node     Node
	services []*service
	byKey    map[string]*service

	// Of the layout.
	uses     []*box // boxes whose endpoints its services use; without itself
	usedBy   []*box
	tier     int
	outgoing bool // an edge leaves or enters it
}

// service is a service of a box, with its endpoints; a hidden one only holds
// them.
type service struct {
	node      Node
	hidden    bool
	endpoints []*endpoint
}

type endpoint struct {
	node Node
	port int
}

// picture is the sight as boxes, before it has positions.
type picture struct {
	boxes     []*box
	byID      map[string]*box
	endpoints map[string]*endpoint // by natural key
	edges     []Line
	edge      map[string]bool
	joined    map[[2]string]bool
	leftOut   LeftOut
	vendor    func(mac string) string
}

func draw(s sight, kinds []NodeKind, vendor func(mac string) string) Map {
	p := picture{vendor: vendor, byID: map[string]*box{}, endpoints: map[string]*endpoint{}, edge: map[string]bool{}, joined: map[[2]string]bool{}, leftOut: s.leftOut}
	for _, h := range s.hosts {
		p.add(&box{node: Node{ID: h.ID, Kind: HostNode, Label: h.Name, Detail: h.Site, State: h.State, Focus: h.ID == s.focus, Href: "/hosts/" + h.ID}})
	}
	p.addLinks(s.links)
	p.addListeners(s.focus, s.listeners)
	p.addGroups(s.groups)
	p.addNetwork(s)
	p.addThings(s.things)
	p.keep(kinds)
	m := p.layOut(s.title)
	if s.grouped {
		m.Note = strings.TrimSpace("Drawn by services, for there are more hosts than anybody can read: choose a host or a site. " + m.Note)
	}
	return m
}

// keep leaves out nodes of other kinds, what is within them, and edges that lead
// nowhere then.
func (p *picture) keep(kinds []NodeKind) {
	if len(kinds) == 0 {
		return
	}
	left := map[string]bool{}
	p.boxes = slices.DeleteFunc(p.boxes, func(b *box) bool { return !slices.Contains(kinds, b.node.Kind) })
	for _, b := range p.boxes {
		left[b.node.ID] = true
		for _, s := range b.services {
			s.hidden = s.hidden || !slices.Contains(kinds, s.node.Kind)
			left[s.node.ID] = !s.hidden
			s.endpoints = slices.DeleteFunc(s.endpoints, func(e *endpoint) bool { return !slices.Contains(kinds, e.node.Kind) })
			for _, e := range s.endpoints {
				left[e.node.ID] = true
			}
		}
		b.services = slices.DeleteFunc(b.services, func(s *service) bool { return s.hidden && len(s.endpoints) == 0 })
	}
	for _, b := range p.boxes {
		gone := func(o *box) bool { return !left[o.node.ID] }
		b.uses, b.usedBy = slices.DeleteFunc(b.uses, gone), slices.DeleteFunc(b.usedBy, gone)
	}
	p.edges = slices.DeleteFunc(p.edges, func(e Line) bool { return !left[e.Source] || !left[e.Target] })
}

// relate says, for the layout, that one box uses another.
func (p *picture) relate(client, server *box) {
	client.outgoing, server.outgoing = true, true
	if client != server && !p.joined[[2]string{client.node.ID, server.node.ID}] {
		p.joined[[2]string{client.node.ID, server.node.ID}] = true
		client.uses = append(client.uses, server)
		server.usedBy = append(server.usedBy, client)
	}
}

func escaped(text string) string { return url.QueryEscape(text) }

func (p *picture) add(b *box) {
	b.byKey = map[string]*service{}
	p.boxes = append(p.boxes, b)
	p.byID[b.node.ID] = b
}

// addLinks draws each client, the endpoint that it uses and the service there.
// The order of hosts, services and endpoints does not depend on that of rows.
func (p *picture) addLinks(links []link) {
	outside := map[string]bool{}
	for _, l := range links {
		client := p.byID[l.ClientHost]
		if client == nil {
			continue // retired while it was read
		}
		var server *box
		if l.ServerHost != nil {
			server = p.byID[*l.ServerHost]
		}
		if server == nil {
			if server = p.address(l, outside); server == nil {
				continue
			}
		}
		name, key := "", server.node.ID
		if l.Server != nil && l.ServerName != nil {
			name, key = *l.ServerName, *l.Server
		}
		at := p.endpointOf(server, key, name, l)
		from := client.service(l.Client, l.ClientName)
		p.join(Connects, from.node.ID, at.node.ID)
		p.relate(client, server)
	}
	p.leftOut.Addresses = len(outside)
}

// address is the box of an endpoint that no enrolled host listens on; nil when
// there are too many.
func (p *picture) address(l link, outside map[string]bool) *box {
	realm := strings.TrimSuffix(l.Endpoint, "|"+l.Protocol+"|"+strconv.Itoa(l.Port))
	id := "address:" + realm
	if b := p.byID[id]; b != nil {
		return b
	}
	count := 0
	for _, b := range p.boxes {
		if b.node.Kind == AddressNode {
			count++
		}
	}
	if count == maxOutside {
		outside[id] = true
		return nil
	}
	b := &box{node: Node{ID: id, Kind: AddressNode, Label: l.IP, Detail: p.unknown(l), Href: "/search?q=" + l.IP}}
	if strings.HasPrefix(l.Endpoint, string(cmdb.HostRealm(l.ClientHost))) {
		b.node.Label, b.node.Detail = l.IP+" on "+p.byID[l.ClientHost].node.Label, "its own address, where nothing listens now"
	}
	p.add(b)
	return b
}

// unknown says what is known of a system without a probe.
func (p *picture) unknown(l link) string {
	if l.MAC != nil {
		if name := p.vendor(*l.MAC); name != "" {
			return "unknown system, " + name
		}
	}
	return "unknown system"
}

func (b *box) service(key, name string) *service {
	s := b.byKey[key]
	if s == nil {
		s = &service{node: Node{ID: "service:" + key, Kind: ServiceNode, Label: name, Parent: b.node.ID}, hidden: b.node.Kind != HostNode}
		if b.node.Kind == HostNode {
			s.node.Href = b.node.Href + "/services"
		}
		b.byKey[key] = s
		b.services = append(b.services, s)
	}
	return s
}

func (p *picture) endpointOf(b *box, key, name string, l link) *endpoint {
	s := b.service(key, name)
	at := p.endpoints[l.Endpoint]
	if at == nil {
		at = &endpoint{node: Node{ID: "endpoint:" + l.Endpoint, Kind: EndpointNode, Label: place(l.IP, l.Port, l.Protocol), Parent: b.node.ID}, port: l.Port}
		p.endpoints[l.Endpoint] = at
		s.endpoints = append(s.endpoints, at)
	}
	if b.node.Kind == HostNode {
		p.join(Listens, at.node.ID, s.node.ID)
	}
	return at
}

// addListeners draws what the focus listens on without a known client, as one
// node for all addresses of a port.
func (p *picture) addListeners(focus string, all []listener) {
	b := p.byID[focus]
	if b == nil {
		return
	}
	type group struct{ service, protocol, port string }
	idle := map[group][]listener{}
	var order []group
	for _, l := range all {
		if p.endpoints[l.Endpoint] != nil {
			p.join(Listens, p.endpoints[l.Endpoint].node.ID, b.service(l.Service, l.Name).node.ID)
			continue
		}
		g := group{l.Service, l.Protocol, strconv.Itoa(l.Port)}
		if idle[g] == nil {
			order = append(order, g)
		}
		idle[g] = append(idle[g], l)
	}
	for _, g := range order {
		first := idle[g][0]
		s := b.service(g.service, first.Name)
		at := &endpoint{node: Node{ID: "endpoint:" + g.service + ":" + g.port + "/" + g.protocol, Kind: EndpointNode, Parent: b.node.ID,
			Label: place(first.IP, first.Port, first.Protocol), Detail: "no known client"}, port: first.Port}
		if n := len(idle[g]); n > 1 {
			at.node.Label, at.node.Detail = ":"+g.port+"/"+g.protocol, fmt.Sprintf("at %d addresses, no known client", n)
		}
		s.endpoints = append(s.endpoints, at)
		p.join(Listens, at.node.ID, s.node.ID)
	}
}

func (p *picture) join(kind EdgeKind, source, target string) {
	id := string(kind) + ":" + source + ">" + target
	if !p.edge[id] {
		p.edge[id] = true
		p.edges = append(p.edges, Line{id, kind, source, target})
	}
}

func place(ip string, port int, protocol string) string {
	return net.JoinHostPort(ip, strconv.Itoa(port)) + "/" + protocol
}

// sorted puts everything that has no place of its own in order of its name.
func (p *picture) sorted() {
	byLabel := func(a, b Node) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)), strings.Compare(a.ID, b.ID))
	}
	slices.SortFunc(p.boxes, func(a, b *box) int {
		return cmp.Or(cmp.Compare(b.node.Kind, a.node.Kind), byLabel(a.node, b.node)) // hosts before addresses
	})
	for _, b := range p.boxes {
		slices.SortFunc(b.uses, func(a, b *box) int { return byLabel(a.node, b.node) })
		slices.SortFunc(b.usedBy, func(a, b *box) int { return byLabel(a.node, b.node) })
		slices.SortFunc(b.services, func(a, b *service) int { return byLabel(a.node, b.node) })
		for _, s := range b.services {
			slices.SortFunc(s.endpoints, func(a, b *endpoint) int { return cmp.Or(cmp.Compare(a.port, b.port), byLabel(a.node, b.node)) })
		}
	}
	slices.SortFunc(p.edges, func(a, b Line) int { return strings.Compare(a.ID, b.ID) })
}
