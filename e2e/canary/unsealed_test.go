package canary_test

import (
	"crypto/ed25519"
	"crypto/rand"
	mathrand "math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// confidant is a relay that the site's own key certified, and that writes down
// what a probe tells it.
type confidant struct {
	t           *testing.T
	conn        *net.UDPConn
	key         handshake.Keypair
	certificate wire.Certificate

	peer  *net.UDPAddr
	link  *link.Link
	heard [][]byte
}

// listenUnsealed runs a real probe against a confidant until it has told
// enough, and returns the messages as they are under the seal.
func listenUnsealed(t *testing.T, w *world.World, host string, token tenancy.Token, enough func([][]byte) bool) [][]byte {
	t.Helper()
	c := &confidant{t: t}
	var err error
	if c.key, err = handshake.NewKeypair(rand.Reader); err != nil {
		t.Fatal(err)
	}
	c.certificate = wire.Certificate{
		Relay: tenancy.NewID[tenancy.RelayID]().UUID, Site: tenancy.NewID[tenancy.SiteID]().UUID, Key: c.key.Public,
		NotBefore: time.Now().Add(-time.Hour).Unix(), NotAfter: time.Now().Add(time.Hour).Unix(),
	}.Sign(siteKey(t, w))
	if c.conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	p := w.Probe(world.Node{Name: "confiding", Host: host, Relay: c.conn.LocalAddr().String(), Token: token.String()})
	defer p.Kill()
	deadline := time.Now().Add(time.Minute)
	for !enough(c.heard) && time.Now().Before(deadline) {
		c.step()
	}
	return c.heard
}

func siteKey(t *testing.T, w *world.World) ed25519.PrivateKey {
	t.Helper()
	db, master := vault(t, w)
	var tenant tenancy.TenantID
	var site tenancy.SiteID
	var wrapped []byte
	err := db.Global(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT id FROM assim.tenants`).Scan(&tenant)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT id, site_private FROM assim.sites`).Scan(&site, &wrapped)
	})
	if err != nil {
		t.Fatal(err)
	}
	private, err := master.Unwrap(keys.OfSite(site), wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if len(private) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(private)
	}
	return ed25519.PrivateKey(private)
}

// step handles one datagram, or the lack of one.
func (c *confidant) step() {
	wake := time.Now().Add(time.Second)
	if c.link != nil {
		datagrams, next := c.link.Poll(time.Now())
		for _, d := range datagrams {
			c.send(d, c.peer)
		}
		if !next.IsZero() && next.Before(wake) {
			wake = next
		}
	}
	if err := c.conn.SetReadDeadline(wake); err != nil {
		c.t.Fatal(err)
	}
	buf := make([]byte, 65536)
	n, from, err := c.conn.ReadFromUDP(buf)
	if err != nil {
		return // nothing came in time
	}
	datagram := buf[:n]
	kind, err := wire.PacketType(datagram)
	if err != nil {
		c.t.Fatal(err)
	}
	switch kind {
	case wire.PacketAnnounce:
		announce, err := wire.ParseAnnounce(datagram)
		if err != nil {
			c.t.Fatal(err)
		}
		c.send(wire.AnnounceReply{Nonce: announce.Nonce, Certificate: c.certificate}.Append(nil), from)
	case wire.PacketHandshake1:
		s, reply, _, _, err := handshake.Respond(c.key, 1, datagram, nil, rand.Reader)
		if err != nil {
			c.t.Fatal(err)
		}
		c.send(reply, from)
		s.Start(time.Now())
		c.link, c.peer = link.New(s, time.Now(), mathrand.Float64), from
	case wire.PacketTransport:
		if c.link == nil {
			return
		}
		events, err := c.link.Receive(time.Now(), datagram)
		if err != nil {
			c.t.Logf("datagram dropped: %v", err)
		}
		for _, e := range events {
			if received, ok := e.(link.Received); ok {
				c.hear(received)
			}
		}
	}
}

func (c *confidant) send(datagram []byte, to *net.UDPAddr) {
	if _, err := c.conn.WriteToUDP(datagram, to); err != nil {
		c.t.Fatal(err)
	}
}

// hear writes a message down and answers it as a relay would.
func (c *confidant) hear(r link.Received) {
	c.heard = append(c.heard, plain(r.Message))
	c.link.Done(r.ID)
	host := make([]byte, 16)
	host[0] = 1
	switch m := r.Message.(type) {
	case *wire.Enrol:
		c.answer(&wire.Enrolled{Host: host})
	case *wire.Hello:
		c.answer(&wire.Configure{Host: host, Term: 1, EchoInterval: 30_000, Time: time.Now().UnixMilli()})
	case *wire.Digests:
		c.answer(&wire.Need{Facts: m.Facts})
	}
}

func (c *confidant) answer(m wire.Message) {
	if _, err := c.link.Send(time.Now(), m); err != nil {
		c.t.Fatal(err)
	}
}

// plain is what of a message would stand on the wire if nothing were sealed or
// compressed.
func plain(m wire.Message) []byte {
	switch m := m.(type) {
	case *wire.Enrol:
		return append([]byte(m.HostName+"\x00"), m.Secret...)
	case *wire.Hello:
		return []byte(m.HostName)
	case *wire.FactPut:
		return m.Body
	}
	return nil
}
