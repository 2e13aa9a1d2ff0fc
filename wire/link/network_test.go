package link_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
	"assimilation/wire/session"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// random is a reproducible source for keys and accidents.
func random(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	s[0], s[1] = byte(seed), byte(seed>>8)
	return rand.NewChaCha8(s)
}

// sessions makes the two ends of one session by a real handshake. The peers'
// keys are always the same; the seed is for the ephemeral ones.
func sessions(t testing.TB, seed uint64) (initiator, responder *session.Session) {
	t.Helper()
	source := random(seed)
	a, b := handshake.KeypairFrom([32]byte{1}), handshake.KeypairFrom([32]byte{2})
	i, first, err := handshake.Initiate(a, b.Public, 1, nil, source)
	if err != nil {
		t.Fatal(err)
	}
	responder, reply, _, _, err := handshake.Respond(b, 2, first, nil, source)
	if err != nil {
		t.Fatal(err)
	}
	initiator, _, err = i.Finish(reply)
	if err != nil {
		t.Fatal(err)
	}
	return initiator, responder
}

// peer is one end and the program above it.
type peer struct {
	*link.Link
	wake   time.Time
	handle func(now time.Time, e link.Event)
	errors int
}

type flying struct {
	at       time.Time
	to       int
	datagram []byte
}

// network carries datagrams between two peers in virtual time, and spoils some.
type network struct {
	t      *testing.T
	now    time.Time
	peers  [2]*peer
	flying []flying
	rng    *rand.Rand

	delay, spread   time.Duration // spread reorders
	loss, duplicate float64
	// drop sees every datagram and may lose it.
	drop func(from int, datagram []byte) bool
	sent int
}

func newNetwork(t *testing.T, seed uint64) *network {
	a, b := sessions(t, seed)
	n := &network{t: t, now: epoch, rng: rand.New(rand.NewPCG(seed, 7)), delay: 5 * time.Millisecond}
	for i, s := range []*session.Session{a, b} {
		n.peers[i] = &peer{Link: link.New(s, epoch, n.rng.Float64), handle: func(time.Time, link.Event) {}}
	}
	return n
}

func (n *network) poll(i int) {
	datagrams, wake := n.peers[i].Poll(n.now)
	n.peers[i].wake = wake
	for _, d := range datagrams {
		if len(d) > wire.MaxDatagram {
			n.t.Fatalf("datagram of %d bytes", len(d))
		}
		n.sent++
		if n.drop != nil && n.drop(i, d) {
			continue
		}
		if n.rng.Float64() < n.loss {
			continue
		}
		n.fly(1-i, d)
		if n.rng.Float64() < n.duplicate {
			n.fly(1-i, slices.Clone(d))
		}
	}
}

func (n *network) fly(to int, datagram []byte) {
	at := n.now.Add(n.delay + time.Duration(n.rng.Float64()*float64(n.spread)))
	f := flying{at, to, datagram}
	place, _ := slices.BinarySearchFunc(n.flying, f, func(a, b flying) int {
		return cmp.Or(a.at.Compare(b.at), -1) // after those of the same time
	})
	n.flying = slices.Insert(n.flying, place, f)
}

// run goes on until over says so, nothing is left to do, or the time is up. It
// reports whether over said so.
func (n *network) run(limit time.Duration, over func() bool) bool {
	end := n.now.Add(limit)
	for !over() {
		n.poll(0)
		n.poll(1)
		var next time.Time
		if len(n.flying) > 0 {
			next = n.flying[0].at
		}
		for _, p := range n.peers {
			if !p.wake.IsZero() && (next.IsZero() || p.wake.Before(next)) {
				next = p.wake
			}
		}
		if next.IsZero() || next.After(end) {
			return over()
		}
		if next.After(n.now) {
			n.now = next
		}
		for len(n.flying) > 0 && !n.flying[0].at.After(n.now) {
			f := n.flying[0]
			n.flying = n.flying[1:]
			p := n.peers[f.to]
			events, err := p.Receive(n.now, f.datagram)
			if err != nil {
				p.errors++
			}
			for _, e := range events {
				p.handle(n.now, e)
			}
		}
	}
	return true
}
