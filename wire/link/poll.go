package link

import (
	"time"

	"assimilation/wire"
)

// Poll returns the datagrams that must be sent now, and when to call again if
// nothing happens before; a zero time: not before something happens. It is to
// be called after every call that may change the link: New, Send, Receive,
// Done, Refuse, Echo.
func (l *Link) Poll(now time.Time) (datagrams [][]byte, wake time.Time) {
	p := packer{link: l}
	l.out.detectLoss(now, l.datagrams)
	for _, f := range l.in.dueAcks(now) {
		p.add(ackHeader + len(f.ranges)*rangeSize)
		p.frames = appendAck(p.frames, f)
	}
	if limit, due := l.in.credit(now); due {
		p.number(frameCredit, limit)
	}
	for _, nonce := range l.replies {
		p.number(frameEchoReply, nonce)
	}
	l.replies = nil
	for _, nonce := range l.toEcho {
		p.number(frameEcho, nonce)
		if len(l.echoes) >= maxEchoes {
			l.echoes = l.echoes[1:]
		}
		l.echoes = append(l.echoes, echo{nonce, now})
	}
	l.toEcho = nil
	l.retransmit(now, &p)
	blocked := l.transmit(now, &p)
	l.query(now, &p, blocked)
	p.flush()
	return p.datagrams, l.wake(blocked)
}

// retransmit sends the lost chunks again, as far as the window allows.
func (l *Link) retransmit(now time.Time, p *packer) {
	o := &l.out
	for len(o.lost) > 0 {
		r := o.lost[0]
		if r.current() {
			if !l.roomFor(r.m, r.index) {
				return
			}
			l.stats.Retransmitted++
			l.sendChunk(now, p, r.m, r.index)
		}
		o.lost = o.lost[1:]
	}
	o.lost = nil
}

// transmit sends chunks for the first time: small messages first, then one
// large one after the other. So what the peer holds incomplete for want of
// credit is one small and one large message at most, and always fits. It
// returns the message that waits for credit, if there is one.
func (l *Link) transmit(now time.Time, p *packer) (blocked *message) {
	for _, small := range []bool{true, false} {
		for _, m := range l.out.live {
			if m.next == m.count() || (len(m.encoded) <= smallMessage) != small {
				continue
			}
			if m.next == 0 && m.count() > 1 && l.out.underway >= wire.MaxIncomplete {
				continue
			}
			for m.next < m.count() {
				if l.out.sent+uint64(len(m.payload(m.next))) > l.out.limit {
					return m
				}
				if !l.roomFor(m, m.next) {
					return nil
				}
				l.sendFresh(now, p, m)
			}
		}
	}
	return nil
}

func (l *Link) sendFresh(now time.Time, p *packer, m *message) {
	if m.next == 0 {
		m.chunks = make([]chunk, m.count())
		if m.count() > 1 {
			l.out.underway++
		}
	}
	l.out.sent += uint64(len(m.payload(m.next)))
	l.sendChunk(now, p, m, m.next)
	m.next++
}

// roomFor reports whether the congestion window lets the chunk go. One chunk
// may always be on its way.
func (l *Link) roomFor(m *message, index int) bool {
	return l.out.inflight == 0 || l.out.inflight+len(m.payload(index)) <= l.out.pace.window
}

func (l *Link) sendChunk(now time.Time, p *packer, m *message, index int) {
	payload := m.payload(index)
	p.add(dataHeader + len(payload))
	p.frames = appendData(p.frames, m.id, uint32(len(m.encoded)), m.offset(index), payload)
	c := &m.chunks[index]
	c.datagram = l.datagrams + 1
	c.sentAt = now.Sub(l.out.start)
	c.tries = min(c.tries+1, 2) // only the first counts as a sample
	l.out.inflight += len(payload)
	l.out.flight = append(l.out.flight, chunkRef{m, index, c.datagram})
}

// query asks for verdicts that are overdue, and for credit.
func (l *Link) query(now time.Time, p *packer, blocked *message) {
	o := &l.out
	for _, m := range o.live {
		if m.unacked > 0 || m.queryAt.After(now) {
			continue
		}
		m.queries++
		m.queryAt = now.Add(o.queryDelay(m.queries))
		p.add(dataHeader)
		p.frames = appendData(p.frames, m.id, uint32(len(m.encoded)), uint32(len(m.encoded)), nil)
	}
	if blocked == nil {
		o.creditAt, o.asked = time.Time{}, 0
		return
	}
	if o.asked > 0 && (o.inflight > 0 || len(o.lost) > 0 || o.creditAt.After(now)) {
		return // asked already; what is under way may bring the answer
	}
	o.asked++
	o.creditAt = now.Add(min(o.pace.rto()<<min(o.asked, maxBackoff), wire.MaxRTO))
	asked := 0
	for _, m := range o.live {
		if m.next > 0 || asked == maxAsked {
			continue // begun: its chunks have told the total
		}
		asked++
		p.add(dataHeader)
		p.frames = appendData(p.frames, m.id, uint32(len(m.encoded)), uint32(len(m.encoded)), nil)
	}
	if asked == 0 {
		p.add(dataHeader)
		p.frames = appendData(p.frames, blocked.id, uint32(len(blocked.encoded)), uint32(len(blocked.encoded)), nil)
	}
}

// wake is the earliest time at which Poll has something to do by itself.
func (l *Link) wake(blocked *message) time.Time {
	wake := l.in.wake()
	earlier := func(t time.Time) {
		if wake.IsZero() || t.Before(wake) {
			wake = t
		}
	}
	o := &l.out
	for _, r := range o.flight {
		if r.current() {
			earlier(o.start.Add(r.m.chunks[r.index].sentAt + o.pace.rto()))
			break
		}
	}
	for _, m := range o.live {
		if m.unacked == 0 {
			earlier(m.queryAt)
		}
	}
	if blocked != nil && o.inflight == 0 && len(o.lost) == 0 && !o.creditAt.IsZero() {
		earlier(o.creditAt)
	}
	return wake
}

// packer fills datagrams with frames.
type packer struct {
	link      *Link
	frames    []byte
	datagrams [][]byte
}

// add makes room for a frame of this size, which the caller then appends.
func (p *packer) add(size int) {
	if len(p.frames)+size > wire.MaxPlaintext {
		p.flush()
	}
}

func (p *packer) number(kind byte, number uint64) {
	p.add(smallFrame)
	p.frames = appendNumber(p.frames, kind, number)
}

// flush seals what there is. A session that has used up its counters sends
// nothing more; its owner sees Expired long before.
func (p *packer) flush() {
	if len(p.frames) == 0 {
		return
	}
	sealed, err := p.link.session.Seal(make([]byte, 0, wire.TransportHeaderSize+len(p.frames)+wire.TagSize), p.frames)
	p.frames = p.frames[:0]
	if err != nil {
		return
	}
	p.link.datagrams++
	p.link.stats.Sent++
	p.link.stats.BytesSent += uint64(len(sealed))
	p.datagrams = append(p.datagrams, sealed)
}
