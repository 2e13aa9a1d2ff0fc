package collect

import (
	"net/netip"

	"assimilation/discovery/internal/rtnetlink"
	"assimilation/discovery/internal/sockdiag"
	kind "assimilation/discovery/sockets"
)

// addresses is what the host owns: wildcard listeners stand for these.
type addresses struct {
	own     []ownAddress
	devices map[int]string // link index -> name
	private []netip.Prefix // networks of private links
}

type ownAddress struct {
	ip      netip.Addr
	link    int
	private bool
}

// readAddresses dumps links and addresses. Addresses of a bridge's member
// (the link-local ones that each veth gets by itself) are left out: what
// arrives at a member belongs to the bridge, so nothing can be reached there.
func readAddresses(conn rtnetlink.Conn) (addresses, error) {
	links, err := rtnetlink.Links(conn)
	if err != nil {
		return addresses{}, err
	}
	list, err := rtnetlink.Addresses(conn)
	if err != nil {
		return addresses{}, err
	}
	private := rtnetlink.PrivateLinks(links)
	a := addresses{devices: make(map[int]string, len(links))}
	bridges := map[int]bool{}
	for _, l := range links {
		a.devices[l.Index] = l.Name
		bridges[l.Index] = l.Kind == "bridge"
	}
	member := map[int]bool{}
	for _, l := range links {
		member[l.Index] = bridges[l.Master]
	}
	for _, addr := range list {
		if private[addr.Link] {
			a.private = append(a.private, netip.PrefixFrom(addr.IP, addr.Bits).Masked())
		}
		if !member[addr.Link] {
			a.own = append(a.own, ownAddress{addr.IP, addr.Link, private[addr.Link]})
		}
	}
	return a, nil
}

// isPrivate reports whether an address is reached through a private link.
func (a *addresses) isPrivate(ip netip.Addr) bool {
	for _, p := range a.private {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// listens returns the endpoints at which a bound socket can be reached.
func (a *addresses) listens(s sockdiag.Socket) []kind.Listen {
	l := kind.Listen{
		Protocol: s.Protocol.String(), IP: s.Local.Addr().String(), Port: int64(s.Local.Port()),
		Device: a.devices[s.Device], Private: a.isPrivate(s.Local.Addr()),
	}
	if !s.Local.Addr().IsUnspecified() {
		return []kind.Listen{l}
	}
	l.Wildcard = l.IP
	var out []kind.Listen
	for _, own := range a.own {
		covered := own.ip.Is4() == s.Local.Addr().Is4() || own.ip.Is4() && !s.V6Only
		if !covered || s.Device != 0 && s.Device != own.link {
			continue
		}
		l.IP, l.Private, l.Device = own.ip.String(), own.private, a.devices[s.Device]
		if own.ip.IsLinkLocalUnicast() && own.ip.Is6() {
			l.Device = a.devices[own.link]
		}
		out = append(out, l)
	}
	return out
}
