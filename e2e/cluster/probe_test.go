package cluster_test

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/os"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

const (
	changeEvery = 150 * time.Millisecond
	helloAgain  = 2 * time.Second
	lostAfter   = 5 * time.Second
)

// probe is a simulated one: it changes one fact again and again, and remembers
// what it was told is durable.
type probe struct {
	name  string
	token tenancy.Token
	key   handshake.Keypair
	conn  *net.UDPConn
	// relays are where it looks for one, in turn.
	relays []netip.AddrPort
	tries  int

	// Of its goroutine.
	nonce    [8]byte
	shakes   map[uint32]*shake
	rung     map[uint32]*talk
	talk     *talk
	enrolled bool
	n        int
	fact     discovery.Fact
	flying   map[uint32]discovery.Hash
	next     time.Time

	mu     sync.Mutex
	acked  []discovery.Hash
	served []service
}

type shake struct {
	initiator *handshake.Initiator
	relay     wire.Certificate
	to        netip.AddrPort
}

// talk is a session.
type talk struct {
	link    *link.Link
	relay   wire.Certificate
	address netip.AddrPort
	ready   bool // the relay knows what the probe has
}

// service is when a relay had taken the probe on.
type service struct {
	relay tenancy.RelayID
	at    time.Time
}

func newProbe(t testing.TB, name string, token tenancy.Token, relays ...string) *probe {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &probe{
		name: name, token: token, key: key, conn: conn,
		shakes: map[uint32]*shake{}, rung: map[uint32]*talk{}, flying: map[uint32]discovery.Hash{},
	}
	for _, r := range relays {
		p.relays = append(p.relays, netip.MustParseAddrPort(r))
	}
	p.change()
	return p
}

// change makes the next state of its fact.
func (p *probe) change() {
	p.n++
	fact, err := discovery.NewFact(os.Kind, "", os.Facts{
		Release: os.Release{ID: "debian", VersionID: "12"},
		Kernel:  os.Kernel{Name: "Linux", Release: fmt.Sprintf("6.1.%d-%s", p.n, p.name), Machine: "x86_64"},
	})
	if err != nil {
		panic(err) // the test's own fact
	}
	p.fact = fact
}

// run lives until the socket is closed.
func (p *probe) run() {
	buffer := make([]byte, wire.MaxDatagram+1)
	p.announce()
	for {
		now := time.Now()
		wake := now.Add(changeEvery)
		if p.talk != nil && now.Sub(p.talk.link.LastHeard()) > lostAfter {
			p.talk = nil // an answer that came late began it with a relay that has died
		}
		if p.talk != nil {
			if p.talk.ready && !now.Before(p.next) && len(p.flying) < 4 {
				p.next = now.Add(changeEvery)
				p.change()
				p.put(now)
			}
			datagrams, poll := p.talk.link.Poll(now)
			for _, d := range datagrams {
				p.send(d, p.talk.address)
			}
			if !poll.IsZero() && poll.Before(wake) {
				wake = poll
			}
		} else if now.After(p.next) {
			p.announce()
		}
		p.conn.SetReadDeadline(wake)
		n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
		if err == nil {
			p.receive(time.Now(), buffer[:n], from)
		} else if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			if _, closed := err.(*net.OpError); closed && p.closed() {
				return
			}
		}
	}
}

func (p *probe) closed() bool { return p.conn.SetReadDeadline(time.Time{}) != nil }

func (p *probe) send(d []byte, to netip.AddrPort) { p.conn.WriteToUDPAddrPort(d, to) }

func (p *probe) announce() {
	p.next = time.Now().Add(helloAgain)
	relay := p.relays[p.tries%len(p.relays)]
	p.tries++
	rand.Read(p.nonce[:])
	p.send(wire.Announce{Fingerprint: wire.Fingerprint(p.key.Public), SiteHint: wire.SiteHint(p.token.Pin[:]), Nonce: p.nonce}.Append(nil), relay)
}

func (p *probe) begin(c wire.Certificate, to netip.AddrPort) {
	index := randomIndex()
	initiator, packet, err := handshake.Initiate(p.key, c.Key, index, nil, rand.Reader)
	if err != nil {
		panic(err)
	}
	p.shakes[index] = &shake{initiator, c, to}
	p.send(packet, to)
}

func randomIndex() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

