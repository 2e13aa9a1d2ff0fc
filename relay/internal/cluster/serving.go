package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
)

// Times of asking whether a relay still serves.
const (
	askAfter = time.Second // of silence
	askAgain = time.Second
	askTime  = 700 * time.Millisecond
)

// doubt asks relays that are silent whether they still serve probes: where a
// firewall has closed the cluster's port, all is well with the probes, and nobody
// may take them. Called with mu held.
func (c *Cluster) doubt(ctx context.Context, p *peer, now time.Time) {
	if p.dead || p.left || p.asking || now.Sub(p.heard) < askAfter || now.Sub(p.asked) < askAgain {
		return
	}
	certificate, err := wire.ParseCertificate(p.order.Certificate)
	if err != nil || p.order.Serves == "" {
		return
	}
	p.asking, p.asked = true, now
	address := p.order.Serves
	go func() {
		serves := answers(ctx, address, certificate.Key)
		c.mu.Lock()
		defer c.mu.Unlock()
		p.asking = false
		if serves {
			p.serving = time.Now()
		}
	}()
}

// answers reports whether the relay with this key answers handshakes there, as it
// does a probe's: only who holds the key can.
func answers(ctx context.Context, address string, key [32]byte) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	nobody, err := handshake.NewKeypair(rand.Reader) // a stranger, to it
	if err != nil {
		return false
	}
	var index [4]byte
	rand.Read(index[:]) // never fails since Go 1.24
	initiator, first, err := handshake.Initiate(nobody, key, binary.BigEndian.Uint32(index[:]), nil, rand.Reader)
	if err != nil {
		return false
	}
	if _, err := conn.Write(first); err != nil {
		return false
	}
	if err := conn.SetReadDeadline(time.Now().Add(askTime)); err != nil {
		return false
	}
	answer := make([]byte, wire.MaxDatagram)
	for {
		n, err := conn.Read(answer)
		if err != nil {
			return false // such as ICMP's word that nobody listens there
		}
		if _, _, err := initiator.Finish(answer[:n]); err == nil {
			return true
		}
		if _, err := initiator.OpenCookie(answer[:n]); err == nil {
			return true // it is there, and busy
		}
	}
}
