package portable

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/network"
)

// Route is one as the systems tell it.
type Route struct {
	destination netip.Prefix
	gateway     netip.Addr // invalid: the link itself
	device      string
	metric      int64
	static      bool
}

// links returns the collector of the kind "network", which is told the routes.
func links(routes func() ([]Route, error)) discovery.Collector {
	return single(slowly(network.Kind, time.Minute), func(context.Context) (network.Facts, error) {
		all, err := net.Interfaces()
		if err != nil {
			return network.Facts{}, fmt.Errorf("listing links: %w", err)
		}
		facts := network.Facts{Links: []network.Link{}, Routes: []network.Route{}}
		for _, l := range all {
			addresses, err := l.Addrs()
			if err != nil {
				continue // gone since
			}
			facts.Links = append(facts.Links, link(l, addresses))
		}
		slices.SortFunc(facts.Links, func(a, b network.Link) int { return cmp.Compare(a.Name, b.Name) })
		found, err := routes()
		if err != nil {
			return facts, &discovery.Degraded{What: "routes: " + err.Error()}
		}
		facts.Routes = routed(found)
		return facts, nil
	})
}

func link(l net.Interface, addresses []net.Addr) network.Link {
	state := "down"
	if l.Flags&net.FlagRunning != 0 {
		state = "up"
	}
	made := network.Link{Name: clean(l.Name), Type: "ether", MAC: l.HardwareAddr.String(), MTU: int64(max(l.MTU, 0)), AdminUp: l.Flags&net.FlagUp != 0, OperState: state}
	switch {
	case l.Flags&net.FlagLoopback != 0:
		made.Type, made.MAC = "loopback", ""
	case len(l.HardwareAddr) != 6:
		made.Type, made.MAC = "none", ""
	}
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(withoutZone(a.String()))
		if err != nil {
			continue
		}
		made.Addresses = append(made.Addresses, network.Address{IP: prefix.Addr().String(), Prefix: int64(prefix.Bits()), Scope: scope(prefix.Addr())})
	}
	slices.SortFunc(made.Addresses, func(a, b network.Address) int {
		return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Prefix, b.Prefix))
	})
	return made
}

// withoutZone takes the zone out of an address with a prefix's length.
func withoutZone(text string) string {
	address, bits, _ := strings.Cut(text, "/")
	address, _, _ = strings.Cut(address, "%")
	return address + "/" + bits
}

func scope(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "host"
	case a.IsLinkLocalUnicast():
		return "link"
	}
	return "global"
}

// routed leaves out what a link or the system itself makes: multicast, broadcast,
// single addresses of its own.
func routed(found []Route) []network.Route {
	made := []network.Route{}
	for _, r := range found {
		if !r.destination.IsValid() || r.destination.Addr().IsMulticast() || r.destination.IsSingleIP() && !r.gateway.IsValid() {
			continue
		}
		family := "inet"
		if r.destination.Addr().Is6() {
			family = "inet6"
		}
		n := network.Route{
			Family: family, Table: 254, Destination: r.destination.Masked().String(), Device: clean(r.device), Metric: r.metric,
			Protocol: "kernel", Scope: "link", Type: "unicast",
		}
		if r.static {
			n.Protocol = "static"
		}
		if r.gateway.IsValid() {
			n.Gateway, n.Scope = r.gateway.WithZone("").String(), "global"
		}
		made = append(made, n)
	}
	byKey := func(a, b network.Route) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Metric, b.Metric),
			cmp.Compare(a.Device, b.Device), cmp.Compare(a.Gateway, b.Gateway))
	}
	slices.SortFunc(made, byKey)
	return slices.CompactFunc(made, func(a, b network.Route) bool { return byKey(a, b) == 0 })
}
