package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/time/rate"
)

const shakeTime = 5 * time.Second

// transport carries memberlist's packets by UDP, which memberlist encrypts, and
// everything else over one TCP port under TLS: memberlist's streams and ours.
type transport struct {
	log      *slog.Logger
	packets  net.PacketConn
	listener net.Listener
	local    netip.AddrPort // as others reach it
	config   *tls.Config    // of both ends
	inbox    chan *memberlist.Packet
	gossip   chan net.Conn
	streams  chan *tls.Conn // ours
	entrance *entrance
	complain *rate.Limiter

	end     context.CancelFunc
	ended   context.Context
	running sync.WaitGroup
}

func listen(address string, local netip.AddrPort, config *tls.Config, log *slog.Logger) (*transport, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for other relays: %w", err)
	}
	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), uint16(listener.Addr().(*net.TCPAddr).Port))
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	packets, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for other relays: %w", err), listener.Close())
	}
	t := &transport{
		log: log, packets: packets, listener: listener, local: local, config: config, inbox: make(chan *memberlist.Packet, 64),
		gossip: make(chan net.Conn), streams: make(chan *tls.Conn), entrance: newEntrance(), complain: newComplaints(),
	}
	t.ended, t.end = context.WithCancel(context.Background())
	t.running.Go(t.receive)
	t.running.Go(t.accept)
	return t, nil
}

func (t *transport) receive() {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := t.packets.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // such as an ICMP error for something we sent
		}
		packet := &memberlist.Packet{Buf: append([]byte{}, buffer[:n]...), From: from, Timestamp: time.Now()}
		select {
		case t.inbox <- packet:
		case <-t.ended.Done():
			return
		}
	}
}

func (t *transport) accept() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // no descriptors: others may free some
			case <-time.After(100 * time.Millisecond):
				continue
			case <-t.ended.Done():
				return
			}
		}
		leave, ok := t.entrance.enter(conn, time.Now())
		if !ok {
			_ = conn.Close() // more than a site's relays have reason to
			continue
		}
		t.running.Go(func() { t.sort(conn); leave() })
	}
}

// sort hands a connection to whom it is for, when it has proved to be a relay's.
func (t *transport) sort(conn net.Conn) {
	secure := tls.Server(conn, t.config)
	ctx, cancel := context.WithTimeout(t.ended, shakeTime)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		if t.complain.Allow() {
			t.log.Warn("turning away who calls itself a relay", "address", conn.RemoteAddr(), "error", err)
		}
		_ = conn.Close()
		return
	}
	switch secure.ConnectionState().NegotiatedProtocol {
	case streamProtocol:
		select {
		case t.streams <- secure:
			return
		case <-t.ended.Done():
		}
	case gossipProtocol:
		select {
		case t.gossip <- secure:
			return
		case <-t.ended.Done():
		}
	}
	_ = secure.Close()
}

// dial opens a connection for a purpose to who satisfies config.
func dial(ctx context.Context, address, protocol string, config *tls.Config) (*tls.Conn, error) {
	config = config.Clone()
	config.NextProtos = []string{protocol}
	ctx, cancel := context.WithTimeout(ctx, shakeTime)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

// The rest is memberlist.Transport.

func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.local.Addr().AsSlice(), int(t.local.Port()), nil
}

func (t *transport) WriteTo(b []byte, address string) (time.Time, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return time.Time{}, err
	}
	_, err = t.packets.WriteTo(b, to)
	return time.Now(), err
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.inbox }

func (t *transport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ended, timeout)
	defer cancel()
	return dial(ctx, address, gossipProtocol, t.config)
}

func (t *transport) StreamCh() <-chan net.Conn { return t.gossip }

func (t *transport) Shutdown() error {
	t.end()
	err := errors.Join(t.listener.Close(), t.packets.Close())
	t.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil // for the second time
	}
	return err
}
