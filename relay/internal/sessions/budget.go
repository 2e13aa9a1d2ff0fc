package sessions

import (
	"time"

	"assimilation/wire"
)

// The budget of credit, over all sessions. What is promised to a peer is memory
// that it can make the relay use, so the sum is bounded, not only each part;
// and each peer is promised what it has asked for, whole, when its turn comes.
//
//	asks for more --> waits, first come first served --> granted: a lease
//	                                                        |    |
//	       everything arrived and is durable <--------------+    | its time is over
//	                                                             v
//	                                                      session closed
//
// Nobody waits for a peer that waits itself: a grant covers all messages that
// the peer has begun, so that a lease ends without another one. Where smaller
// messages have used it up meanwhile, the rest of what has begun is granted out
// of turn, up to as much again. A peer that does not use its lease
// loses its session. So the first in the queue always gets its turn.
const (
	// maxPromised bounds the bytes granted and not yet durable, beyond the initial
	// credit of each session. The largest message fits several times.
	maxPromised = 48 << 20
	// maxComing bounds those of them that have not arrived: what the queues of
	// datagrams, here and in the kernel, may have to take at once. A busy relay
	// that granted more would only make its probes wait until they send it all
	// again. Of one session a window counts: more it never sends at once.
	maxComing = 4 << 20
	// maxDecoded bounds the expanded messages that wait for the disk: what comes
	// beyond is refused as Busy, and sent again later.
	maxDecoded = 256 << 20
	// A lease lasts leaseLife, and a second more for every leaseRate bytes.
	leaseLife = 30 * time.Second
	leaseRate = 64 << 10
)

// budget is what is promised, and who waits.
type budget struct {
	promised int
	most     int // promised at a time, so far
	coming   int
	decoded  int
	queue    []*peer
}

// account is a session's part of the budget.
type account struct {
	promised int
	coming   int
	decoded  int
	waits    bool
	lease    time.Time // by when what was granted must have arrived; zero: no lease
	spare    int       // what may be added to the lease out of turn
}

// reckon takes in how the session stands now.
func (b *budget) reckon(now time.Time, p *peer) {
	a := p.link.Account()
	promised := max(0, a.Promised-wire.InitialCredit)
	b.promised += promised - p.promised
	b.decoded += a.Decoded - p.decoded
	p.promised, p.decoded = promised, a.Decoded
	b.expect(p, a.Coming)
	if a.Promised-a.Open <= wire.InitialCredit {
		p.lease = time.Time{} // the rest is up to the disk
	}
	if more := min(a.Begun, p.spare); more > 0 && !p.lease.IsZero() {
		p.spare -= more
		b.grant(now, p, more)
		a.Wanted -= more
	}
	if p.host != nil && a.Wanted > 0 && !p.waits {
		p.waits = true
		b.queue = append(b.queue, p)
	}
}

// forget takes out a session that was closed.
func (b *budget) forget(p *peer) {
	b.promised -= p.promised
	b.decoded -= p.decoded
	b.coming -= p.coming
	p.promised, p.decoded, p.coming = 0, 0, 0
}

// expect notes how much of a session's credit has not arrived.
func (b *budget) expect(p *peer, bytes int) {
	coming := min(max(0, bytes-wire.InitialCredit), wire.CreditWindow)
	b.coming += coming - p.coming
	p.coming = coming
}

// allot grants those whose turn it is what they want, and calls granted for
// each.
func (b *budget) allot(now time.Time, granted func(*peer)) {
	for len(b.queue) > 0 {
		p := b.queue[0]
		if p.closed {
			b.pop()
			continue
		}
		wanted := p.link.Account().Wanted
		full := b.promised+wanted > maxPromised || b.coming+min(wanted, wire.CreditWindow) > maxComing
		if wanted > 0 && b.promised > 0 && full {
			return
		}
		b.pop()
		if wanted == 0 {
			continue
		}
		p.lease = now.Add(leaseLife + time.Duration(wanted/leaseRate)*time.Second)
		p.spare = wanted
		b.grant(now, p, wanted)
		granted(p)
	}
	b.queue = nil
}

func (b *budget) grant(now time.Time, p *peer, bytes int) {
	p.link.Grant(now, bytes)
	b.expect(p, p.link.Account().Coming)
	b.promised += bytes
	p.promised += bytes
	b.most = max(b.most, b.promised)
}

func (b *budget) pop() {
	b.queue[0].waits = false
	b.queue[0] = nil
	b.queue = b.queue[1:]
}
