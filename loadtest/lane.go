package loadtest

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"assimilation/wire"
)

const inboxSize = 16_384

// lane is one socket and the probes behind it, as behind a NAT.
type lane struct {
	conn    *net.UDPConn
	relay   netip.AddrPort
	random  *rand.Rand
	out, in faulty
	probes  []*probe
	byNonce map[[8]byte]*probe
	byIndex map[uint32]*probe
	byEdge  map[uint32][]*probe // both its ends may be here
	beats   bool                // the probes take part in rings
	timers  timers
	inbox   chan []byte
}

func newLane(local netip.AddrPort, relay netip.AddrPort, faults Faults, seed uint64) (*lane, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, fmt.Errorf("opening a probe's socket: %w", err)
	}
	_ = conn.SetReadBuffer(8 << 20) // as much as the kernel gives
	l := &lane{
		conn: conn, relay: relay, random: rand.New(rand.NewPCG(seed, 1)), byNonce: map[[8]byte]*probe{}, byIndex: map[uint32]*probe{}, byEdge: map[uint32][]*probe{},
		inbox: make(chan []byte, inboxSize),
	}
	l.out = faulty{Faults: faults, random: rand.New(rand.NewPCG(seed, 2)), pass: func(b []byte, to netip.AddrPort) {
		_, _ = conn.WriteToUDPAddrPort(b, to) // what the kernel refuses is lost
	}}
	l.in = faulty{Faults: faults, random: rand.New(rand.NewPCG(seed, 3)), pass: func(b []byte, _ netip.AddrPort) { l.receive(b) }}
	return l, nil
}

func (l *lane) send(datagram []byte) { l.out.carry(datagram, l.relay) }

// read fills the inbox until the socket is closed.
func (l *lane) read() {
	buffer := make([]byte, wire.MaxDatagram+1)
	for {
		n, _, err := l.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			close(l.inbox)
			return
		}
		if err == nil { // else an ICMP error: the relay is not there
			l.inbox <- slices.Clone(buffer[:n])
		}
	}
}

// run owns the probes until ctx ends.
func (l *lane) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	go l.read()
	now := time.Now()
	for _, p := range l.probes {
		p.begin(now)
	}
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		select {
		case datagram, open := <-l.inbox:
			if !open {
				return
			}
			l.in.carry(datagram, l.relay)
		case <-clock.C:
		}
		for range 256 {
			select {
			case datagram, open := <-l.inbox:
				if !open {
					return
				}
				l.in.carry(datagram, l.relay)
				continue
			default:
			}
			break
		}
		now := time.Now()
		for len(l.timers) > 0 && !l.timers[0].wake.After(now) {
			l.timers[0].due(now)
		}
		if len(l.timers) > 0 {
			clock.Reset(time.Until(l.timers[0].wake))
		}
	}
}

func (l *lane) receive(datagram []byte) {
	kind, err := wire.PacketType(datagram)
	if err != nil {
		return
	}
	now := time.Now()
	if kind == wire.PacketAnnounceReply {
		reply, err := wire.ParseAnnounceReply(datagram)
		if p := l.byNonce[reply.Nonce]; err == nil && p != nil {
			p.found(now, reply.Certificate)
		}
		return
	}
	if kind == wire.PacketHeartbeat {
		l.hear(now, datagram)
		return
	}
	index, err := wire.ReceiverIndex(datagram)
	if p := l.byIndex[index]; err == nil && p != nil {
		p.receive(now, kind, datagram)
	}
}

// timers is a heap of probes by wake.
type timers []*probe

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].wake.Before(t[j].wake) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i, j
}

// Push and Pop are for package heap.
func (t *timers) Push(x any) {
	p := x.(*probe)
	p.place = len(*t)
	*t = append(*t, p)
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	p := (*t)[last]
	*t = (*t)[:last]
	return p
}

// at sets when a probe has something to do; a probe always has.
func (l *lane) at(p *probe, wake time.Time) {
	p.wake = wake
	if p.place < 0 {
		heap.Push(&l.timers, p)
		return
	}
	heap.Fix(&l.timers, p.place)
}
