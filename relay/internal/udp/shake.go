package udp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/sessions"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

// task is what a worker does: answer a Handshake1, finish with a Handshake2, or
// begin.
type task struct {
	datagram []byte
	from     netip.AddrPort
	key      [32]byte // of the probe to call; datagram is nil
	newest   bool     // it knows the newest of the site's keys
}

// admit lets a Handshake1 through to the workers. While more come than are free,
// only who shows a cookie gets there; the limit per source follows it, for until
// then the source may be anybody's. Who has none gets one in another goroutine
// and in its turn: what comes in sessions does not wait for that.
func (g *Gate) admit(datagram []byte, from netip.AddrPort, now time.Time) (kept bool) {
	if !g.guard.CheckMAC1(datagram) {
		g.drop("handshake for another key")
		return false
	}
	if !g.load.heavy(now) {
		return g.enqueue(task{datagram: datagram, from: from})
	}
	if !g.cookieShown(datagram, from, now) {
		g.drop("handshake without a cookie")
		select {
		case g.strangers <- task{datagram: datagram, from: from}:
			return true
		default:
			g.drop("too many cookies asked for")
			return false
		}
	}
	if !g.shakes.Allow(limit.Source(from.Addr()), now) {
		g.drop("handshakes over the rate")
		return false
	}
	return g.enqueue(task{datagram: datagram, from: from})
}

func (g *Gate) cookieShown(datagram []byte, from netip.AddrPort, now time.Time) bool {
	if [wire.MACSize]byte(datagram[len(datagram)-wire.MACSize:]) == [wire.MACSize]byte{} {
		return false
	}
	g.baking.Lock()
	defer g.baking.Unlock()
	return g.guard.CheckMAC2(now, datagram, from)
}

// giveCookies answers those who have none.
func (g *Gate) giveCookies(ctx context.Context) {
	for {
		select {
		case t := <-g.strangers:
			g.giveCookie(t, time.Now())
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gate) giveCookie(t task, now time.Time) {
	g.baking.Lock()
	reply, err := g.guard.Reply(now, t.datagram, t.from)
	g.baking.Unlock()
	g.release(t.datagram)
	if err == nil { // else it is too short for a handshake
		g.socket.Send(reply, t.from)
	}
}

// admitAnswer lets a Handshake2 through if it names a call of ours.
func (g *Gate) admitAnswer(datagram []byte, from netip.AddrPort) (kept bool) {
	index, err := wire.ReceiverIndex(datagram)
	switch {
	case err != nil:
		g.drop(wire.ReasonOf(err).String())
	case !g.calls.has(index):
		g.drop("unexpected handshake 2")
	case !g.guard.CheckMAC1(datagram):
		g.drop("handshake for another key")
	default:
		return g.enqueue(task{datagram: datagram, from: from})
	}
	return false
}

func (g *Gate) enqueue(t task) bool {
	select {
	case g.queue <- t:
		return true
	default:
		g.drop("too many handshakes queued")
		return false
	}
}

// Call begins a handshake with a probe that has lost its session, if there is
// room for it now. Who knows the newest of the site's keys is shown its certificate.
func (g *Gate) Call(key [32]byte, to netip.AddrPort, newest bool) {
	g.enqueue(task{key: key, from: to, newest: newest})
}

// shake is one worker.
func (g *Gate) shake(ctx context.Context) {
	for {
		select {
		case t := <-g.queue:
			if g.pace.Wait(ctx) != nil {
				return
			}
			g.carryOut(t, time.Now())
		case <-ctx.Done():
			return
		}
	}
}

func (g *Gate) carryOut(t task, now time.Time) {
	if t.datagram == nil {
		g.call(t.key, t.from, t.newest, now)
		return
	}
	defer g.release(t.datagram)
	if kind, err := wire.PacketType(t.datagram); err == nil && kind == wire.PacketHandshake2 {
		g.finish(t)
		return
	}
	s, reply, key, _, err := handshake.Respond(g.key, randomIndex(), t.datagram, nil, rand.Reader)
	if err != nil {
		g.drop("handshake not authentic")
		return
	}
	g.arrive(sessions.Arrival{Session: s, Key: key, Reply: reply, From: t.from})
}

func (g *Gate) call(key [32]byte, to netip.AddrPort, newest bool, now time.Time) {
	proof := g.proof.Load()
	if proof == nil {
		return
	}
	certificate := proof.Certificate
	if newest && proof.Next != nil {
		certificate = *proof.Next
	}
	index := randomIndex()
	initiator, first, err := handshake.Initiate(g.key, key, index, certificate.Append(nil), rand.Reader)
	if err != nil {
		g.log.Warn("calling a probe", "address", to, "error", err)
		return
	}
	g.calls.add(index, call{initiator, key, now})
	g.socket.Send(first, to)
}

func (g *Gate) finish(t task) {
	index, err := wire.ReceiverIndex(t.datagram)
	if err != nil {
		return // admitAnswer has read it
	}
	c, ok := g.calls.take(index)
	if !ok {
		g.drop("unexpected handshake 2") // the same answer twice
		return
	}
	s, _, err := c.initiator.Finish(t.datagram)
	if err != nil {
		g.drop("handshake not authentic")
		g.calls.add(index, c) // a forged answer does not end it
		return
	}
	g.arrive(sessions.Arrival{Session: s, Key: c.key, Called: true, From: t.from})
}

func (g *Gate) arrive(a sessions.Arrival) {
	if !g.sessions.Arrive(a) {
		g.drop("queue full")
	}
}

func randomIndex() uint32 {
	var index [4]byte
	rand.Read(index[:]) // never fails since Go 1.24
	return binary.BigEndian.Uint32(index[:])
}

// How many calls may wait for an answer, and for how long.
const (
	maxCalls = 4096
	callLife = 5 * time.Second
)

// call is a handshake that this relay began.
type call struct {
	initiator *handshake.Initiator
	key       [32]byte
	at        time.Time
}

// calls are those without an answer, by index. Who works on one takes it out.
type calls struct {
	mu   sync.Mutex
	open map[uint32]call
}

func (c *calls) add(index uint32, new call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= maxCalls {
		for i, old := range c.open {
			if new.at.Sub(old.at) > callLife {
				delete(c.open, i)
			}
		}
		if len(c.open) >= maxCalls {
			return // the probe will find the relay itself
		}
	}
	c.open[index] = new
}

func (c *calls) has(index uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.open[index]
	return ok
}

func (c *calls) take(index uint32) (call, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.open[index]
	delete(c.open, index)
	return found, ok
}
