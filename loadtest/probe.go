package loadtest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// As the real probe does it.
const (
	firstPause   = 500 * time.Millisecond // between announces, doubling
	lastPause    = 30 * time.Second
	maxFlying    = 32 // facts without acknowledgement
	echoEvery    = 30 * time.Second
	quiet        = time.Second // of the relay, while something is pending
	answerWithin = time.Minute
	retryRefused = 30 * time.Second
)

var patience = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second} // for handshakes, and for echoes

type phase int

const (
	searching phase = iota
	shaking
	enrolling
	greeting
	listing
	uploading
	settled
	turnedAway // until deadline
)

// probe is one simulated probe. It belongs to its lane.
type probe struct {
	lane  *lane
	count *Counts
	token tenancy.Token
	name  string
	key   handshake.Keypair
	facts []fact

	phase    phase
	nonce    [8]byte
	pause    time.Duration
	relay    wire.Certificate
	index    uint32 // of the session, or of the last try
	first    *handshake.Initiator
	shakes   map[uint32]*handshake.Initiator // all tries: a busy relay may answer an earlier one
	tries    int
	cookie   bool // used in this handshake
	link     *link.Link
	enrolled bool
	missing  []int          // facts that the relay lacks
	flying   map[uint32]int // id of a message to the fact in it
	deadline time.Time
	echoAt   time.Time
	echoes   int
	retry    time.Time // of what was refused

	ring       *wire.Ring // the newest; nil: none
	neighbours []*neighbour
	beatAt     time.Time // of the next beat

	wake  time.Time
	place int // in the lane's heap; -1: not in it
}

func (p *probe) begin(now time.Time) {
	p.drop()
	p.phase = searching
	rand.Read(p.nonce[:])
	p.lane.byNonce[p.nonce] = p
	packet := wire.Announce{Fingerprint: wire.Fingerprint(p.key.Public), SiteHint: wire.SiteHint(p.token.Pin[:]), Nonce: p.nonce}
	p.lane.send(packet.Append(nil))
	p.count.Announces.Add(1)
	p.pause = min(max(2*p.pause, firstPause), lastPause)
	p.lane.at(p, now.Add(p.jitter(p.pause)))
}

// jitter takes a time within half and one and a half of itself.
func (p *probe) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + p.lane.random.Float64()))
}

// drop forgets the session.
func (p *probe) drop() {
	if p.link != nil {
		s := p.link.Stats()
		p.count.addLink(s)
	}
	delete(p.lane.byNonce, p.nonce)
	delete(p.lane.byIndex, p.index)
	p.forgetShakes()
	p.link, p.tries, p.echoes, p.flying = nil, 0, 0, map[uint32]int{}
}

func (p *probe) forgetShakes() {
	for index := range p.shakes {
		if index != p.index || p.link == nil {
			delete(p.lane.byIndex, index)
		}
	}
	p.first, p.shakes = nil, map[uint32]*handshake.Initiator{}
}

func (p *probe) found(now time.Time, c wire.Certificate) {
	if p.phase != searching || c.Verify(p.token.Pin[:], now) != nil {
		return
	}
	delete(p.lane.byNonce, p.nonce)
	p.relay, p.phase = c, shaking
	p.shake(now)
}

func (p *probe) shake(now time.Time) {
	if p.tries == len(patience) {
		p.begin(now)
		return
	}
	var index [4]byte
	rand.Read(index[:])
	p.index = binary.BigEndian.Uint32(index[:])
	initiator, packet, err := handshake.Initiate(p.key, p.relay.Key, p.index, nil, rand.Reader)
	if err != nil {
		p.begin(now)
		return
	}
	p.lane.byIndex[p.index] = p
	p.first, p.shakes[p.index], p.cookie = initiator, initiator, false
	p.lane.send(packet)
	p.count.Handshakes.Add(1)
	p.lane.at(p, now.Add(p.jitter(patience[p.tries])))
	p.tries++
}

func (p *probe) receive(now time.Time, kind wire.Type, datagram []byte) {
	switch {
	case kind == wire.PacketCookieReply && p.phase == shaking && !p.cookie:
		if cookie, err := p.first.OpenCookie(datagram); err == nil {
			p.cookie = true
			p.count.Cookies.Add(1)
			p.lane.send(p.first.Packet(cookie))
		}
	case kind == wire.PacketHandshake2 && p.phase == shaking:
		index, err := wire.ReceiverIndex(datagram)
		if err != nil || p.shakes[index] == nil {
			return
		}
		s, _, err := p.shakes[index].Finish(datagram)
		if err != nil {
			return
		}
		p.index, p.pause = index, 0
		p.link = link.New(s, now, p.lane.random.Float64)
		p.forgetShakes()
		p.open(now)
		p.step(now)
	case kind == wire.PacketTransport && p.link != nil:
		events, err := p.link.Receive(now, datagram)
		if err != nil {
			return
		}
		p.echoes = 0
		for _, e := range events {
			p.handle(now, e)
		}
		if p.link != nil {
			p.step(now)
		}
	}
}

