// Package udp is the probe's only way to the network: one port, IPv4 and IPv6,
// announces by multicast on every interface that can, word of hosts where nobody
// listens, and a TCP port at which the kernel stands in for the probe.
package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"assimilation/wire"
)

const (
	multicastTTL = 8 // crosses a site's routers, not the world
	queue        = 64
	sendTries    = 4
	readPause    = 100 * time.Millisecond
)

// Datagram is one received datagram and its sender.
type Datagram struct {
	From netip.AddrPort
	Data []byte
}

// Socket sends and receives. Send and Announce are for one goroutine.
type Socket struct {
	v4, v6   *net.UDPConn     // either may be nil
	standIn  *net.TCPListener // may be nil
	received chan Datagram
	refused  chan netip.AddrPort
	closed   chan struct{}
	readers  sync.WaitGroup
}

// Open binds the port on all addresses, or on one if address is not empty
// ("host:port"; port 0: any). The port of the probe protocol is taken if
// nobody has it, and any other if somebody has: a relay on the same host, or
// a second probe.
func Open(address string) (*Socket, error) {
	s := &Socket{received: make(chan Datagram, queue), refused: make(chan netip.AddrPort, queue), closed: make(chan struct{})}
	var err error
	if address != "" {
		err = s.bindOne(address)
	} else if err = s.bindAll(wire.Port); err != nil {
		err = s.bindAll(0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the probe's UDP port: %w", err)
	}
	var ip net.IP
	for _, c := range []*net.UDPConn{s.v4, s.v6} {
		if c == nil {
			continue
		}
		_ = errorQueue(c, c == s.v6) // without it refusals go unnoticed, as on other systems
		ip = c.LocalAddr().(*net.UDPAddr).IP
		s.readers.Go(func() { s.read(c) })
	}
	if s.standIn = openStandIn(ip, s.Port()); s.standIn != nil {
		s.readers.Go(s.turnAway)
	}
	return s, nil
}

// OpenAny binds any free port.
func OpenAny() (*Socket, error) { return Open(":0") }

func (s *Socket) bindOne(address string) error {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	if len(addr.IP) == 0 {
		return s.bindAll(addr.Port)
	}
	if addr.IP.To4() != nil {
		s.v4, err = net.ListenUDP("udp4", addr)
	} else {
		s.v6, err = net.ListenUDP("udp6", addr)
	}
	return err
}

// bindAll binds both families to the same port. A host without one of them is
// served by the other.
func (s *Socket) bindAll(port int) (err error) {
	var err4, err6 error
	s.v4, err4 = net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	if errors.Is(err4, syscall.EADDRINUSE) {
		return err4 // half of a port would help nobody
	}
	if s.v4 != nil {
		port = s.v4.LocalAddr().(*net.UDPAddr).Port
	}
	s.v6, err6 = net.ListenUDP("udp6", &net.UDPAddr{Port: port})
	if errors.Is(err6, syscall.EADDRINUSE) && s.v4 != nil {
		s.v4.Close()
		s.v4 = nil
	}
	if s.v4 == nil && s.v6 == nil {
		return errors.Join(err4, err6)
	}
	return nil
}

func (s *Socket) read(c *net.UDPConn) {
	buffer := make([]byte, wire.MaxDatagram+1) // one more, so that what is too long shows
	failed := false
	for {
		n, from, err := c.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Most are about a datagram that was sent, and told once (udp(7)).
			if s.noteRefusals(c) || !failed {
				failed = true
				continue
			}
			select { // an interface that just vanished; not in a tight loop
			case <-time.After(readPause):
				continue
			case <-s.closed:
				return
			}
		}
		failed = false
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		select {
		case s.received <- Datagram{from, slices.Clone(buffer[:n])}:
		case <-s.closed:
			return
		}
	}
}

// noteRefusals passes on who refused datagrams of ours; false: nobody said
// anything.
func (s *Socket) noteRefusals(c *net.UDPConn) bool {
	from, any := refusals(c)
	for _, f := range from {
		select {
		case s.refused <- f:
		default: // the next datagram will be refused too
		}
	}
	return any
}

// Received delivers datagrams until Close.
func (s *Socket) Received() <-chan Datagram { return s.received }

// Refused delivers the addresses of hosts that have answered a datagram with "port
// unreachable", as far as the system tells. Anybody can forge such an answer.
func (s *Socket) Refused() <-chan netip.AddrPort { return s.refused }

// Send sends one datagram. Losing it is no error; having no way to send is.
func (s *Socket) Send(to netip.AddrPort, datagram []byte) error {
	c := s.v4
	if !to.Addr().Unmap().Is4() {
		c = s.v6
	}
	if c == nil {
		return fmt.Errorf("sending to %s: this host or --listen has no such address family", to)
	}
	var err error
	for range sendTries {
		if _, err = c.WriteToUDPAddrPort(datagram, to); err == nil {
			return nil
		}
		// It may be about an earlier datagram, to somebody else, and then this one
		// was not sent (udp(7)).
		s.noteRefusals(c)
	}
	return err
}

// Announce sends one datagram to the multicast groups, once per interface.
func (s *Socket) Announce(datagram []byte) error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("listing interfaces: %w", err)
	}
	sent := false
	var last error
	for _, ifi := range interfaces {
		if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagMulticast == 0 {
			continue
		}
		for _, send := range []func(*net.Interface, []byte) error{s.announce4, s.announce6} {
			if err := send(&ifi, datagram); err != nil {
				last = fmt.Errorf("announcing on %s: %w", ifi.Name, err)
			} else {
				sent = true
			}
		}
	}
	if !sent && last == nil {
		last = errors.New("no interface is up that can multicast")
	}
	if sent {
		return nil
	}
	return last
}

func (s *Socket) announce4(ifi *net.Interface, datagram []byte) error {
	if s.v4 == nil {
		return errors.New("no IPv4")
	}
	if err := multicast4(s.v4, ifi); err != nil {
		return err
	}
	return s.Send(netip.AddrPortFrom(netip.MustParseAddr(wire.MulticastIPv4), wire.Port), datagram)
}

func (s *Socket) announce6(ifi *net.Interface, datagram []byte) error {
	if s.v6 == nil {
		return errors.New("no IPv6")
	}
	if err := multicast6(s.v6, ifi); err != nil {
		return err
	}
	return s.Send(netip.AddrPortFrom(netip.MustParseAddr(wire.MulticastIPv6), wire.Port), datagram)
}

// Port is the port the probe is reachable at.
func (s *Socket) Port() uint16 {
	c := s.v4
	if c == nil {
		c = s.v6
	}
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// StandIn is the TCP port at which the kernel answers for the probe; 0: none.
func (s *Socket) StandIn() uint16 {
	if s.standIn == nil {
		return 0
	}
	return s.standIn.Addr().(*net.TCPAddr).AddrPort().Port()
}

// Close ends reception.
func (s *Socket) Close() error {
	close(s.closed)
	var errs []error
	for _, c := range []*net.UDPConn{s.v4, s.v6} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if s.standIn != nil {
		errs = append(errs, s.standIn.Close())
	}
	s.readers.Wait()
	return errors.Join(errs...)
}
