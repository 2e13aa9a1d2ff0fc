package agent_test

import (
	"net/netip"
	"sync"

	"assimilation/probe/internal/udp"
)

// network carries datagrams between sockets in memory. A full queue drops, as
// the real one does.
type network struct {
	mu      sync.Mutex
	sockets map[netip.AddrPort]*socket
	group   map[netip.AddrPort]bool // members of the multicast group
	lose    func(from, to netip.AddrPort, datagram []byte) bool
}

func newNetwork() *network {
	return &network{sockets: map[netip.AddrPort]*socket{}, group: map[netip.AddrPort]bool{}}
}

type socket struct {
	net     *network
	address netip.AddrPort
	inbox   chan udp.Datagram
	refused chan netip.AddrPort
	sent    int
}

func (n *network) open(address string) *socket {
	s := &socket{net: n, address: netip.MustParseAddrPort(address), inbox: make(chan udp.Datagram, 4096), refused: make(chan netip.AddrPort, 64)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sockets[s.address] = s
	return s
}

func (n *network) join(s *socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.group[s.address] = true
}

func (n *network) setLoss(lose func(from, to netip.AddrPort, datagram []byte) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lose = lose
}

func (n *network) socketAt(address string) *socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sockets[netip.MustParseAddrPort(address)]
}

func (n *network) sent(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sockets[netip.MustParseAddrPort(address)].sent
}

func (s *socket) Received() <-chan udp.Datagram  { return s.inbox }
func (s *socket) Port() uint16                   { return s.address.Port() }
func (s *socket) StandIn() uint16                { return s.address.Port() }
func (s *socket) Refused() <-chan netip.AddrPort { return s.refused }

func (s *socket) Send(to netip.AddrPort, datagram []byte) error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.sent++
	target := s.net.sockets[to]
	if target == nil || (s.net.lose != nil && s.net.lose(s.address, to, datagram)) {
		return nil
	}
	select {
	case target.inbox <- udp.Datagram{From: s.address, Data: append([]byte(nil), datagram...)}:
	default:
	}
	return nil
}

func (s *socket) Announce(datagram []byte) error {
	s.net.mu.Lock()
	var members []netip.AddrPort
	for m := range s.net.group {
		members = append(members, m)
	}
	s.net.mu.Unlock()
	for _, m := range members {
		if err := s.Send(m, datagram); err != nil {
			return err
		}
	}
	return nil
}

func (s *socket) Close() error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	if s.net.sockets[s.address] == s {
		delete(s.net.sockets, s.address)
		delete(s.net.group, s.address)
	}
	return nil
}