func (p *probe) open(now time.Time) {
	if p.enrolled {
		p.phase = greeting
		p.say(now, &wire.Hello{AgentVersion: "loadtest", HostName: p.name, OS: "linux", Arch: "amd64", Boot: 1, Time: now.UnixMilli()})
		return
	}
	p.phase = enrolling
	p.say(now, &wire.Enrol{TokenID: p.token.ID, Secret: p.token.Secret[:], HostName: p.name, Time: now.UnixMilli()})
}

func (p *probe) say(now time.Time, m wire.Message) {
	if _, err := p.link.Send(now, m); err != nil {
		panic(fmt.Sprintf("loadtest: a message that the simulator made cannot be sent: %v", err))
	}
	p.deadline = now.Add(answerWithin)
}

func (p *probe) handle(now time.Time, e link.Event) {
	switch e := e.(type) {
	case link.Received:
		if ring, ok := e.Message.(*wire.Ring); ok {
			if !p.lane.beats { // as a probe that knows no rings
				p.link.Refuse(e.ID, wire.Unsupported)
				return
			}
			p.adopt(now, ring)
		}
		p.link.Done(e.ID)
		p.answer(now, e.Message)
	case link.Delivered:
		if _, ok := p.flying[e.ID]; ok {
			delete(p.flying, e.ID)
			p.count.Facts.Add(1)
		}
	case link.Refused:
		p.count.refuse(e.Reason)
		if p.phase == settled {
			return // a report
		}
		if n, ok := p.flying[e.ID]; ok {
			delete(p.flying, e.ID)
			p.missing = append(p.missing, n)
			p.retry = now.Add(retryRefused)
			return
		}
		p.phase, p.deadline = turnedAway, now.Add(p.jitter(time.Second)) // and then over again
	}
}

func (p *probe) answer(now time.Time, m wire.Message) {
	switch m := m.(type) {
	case *wire.Enrolled:
		if p.phase == enrolling {
			p.enrolled = true
			p.count.Enrolled.Add(1)
			p.open(now)
		}
	case *wire.Configure:
		if p.phase == greeting {
			p.phase = listing
			list := &wire.Digests{}
			for _, f := range p.facts {
				if n := len(list.Kinds); n == 0 || list.Kinds[n-1] != f.digest.Kind {
					list.Kinds = append(list.Kinds, f.digest.Kind)
				}
				list.Facts = append(list.Facts, f.digest)
			}
			p.say(now, list)
		}
	case *wire.Need:
		if p.phase == listing {
			p.phase, p.deadline = uploading, time.Time{}
			p.missing = p.missing[:0]
			for i, f := range p.facts {
				for _, d := range m.Facts {
					if d.Kind == f.digest.Kind && d.Instance == f.digest.Instance {
						p.missing = append(p.missing, i)
					}
				}
			}
		}
	}
}

// upload sends what the relay lacks.
func (p *probe) upload(now time.Time) {
	for len(p.missing) > 0 && len(p.flying) < maxFlying && !now.Before(p.retry) {
		n := p.missing[0]
		id, err := p.link.SendEncoded(now, p.facts[n].encoded)
		if err != nil {
			return // the queue is full: after an acknowledgement
		}
		p.missing = p.missing[1:]
		p.flying[id] = n
	}
	if len(p.missing) == 0 && len(p.flying) == 0 {
		p.phase = settled
		p.count.Durable.Add(1)
	}
}

// due is called when a probe's time has come.
func (p *probe) due(now time.Time) {
	switch p.phase {
	case searching:
		p.begin(now)
	case shaking:
		p.shake(now)
	default:
		p.step(now)
	}
}

// step does what the session needs now.
func (p *probe) step(now time.Time) {
	if p.phase == uploading {
		p.upload(now)
	}
	beat := p.pulse(now)
	next := p.link.LastHeard().Add(echoEvery)
	if p.link.Pending() > 0 {
		next = p.link.LastHeard().Add(quiet)
	}
	if p.echoes > 0 {
		next = p.echoAt.Add(patience[p.echoes-1])
	}
	lost := !next.After(now) && p.echoes == len(patience)
	if lost || !p.deadline.IsZero() && !p.deadline.After(now) {
		p.count.Lost.Add(1)
		p.begin(now)
		return
	}
	if !next.After(now) {
		p.link.Echo(now)
		p.echoAt = now
		next = now.Add(patience[p.echoes])
		p.echoes++
	}
	datagrams, wake := p.link.Poll(now)
	for _, d := range datagrams {
		p.lane.send(d)
	}
	for _, t := range []time.Time{wake, p.deadline, beat} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	if len(p.missing) > 0 && p.retry.After(now) && p.retry.Before(next) {
		next = p.retry
	}
	p.lane.at(p, next)
}
