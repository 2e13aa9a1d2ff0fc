package depmap

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB       *store.DB
	Topology Topology
	// Vendor is the holder of a hardware address's prefix, "" where nobody is known.
	Vendor func(mac string) string
}

// Limits of one map: more than this nobody can read.
const (
	maxHosts     = 150
	maxLinks     = 1500
	maxListeners = 400 // rows of a host's own listening sockets
	maxOutside   = 60  // addresses at which no enrolled host listens
)

// Scope chooses what is drawn; nothing is the whole tenant.
type Scope struct {
	Host   string     // id or name: this host and its neighbours
	Site   string     // id or name: the hosts of this site and theirs
	Subnet string     // as 10.0.0.0/24: the hosts with a link there
	Kinds  []NodeKind // only nodes of these; none: of all
}

// Type is what a map shows.
type Type string

// The types of maps.
const (
	Services   Type = "service"    // who depends on whom
	Network    Type = "network"    // addresses, subnets, switches
	Everything Type = "everything" // both
	Rings      Type = "ring"       // who watches whom, as the site's relay tells it
)

// Map is a drawing. Coordinates are pixels, x to the right and y down, of
// centres.
type Map struct {
	Title   string  `json:"title" doc:"what is drawn: the host, the site or the tenant"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Nodes   []Node  `json:"nodes" nullable:"false" doc:"a parent comes before its children"`
	Edges   []Line  `json:"edges" nullable:"false"`
	LeftOut LeftOut `json:"left_out"`
	Note    string  `json:"note,omitempty" doc:"what was left out, in words"`
}

// NodeKind says what a node is.
type NodeKind string

// The kinds of nodes.
const (
	HostNode     NodeKind = "host"     // a machine with a probe
	AddressNode  NodeKind = "address"  // one where no enrolled host listens
	ServiceNode  NodeKind = "service"  // a group of like processes
	EndpointNode NodeKind = "endpoint" // where a service is reached
	IPNode       NodeKind = "ip"       // an address of a host
	SubnetNode   NodeKind = "subnet"
	SwitchNode   NodeKind = "switch"
	PortNode     NodeKind = "port"  // of a switch
	GroupNode    NodeKind = "group" // services of one name, where there are too many hosts to draw
	RingNode     NodeKind = "ring"

	ChildNode       NodeKind = "child" // a container, guest or pod
	UnitNode        NodeKind = "unit"
	CertificateNode NodeKind = "certificate"
	DiskNode        NodeKind = "disk"
)

// Node is a box of the drawing.
type Node struct {
	ID     string   `json:"id"`
	Kind   NodeKind `json:"kind" enum:"host,address,service,endpoint,ip,subnet,switch,port,group,ring,child,unit,certificate,disk"`
	Label  string   `json:"label"`
	Detail string   `json:"detail,omitempty"`
	Parent string   `json:"parent,omitempty" doc:"id of the host or address that it belongs to"`
	State  string   `json:"state,omitempty" doc:"of a host"`
	Focus  bool     `json:"focus,omitempty" doc:"the host that the map is about"`
	Href   string   `json:"href,omitempty" doc:"its page"`
	X      int      `json:"x"`
	Y      int      `json:"y"`
	W      int      `json:"w"`
	H      int      `json:"h"`
}

// EdgeKind says what an edge means.
type EdgeKind string

// The kinds of edges.
const (
	Listens  EdgeKind = "listens"  // endpoint and the service behind it
	Connects EdgeKind = "connects" // client and the endpoint that it uses
	Within   EdgeKind = "within"   // address and its subnet
	Wired    EdgeKind = "wired"    // switch port and the host at its other end
	Beats    EdgeKind = "beats"    // two hosts that watch each other
	Belongs  EdgeKind = "belongs"  // service and the container that it runs in, the unit that starts it, the certificate that it shows
	IsGuest  EdgeKind = "guest"    // a guest and the host that it is
)

// Line joins two nodes; source and target are as the client sees them: from the
// client to the endpoint, from the endpoint to its service.
type Line struct {
	ID     string   `json:"id"`
	Kind   EdgeKind `json:"kind" enum:"listens,connects,within,wired,beats,belongs,guest"`
	Source string   `json:"source"`
	Target string   `json:"target"`
}

// LeftOut counts what the limits kept out of the drawing.
type LeftOut struct {
	Hosts     int `json:"hosts"`
	Links     int `json:"links" doc:"uses of an endpoint by a client"`
	Listeners int `json:"listeners" doc:"listening sockets without a known client"`
	Addresses int `json:"addresses" doc:"addresses without a probe"`
	Things    int `json:"things" doc:"containers, guests, units, certificates and disks"`
}

func (l LeftOut) words() string {
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{
		{l.Hosts, "host", "hosts"}, {l.Links, "dependency", "dependencies"},
		{l.Listeners, "listening socket", "listening sockets"}, {l.Addresses, "address without a probe", "addresses without a probe"},
		{l.Things, "thing within a host", "things within hosts"},
	} {
		switch p.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+p.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.many))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Left out, to stay readable: " + strings.Join(parts, ", ") + "."
}

// Answers to names that lead nowhere.
var (
	errNoHost    = huma.Error404NotFound("there is no such host")
	errAmbiguous = web.NewProblem(http.StatusConflict, web.AmbiguousName, "several hosts have this name; use the id")
	errNoSite    = huma.Error404NotFound("there is no such site")
	errBoth      = huma.Error422UnprocessableEntity("a map is of one of a host, a site and a subnet")
	errNoNetwork = huma.Error422UnprocessableEntity("only the network is drawn by subnet: type=network")

	errRingOfWhat = huma.Error422UnprocessableEntity("rings are of a site: say which, or a host of it")
)

// Draw reads what a map of the type shows and lays it out.
func (s *Service) Draw(ctx context.Context, actor web.Actor, kind Type, scope Scope) (Map, error) {
	given := 0
	for _, text := range []string{scope.Host, scope.Site, scope.Subnet} {
		if text != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return Map{}, errBoth
	case scope.Subnet != "" && kind != Network:
		return Map{}, errNoNetwork
	case kind == Rings:
		return s.ringsOf(ctx, actor, scope)
	}
	var seen sight
	err := s.DB.Read(ctx, actor.Tenant, func(tx pgx.Tx) (err error) {
		seen, err = read(ctx, tx, store.Graph(actor.Tenant), kind, scope)
		return err
	})
	if err != nil {
		return Map{}, err
	}
	return draw(seen, scope.Kinds, s.Vendor), nil
}
