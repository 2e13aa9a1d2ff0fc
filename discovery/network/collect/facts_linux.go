package collect

import (
	"cmp"
	"reflect"
	"slices"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/network"
)

// maxRoutes bounds the fact of a router that holds the Internet's routes.
const maxRoutes = 8192

func linkFacts(links []rtnetlink.Link, addresses []rtnetlink.Address) []kind.Link {
	names := linkNames(links)
	private := rtnetlink.PrivateLinks(links)
	byLink := map[int][]kind.Address{}
	for _, a := range addresses {
		fact := kind.Address{
			IP: a.IP.String(), Prefix: int64(a.Bits), Scope: rtnetlink.ScopeName(a.Scope),
			Dynamic: a.Dynamic, Temporary: a.Temporary,
		}
		if a.Peer.IsValid() {
			fact.Peer = a.Peer.String()
		}
		byLink[a.Link] = append(byLink[a.Link], fact)
	}
	facts := make([]kind.Link, 0, len(links))
	for _, l := range links {
		fact := kind.Link{
			Name: names[l.Index], Kind: l.Kind, Type: l.HardwareName(), MTU: l.MTU,
			AdminUp: l.Flags&unix.IFF_UP != 0, OperState: l.OperStateName(),
			Master: names[l.Master], Parent: names[l.Parent],
			Private: private[l.Index], Addresses: byLink[l.Index],
		}
		if !l.Loopback() && slices.ContainsFunc(l.MAC, func(b byte) bool { return b != 0 }) {
			fact.MAC = l.MAC.String()
		}
		order.By(fact.Addresses, func(a, b *kind.Address) int {
			return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.Peer, b.Peer))
		})
		facts = append(facts, fact)
	}
	order.By(facts, func(a, b *kind.Link) int { return cmp.Compare(a.Name, b.Name) })
	return facts
}

func linkNames(links []rtnetlink.Link) map[int]string {
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = discovery.Clean(l.Name, unix.IFNAMSIZ)
	}
	return names
}

// routeFacts returns the sorted routes, and how many were too many. Those that
// a routing daemon learned are left out first, since they come and go.
func routeFacts(links []rtnetlink.Link, routes []rtnetlink.Route) (facts []kind.Route, dropped int) {
	names := linkNames(links)
	for _, r := range routes {
		if r.Cached || r.Table == unix.RT_TABLE_LOCAL || r.Family != unix.AF_INET && r.Family != unix.AF_INET6 {
			continue
		}
		facts = append(facts, routeFact(names, r))
	}
	all := len(facts)
	if all > maxRoutes {
		facts = slices.DeleteFunc(facts, func(r kind.Route) bool {
			return slices.Contains([]string{"bgp", "zebra", "bird", "ospf", "isis", "rip", "eigrp", "babel", "openr"}, r.Protocol)
		})
	}
	order.By(facts, compareRoutes)
	if len(facts) > maxRoutes {
		facts = facts[:maxRoutes]
	}
	dropped = all - len(facts)
	// Routes that differ in what is no fact (type of service, say) are one.
	return slices.CompactFunc(facts, func(a, b kind.Route) bool { return reflect.DeepEqual(a, b) }), dropped
}

func routeFact(names map[int]string, r rtnetlink.Route) kind.Route {
	fact := kind.Route{
		Family: r.FamilyName(), Table: r.Table, Destination: r.Destination.String(), Metric: r.Metric,
		Protocol: r.ProtocolName(), Scope: rtnetlink.ScopeName(r.Scope), Type: r.TypeName(),
	}
	if r.Source.IsValid() {
		fact.Source = r.Source.String()
	}
	if len(r.NextHops) == 0 {
		hop := hopFact(names, r.NextHop)
		fact.Gateway, fact.Device = hop.Gateway, hop.Device
		return fact
	}
	for _, h := range r.NextHops {
		fact.NextHops = append(fact.NextHops, hopFact(names, h))
	}
	order.By(fact.NextHops, func(a, b *kind.NextHop) int {
		return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Weight, b.Weight))
	})
	return fact
}

func hopFact(names map[int]string, h rtnetlink.NextHop) kind.NextHop {
	fact := kind.NextHop{Device: names[h.Link], Weight: h.Weight}
	if h.Gateway.IsValid() {
		fact.Gateway = h.Gateway.String()
	}
	return fact
}

func compareRoutes(a, b *kind.Route) int {
	return cmp.Or(
		cmp.Compare(a.Family, b.Family), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Destination, b.Destination),
		cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Gateway, b.Gateway),
		cmp.Compare(a.Type, b.Type), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Protocol, b.Protocol),
		cmp.Compare(a.Scope, b.Scope), compareHops(a.NextHops, b.NextHops),
	)
}

func compareHops(a, b []kind.NextHop) int {
	return slices.CompareFunc(a, b, func(x, y kind.NextHop) int {
		return cmp.Or(cmp.Compare(x.Gateway, y.Gateway), cmp.Compare(x.Device, y.Device), cmp.Compare(x.Weight, y.Weight))
	})
}
