package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// fromProxy makes the address of a request that a trusted proxy passed on that
// of its client: the last in X-Forwarded-For that is no such proxy itself. What
// stands before it the client may have written.
func (s *Web) fromProxy(next http.Handler) http.Handler {
	trusted := func(ip netip.Addr) bool {
		return slices.ContainsFunc(s.config.Proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		ip := peer.Addr().Unmap()
		if err == nil && trusted(ip) {
			hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
			for _, hop := range slices.Backward(hops) {
				client, err := netip.ParseAddr(strings.TrimSpace(hop))
				if err != nil {
					break
				}
				ip = client.Unmap().WithZone("")
				if !trusted(ip) {
					break
				}
			}
			r.RemoteAddr = netip.AddrPortFrom(ip, peer.Port()).String()
		}
		next.ServeHTTP(w, r)
	})
}

// ClientAddress is the IP address a request comes from: of the client, or of a
// proxy before us that is not among Config.Proxies.
func ClientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// ClientKey is the key under which a request's address is limited. IPv6 clients
// own whole networks, so there it is the /64.
func ClientKey(r *http.Request) string {
	host := ClientAddress(r)
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, _ := ip.WithZone("").Prefix(64)
	return network.String()
}
