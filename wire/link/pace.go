package link

import (
	"time"

	"assimilation/wire"
)

// Congestion control: slow start, then linear growth, half after a loss
// (RFC 5681 in bytes of chunks). Windows are those of this end alone, no part
// of the protocol.
const (
	initialWindow = 16 * wire.ChunkSize
	minWindow     = 4 * wire.ChunkSize
	maxWindow     = wire.CreditWindow
	maxBackoff    = 8 // doublings; MaxRTO ends them earlier
)

// pace says how much may be under way and how long to wait for an answer.
type pace struct {
	random   func() float64
	srtt     time.Duration // zero: no sample yet
	variance time.Duration
	backoff  uint
	jitter   float64 // 0 to 0.25 of the RTO, taken off it; drawn anew with every backoff

	window    int
	threshold int    // below it, slow start
	recover   uint64 // losses of datagrams up to this number were paid for
}

func newPace(random func() float64) pace {
	return pace{random: random, window: initialWindow, threshold: maxWindow}
}

// sample takes in one round trip (RFC 6298).
func (p *pace) sample(rtt time.Duration) {
	if rtt < 0 {
		return
	}
	if p.srtt == 0 {
		p.srtt, p.variance = max(rtt, 1), rtt/2
		return
	}
	p.variance += ((p.srtt - rtt).Abs() - p.variance) / 4
	p.srtt += (rtt - p.srtt) / 8
}

// rto is the time after which an unanswered datagram counts as lost.
func (p *pace) rto() time.Duration {
	rto := wire.InitialRTO
	if p.srtt > 0 {
		rto = max(wire.MinRTO, p.srtt+4*p.variance+wire.AckDelay)
	}
	rto = min(rto<<p.backoff, wire.MaxRTO)
	return rto - time.Duration(p.jitter*float64(rto))
}

// acked grows the window by newly acknowledged bytes, where the window was
// what held the sender back.
func (p *pace) acked(bytes, inflight int) {
	p.backoff, p.jitter = 0, 0
	if 2*inflight < p.window {
		return
	}
	if p.window < p.threshold {
		p.window += bytes
	} else {
		p.window += max(1, wire.ChunkSize*bytes/p.window)
	}
	p.window = min(p.window, maxWindow)
}

// lost shrinks the window, once for all losses of one round trip: datagram is
// the lost one, last the newest sent.
func (p *pace) lost(datagram, last uint64) {
	if datagram <= p.recover {
		return
	}
	p.recover = last
	p.window = max(p.window/2, minWindow)
	p.threshold = p.window
}

// silent is for a time-out: nothing at all came back.
func (p *pace) silent(last uint64) {
	p.recover = last
	p.threshold = max(p.window/2, minWindow)
	p.window = minWindow
	p.backoff = min(p.backoff+1, maxBackoff)
	p.jitter = p.random() / 4
}
