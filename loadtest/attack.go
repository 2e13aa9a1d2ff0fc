package loadtest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/blake2s"
	"golang.org/x/net/ipv4"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

// Attack is a flood of Handshake1 packets.
type Attack struct {
	Rate int // packets per second
	// Sources is how many addresses of 127.0.0.0/8 they come from.
	Sources int
	// Genuine packets are first messages of the real handshake under keys of
	// nobody; else only mac1 is right, and the rest is noise.
	Genuine bool
}

const (
	attackPool = 512 // distinct packets
	attackTick = 2 * time.Millisecond
)

// attacker sends an attack at a relay.
type attacker struct {
	Attack
	Sent atomic.Int64

	packets [][]byte
	conn    *ipv4.PacketConn
	relay   netip.AddrPort
}

func newAttacker(a Attack, relay netip.AddrPort, key [32]byte) (*attacker, error) {
	conn, err := net.ListenUDP("udp4", nil) // unbound: each packet chooses its source
	if err != nil {
		return nil, fmt.Errorf("opening the attacker's socket: %w", err)
	}
	at := &attacker{Attack: a, conn: ipv4.NewPacketConn(conn), relay: relay}
	for range attackPool {
		packet, err := a.packet(key)
		if err != nil {
			return nil, err
		}
		at.packets = append(at.packets, packet)
	}
	return at, nil
}

func (a Attack) packet(key [32]byte) ([]byte, error) {
	stranger, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		return nil, err
	}
	_, packet, err := handshake.Initiate(stranger, key, mrand.Uint32(), nil, rand.Reader)
	if err != nil || a.Genuine {
		return packet, err
	}
	body := packet[:len(packet)-2*wire.MACSize]
	rand.Read(body[6:])
	label := blake2s.Sum256(append([]byte("mac1----"), key[:]...))
	mac, err := blake2s.New128(label[:])
	if err != nil {
		return nil, err
	}
	mac.Write(body)
	return append(mac.Sum(body), make([]byte, wire.MACSize)...), nil
}

// run floods until ctx ends. Answers are left in the socket's buffer, as one who
// forges addresses never sees them.
func (a *attacker) run(ctx context.Context) {
	defer a.conn.Close()
	ticker := time.NewTicker(attackTick)
	defer ticker.Stop()
	started := time.Now()
	to := net.UDPAddrFromAddrPort(a.relay)
	control := ipv4.ControlMessage{Src: make(net.IP, 4)}
	for {
		select {
		case now := <-ticker.C:
			due := int64(now.Sub(started).Seconds() * float64(a.Rate))
			for a.Sent.Load() < due && ctx.Err() == nil {
				n := a.Sent.Add(1)
				binary.BigEndian.PutUint32(control.Src, 127<<24|1<<16|uint32(n%int64(a.Sources))+1)
				// What the kernel refuses is one packet less.
				_, _ = a.conn.WriteTo(a.packets[n%attackPool], &control, to)
			}
		case <-ctx.Done():
			return
		}
	}
}

// certificateOf asks a relay who it is.
func certificateOf(ctx context.Context, relay netip.AddrPort) (wire.Certificate, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(relay))
	if err != nil {
		return wire.Certificate{}, err
	}
	defer conn.Close()
	var nonce [8]byte
	rand.Read(nonce[:])
	answer := make([]byte, wire.MaxDatagram)
	for ctx.Err() == nil {
		if _, err := conn.Write(wire.Announce{Nonce: nonce}.Append(nil)); err != nil {
			return wire.Certificate{}, fmt.Errorf("asking %s for its certificate: %w", relay, err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return wire.Certificate{}, err
		}
		n, err := conn.Read(answer)
		if err != nil {
			continue
		}
		if reply, err := wire.ParseAnnounceReply(answer[:n]); err == nil && reply.Nonce == nonce {
			return reply.Certificate, nil
		}
	}
	return wire.Certificate{}, ctx.Err()
}
