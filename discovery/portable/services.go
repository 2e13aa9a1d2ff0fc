package portable

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/process"
	kind "assimilation/discovery/sockets"
)

// Socket is one as the systems tell it.
type Socket struct {
	protocol      string // tcp, udp
	local, remote netip.AddrPort
	listening     bool
	owner         owner
}

// owner is who holds a socket.
type owner struct {
	name, exe string
	argv      []string
	uid       int64
}

// Limits of one fact.
const (
	maxServices  = 2000
	maxEndpoints = 10_000 // of one service, each way
	pollSockets  = 30 * time.Second
)

// services returns the collector of the kind "sockets".
func services(list func(context.Context) ([]Socket, error)) discovery.Collector {
	seen := &remembered{clients: map[client]time.Time{}}
	return single(slowly(kind.Kind, pollSockets), func(ctx context.Context) (kind.Facts, error) {
		sockets, err := list(ctx)
		if err != nil {
			return kind.Facts{}, fmt.Errorf("listing sockets: %w", err)
		}
		own, err := net.InterfaceAddrs()
		if err != nil {
			return kind.Facts{}, fmt.Errorf("listing addresses: %w", err)
		}
		return seen.facts(sockets, ownAddresses(own), time.Now())
	})
}

// client is a connection that somebody here opened.
type client struct {
	service, protocol string
	remote            netip.AddrPort
}

// remembered are services, and the clients among them for as long as the kind says.
type remembered struct {
	mu      sync.Mutex
	clients map[client]time.Time
	who     map[string]kind.Service
}

func (s *remembered) facts(sockets []Socket, own []netip.Addr, now time.Time) (kind.Facts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	listens, who := s.see(sockets, own, now)
	connects := map[string][]kind.Connect{}
	for c, at := range s.clients {
		if now.Sub(at) > kind.KeepClient {
			delete(s.clients, c)
			continue
		}
		who[c.service] = s.who[c.service]
		connects[c.service] = append(connects[c.service], kind.Connect{Protocol: c.protocol, IP: c.remote.Addr().String(), Port: int64(c.remote.Port())})
	}
	s.who = who
	facts := kind.Facts{Services: []kind.Service{}}
	cut := false
	for key, service := range who {
		service.Listens, service.Connects = sorted(listens[key], listenOrder), sorted(connects[key], connectOrder)
		cut = cut || len(service.Listens) > maxEndpoints || len(service.Connects) > maxEndpoints
		service.Listens, service.Connects = service.Listens[:min(len(service.Listens), maxEndpoints)], service.Connects[:min(len(service.Connects), maxEndpoints)]
		facts.Services = append(facts.Services, service)
	}
	slices.SortFunc(facts.Services, func(a, b kind.Service) int {
		return cmp.Or(cmp.Compare(a.Exe, b.Exe), slices.Compare(a.Argv, b.Argv), cmp.Compare(a.UID, b.UID), cmp.Compare(a.GID, b.GID), cmp.Compare(a.Name, b.Name))
	})
	if cut || len(facts.Services) > maxServices {
		facts.Services = facts.Services[:min(len(facts.Services), maxServices)]
		return facts, &discovery.Degraded{What: fmt.Sprintf("more than %d services, or one with more than %d endpoints", maxServices, maxEndpoints)}
	}
	return facts, nil
}

// see tells listeners from clients: who connects from a port at which somebody of
// the same protocol listens is a server.
func (s *remembered) see(sockets []Socket, own []netip.Addr, now time.Time) (listens map[string][]kind.Listen, who map[string]kind.Service) {
	type port struct {
		protocol string
		number   uint16
	}
	served := map[port]bool{}
	for _, k := range sockets {
		if k.listening {
			served[port{k.protocol, k.local.Port()}] = true
		}
	}
	listens, who = map[string][]kind.Listen{}, map[string]kind.Service{}
	if s.who == nil {
		s.who = map[string]kind.Service{}
	}
	for _, k := range sockets {
		key, service := identity(k.owner)
		switch {
		case k.listening:
			who[key] = service
			listens[key] = append(listens[key], endpoints(k, own)...)
		case k.remote.IsValid() && k.remote.Port() != 0 && !served[port{k.protocol, k.local.Port()}]:
			s.who[key] = service
			remote := netip.AddrPortFrom(k.remote.Addr().WithZone(""), k.remote.Port())
			s.clients[client{key, k.protocol, remote}] = now
		}
	}
	return listens, who
}

// ownAddresses are those that a wildcard stands for.
func ownAddresses(all []net.Addr) (own []netip.Addr) {
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(withoutZone(a.String())); err == nil && !prefix.Addr().IsLinkLocalUnicast() {
			own = append(own, prefix.Addr())
		}
	}
	return own
}

// endpoints are where a socket listens: a wildcard at each address of its family.
func endpoints(k Socket, own []netip.Addr) (all []kind.Listen) {
	at := k.local.Addr()
	l := kind.Listen{Protocol: k.protocol, IP: at.WithZone("").String(), Port: int64(k.local.Port()), Device: clean(at.Zone())}
	if !at.IsUnspecified() {
		return []kind.Listen{l}
	}
	l.Wildcard = l.IP
	for _, a := range own {
		if a.Is4() == at.Is4() {
			l.IP = a.String()
			all = append(all, l)
		}
	}
	return all
}

func identity(o owner) (string, kind.Service) {
	name := cmp.Or(clean(path.Base(strings.ReplaceAll(o.exe, `\`, "/"))), clean(o.name), "unknown")
	if o.exe == "" {
		name = cmp.Or(clean(o.name), "unknown")
	}
	service := kind.Service{Name: name, Exe: discovery.Clean(o.exe, 1024), Argv: process.Arguments(o.argv), UID: o.uid, GID: -1}
	return strings.Join(append([]string{service.Exe, service.Name, fmt.Sprint(o.uid)}, service.Argv...), "\x00"), service
}

func listenOrder(a, b kind.Listen) int {
	return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Device, b.Device))
}

func connectOrder(a, b kind.Connect) int {
	return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port))
}

// sorted leaves one of each.
func sorted[T any](items []T, order func(a, b T) int) []T {
	slices.SortFunc(items, order)
	return slices.CompactFunc(items, func(a, b T) bool { return order(a, b) == 0 })
}
