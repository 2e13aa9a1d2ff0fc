package udp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"assimilation/wire"
)

// bufferSize is what the kernel is asked to hold for us: a second of a site of
// 100,000 hosts. It gives less where net.core.rmem_max is lower.
const bufferSize = 8 << 20

// rejoin is how often the groups are joined anew, for interfaces that came
// after the start.
const rejoin = 30 * time.Second

// Socket is one port, on IPv4 and IPv6.
type Socket struct {
	v4, v6 *net.UDPConn // nil where the address is of the other family
	log    *slog.Logger
	drop   func(reason string)
}

// Listen opens the port of an address "host:port"; without a host, on all
// addresses of both families. drop counts what the kernel would not send.
func Listen(address string, log *slog.Logger, drop func(string)) (*Socket, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", address, err)
	}
	s := &Socket{log: log, drop: drop}
	var err4, err6 error
	s.v4, err4 = listen("udp4", address)
	s.v6, err6 = listen("udp6", address)
	switch {
	case s.v4 == nil && s.v6 == nil:
		return nil, fmt.Errorf("listening on %s: %w", address, errors.Join(err4, err6))
	case host == "" && err4 != nil:
		// The port belongs to somebody else: half a relay would hide that.
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", address, err4), s.Close())
	}
	return s, nil
}

func listen(network, address string) (*net.UDPConn, error) {
	resolved, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP(network, resolved)
	if err != nil {
		return nil, err
	}
	// Best effort: a small buffer drops sooner, and drops are made good.
	_ = conn.SetReadBuffer(bufferSize)
	_ = conn.SetWriteBuffer(bufferSize)
	return conn, nil
}

// Address is where the socket listens; IPv4 if it does.
func (s *Socket) Address() netip.AddrPort {
	conn := s.v4
	if conn == nil {
		conn = s.v6
	}
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Close ends Read.
func (s *Socket) Close() error {
	var errs []error
	for _, conn := range s.conns() {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

func (s *Socket) conns() []*net.UDPConn {
	var conns []*net.UDPConn
	for _, conn := range []*net.UDPConn{s.v4, s.v6} {
		if conn != nil {
			conns = append(conns, conn)
		}
	}
	return conns
}

// Send puts a datagram on the wire. What the kernel refuses is counted: to a
// sender it is one more lost datagram.
func (s *Socket) Send(datagram []byte, to netip.AddrPort) {
	conn := s.v6
	if to.Addr().Unmap().Is4() {
		conn, to = s.v4, netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	}
	if conn == nil {
		s.drop("no socket of the family")
		return
	}
	if _, err := conn.WriteToUDPAddrPort(datagram, to); err != nil {
		s.drop("not sent")
		s.log.Debug("sending a datagram", "to", to, "error", err)
	}
}

// Join joins the multicast groups on every interface that can, now and then
// again, until ctx ends.
func (s *Socket) Join(ctx context.Context) {
	ticker := time.NewTicker(rejoin)
	defer ticker.Stop()
	for {
		s.joinAll()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// joinAll ignores the errors of single interfaces: one that is joined already
// says so by an error, too.
func (s *Socket) joinAll() {
	interfaces, err := net.Interfaces()
	if err != nil {
		s.log.Warn("listing interfaces to join the multicast groups", "error", err)
		return
	}
	group4 := &net.UDPAddr{IP: net.ParseIP(wire.MulticastIPv4)}
	group6 := &net.UDPAddr{IP: net.ParseIP(wire.MulticastIPv6)}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 {
			continue
		}
		if s.v4 != nil {
			err := ipv4.NewPacketConn(s.v4).JoinGroup(&i, group4)
			s.log.Debug("joining", "group", group4.IP, "interface", i.Name, "error", err)
		}
		if s.v6 != nil {
			err := ipv6.NewPacketConn(s.v6).JoinGroup(&i, group6)
			s.log.Debug("joining", "group", group6.IP, "interface", i.Name, "error", err)
		}
	}
}