func (p *probe) receive(now time.Time, datagram []byte, from netip.AddrPort) {
	kind, err := wire.PacketType(datagram)
	if err != nil {
		return
	}
	switch kind {
	case wire.PacketAnnounceReply:
		if reply, err := wire.ParseAnnounceReply(datagram); err == nil && reply.Nonce == p.nonce && p.talk == nil {
			p.begin(reply.Certificate, from)
		}
	case wire.PacketHandshake2:
		index, _ := wire.ReceiverIndex(datagram)
		if s := p.shakes[index]; s != nil {
			if session, _, err := s.initiator.Finish(datagram); err == nil {
				delete(p.shakes, index)
				p.greet(now, &talk{link: link.New(session, now, mathrand.Float64), relay: s.relay, address: from})
			}
		}
	case wire.PacketHandshake1: // a relay calls
		index := randomIndex()
		session, reply, key, payload, err := handshake.Respond(p.key, index, datagram, nil, rand.Reader)
		if err != nil {
			return
		}
		certificate, err := wire.ParseCertificate(payload)
		if err != nil || certificate.Key != key || certificate.Verify(p.token.Pin[:], now) != nil {
			return
		}
		p.rung[index] = &talk{link: link.New(session, now, mathrand.Float64), relay: certificate, address: from}
		p.send(reply, from)
	case wire.PacketTransport:
		index, _ := wire.ReceiverIndex(datagram)
		if rung := p.rung[index]; rung != nil {
			if _, err := rung.link.Receive(now, datagram); err == nil {
				clear(p.rung)
				p.greet(now, rung)
			}
			return
		}
		if p.talk == nil {
			return
		}
		events, err := p.talk.link.Receive(now, datagram)
		if err != nil {
			return
		}
		for _, e := range events {
			p.handle(now, e)
		}
	}
}

// greet begins a session, in the place of another if there is one.
func (p *probe) greet(now time.Time, t *talk) {
	p.talk = t
	clear(p.flying)
	if !p.enrolled {
		p.say(now, &wire.Enrol{TokenID: p.token.ID, Secret: p.token.Secret[:], HostName: p.name, Time: now.UnixMilli()})
		return
	}
	p.say(now, &wire.Hello{AgentVersion: "simulated", HostName: p.name, OS: "linux", Arch: "amd64", Boot: 1, Time: now.UnixMilli()})
}

func (p *probe) say(now time.Time, m wire.Message) uint32 {
	id, err := p.talk.link.Send(now, m)
	if err != nil {
		panic(err)
	}
	return id
}

func (p *probe) put(now time.Time) {
	id := p.say(now, &wire.FactPut{
		Digest: wire.Digest{Kind: p.fact.Kind, Instance: p.fact.Instance, Version: uint8(p.fact.Version), Hash: p.fact.Hash[:]}, Body: p.fact.Body, ObservedAt: now.UnixMilli(),
	})
	p.flying[id] = p.fact.Hash
}

func (p *probe) handle(now time.Time, e link.Event) {
	switch e := e.(type) {
	case link.Received:
		if _, ring := e.Message.(*wire.Ring); ring {
			p.talk.link.Refuse(e.ID, wire.Unsupported) // as a probe of before rings does
			return
		}
		p.talk.link.Done(e.ID)
		p.answer(now, e.Message)
	case link.Delivered:
		if hash, ok := p.flying[e.ID]; ok {
			delete(p.flying, e.ID)
			p.mu.Lock()
			p.acked = append(p.acked, hash)
			p.mu.Unlock()
		}
	case link.Refused:
		delete(p.flying, e.ID)
	}
}

func (p *probe) answer(now time.Time, m wire.Message) {
	switch m := m.(type) {
	case *wire.Enrolled:
		if !p.enrolled {
			p.enrolled = true
			p.say(now, &wire.Hello{AgentVersion: "simulated", HostName: p.name, OS: "linux", Arch: "amd64", Boot: 1, Time: now.UnixMilli()})
		}
	case *wire.Configure:
		p.mu.Lock()
		p.served = append(p.served, service{tenancy.RelayID{UUID: p.talk.relay.Relay}, now})
		p.mu.Unlock()
		p.say(now, &wire.Digests{Kinds: []string{os.Kind.Name}, Facts: []wire.Digest{{
			Kind: p.fact.Kind, Instance: p.fact.Instance, Hash: p.fact.Hash[:], Version: uint8(p.fact.Version)}}})
	case *wire.Need:
		p.talk.ready = true
		if len(m.Facts) > 0 {
			p.put(now)
		}
	case *wire.Redirect:
		if c, err := wire.ParseCertificate(m.Certificate); err == nil && c.Verify(p.token.Pin[:], now) == nil {
			if to, ok := wire.ParseAddress(m.Address); ok {
				p.begin(c, to)
			}
		}
	}
}

// servedBy is when the probe was first served by a relay after a time.
func (p *probe) servedBy(relay tenancy.RelayID, after time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.served {
		if s.relay == relay && s.at.After(after) {
			return s.at, true
		}
	}
	return time.Time{}, false
}

func (p *probe) acknowledged() []discovery.Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]discovery.Hash{}, p.acked...)
}

func (p *probe) now() tenancy.RelayID {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.served) == 0 {
		return tenancy.RelayID{}
	}
	return p.served[len(p.served)-1].relay
}
