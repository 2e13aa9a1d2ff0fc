package sessions

import (
	"net/netip"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
)

// arrive takes in a handshake as a pending session, and sends its answer. It
// changes nothing about the session that the key may have already. One that
// this relay began is no replay: its session is live at once.
func (t *Table) arrive(now time.Time, a Arrival) {
	switch {
	case t.pending >= maxPending:
		t.drop("too many handshakes pending")
		return
	case len(t.byIndex) >= maxSessions:
		t.drop("too many sessions")
		return
	case t.byIndex[a.Session.LocalIndex] != nil:
		t.drop("index taken") // one in some 30,000; the peer tries again
		return
	case t.byKey[a.Key] == nil && t.strangers >= maxStrangers:
		t.drop("too many strangers")
		return
	case a.Called && t.byKey[a.Key] == nil:
		t.drop("called host is gone")
		return
	}
	p := &peer{
		link: link.New(a.Session, now, t.Random), index: a.Session.LocalIndex, key: a.Key, address: a.From, born: now, host: t.byKey[a.Key],
	}
	p.link.Meter()
	if p.host == nil {
		p.link.Restrict(wire.NotEnrolled)
	}
	t.byIndex[p.index] = p
	t.pending++
	if p.host == nil {
		t.strangers++
	}
	t.count.Store(int64(len(t.byIndex)))
	t.timers.set(p, t.endOf(p))
	if !a.Called {
		t.Send.Send(a.Reply, a.From)
		return
	}
	t.goLive(p)
	if !p.trial {
		t.hear(now, p.host)
	}
	p.link.Echo(now) // the first packet makes the session live at the probe too
	t.touch(p)
}

// receive takes in a transport packet.
func (t *Table) receive(now time.Time, datagram []byte, from netip.AddrPort) {
	index, err := wire.ReceiverIndex(datagram)
	if err != nil {
		t.drop(wire.ReasonOf(err).String())
		return
	}
	p := t.byIndex[index]
	if p == nil {
		t.drop("no session")
		return
	}
	if p.host != nil {
		p.link.Restrict(t.allowed(now, p.host))
	}
	before := p.link.Stats().Decoded
	events, err := p.link.Receive(now, datagram)
	if err != nil {
		t.drop(dropReason(err))
		return
	}
	if p.link.Advanced() { // an older packet may be one that somebody kept back
		t.follow(now, p, from)
	}
	if !p.live {
		t.goLive(p)
	}
	if p.host == nil || p.trial {
		if p.bytes += len(datagram); p.bytes > strangerBytes {
			t.drop("stranger sends too much")
			t.close(p)
			return
		}
	} else {
		t.hear(now, p.host)
		p.host.spend(now, len(events)*messageCost+int(p.link.Stats().Decoded-before))
	}
	t.touch(p)
	for _, event := range events {
		switch e := event.(type) {
		case link.Received:
			t.handle(now, p, e)
		case link.Malformed:
			t.Messages.WithLabelValues("undecodable", e.Reason.String()).Inc()
			t.report(p, "message refused", e.Reason, e.Err.Error())
		case link.Refused:
			t.report(p, "the probe refused a message", e.Reason, "")
		}
		t.answered(now, p, event)
	}
}

// follow believes that the session's peer is where its newest packet came from.
func (t *Table) follow(now time.Time, p *peer, from netip.AddrPort) {
	moved := p.address != from
	p.address = from
	h := p.host
	if h == nil || p.trial || h.peer != p {
		return
	}
	if moved {
		h.address = from
		t.observe(Moved{h.id, from})
	}
	if h.clones.came(now, from) {
		t.seeSecond(now, h)
	}
}

// goLive makes a pending session its key's current one.
func (t *Table) goLive(p *peer) {
	p.live = true
	t.pending--
	if p.host == nil && t.byKey[p.key] != nil { // enrolled through another session
		t.strangers--
		p.host = t.byKey[p.key]
	}
	switch {
	case p.host == nil:
	case p.host.clones.barred: // its Hello shows whose session it is
		p.trial = true
	default:
		t.adopt(p, p.host)
	}
}

// adopt makes p the session of h, and closes the one before.
func (t *Table) adopt(p *peer, h *host) {
	if h.peer != nil && h.peer != p {
		t.close(h.peer)
	}
	p.host, h.peer, h.address, p.trial = h, p, p.address, false
	p.link.Restrict(wire.Accepted)
}

// allowed says whether a host's large messages are expanded now: not while it is
// over its own allowance, nor while the disk is behind with all that is.
func (t *Table) allowed(now time.Time, h *host) wire.Reason {
	if h.spent(now) > hostBurst || t.budget.decoded > maxDecoded {
		return wire.Busy
	}
	return wire.Accepted
}

// endOf is when a session ends if nothing happens until then.
func (t *Table) endOf(p *peer) time.Time {
	switch {
	case !p.live:
		return p.born.Add(pendingLife)
	case p.host == nil || p.trial:
		return p.born.Add(strangerLife)
	}
	end := earlier(p.link.LastHeard().Add(idleLife), p.born.Add(maxAge))
	return earlier(end, p.lease)
}

func (t *Table) close(p *peer) {
	if p.closed {
		return
	}
	p.closed = true
	t.budget.forget(p)
	delete(t.byIndex, p.index)
	if !p.live {
		t.pending--
	}
	if p.host == nil {
		t.strangers--
	} else if p.host.peer == p {
		p.host.peer = nil
		t.observe(Ended{p.host.id})
	}
	t.count.Store(int64(len(t.byIndex)))
	t.timers.set(p, time.Time{})
	t.settle(p, ErrNoSession, func(*wait) bool { return true })
}

// runTimers does what is due.
func (t *Table) runTimers(now time.Time) {
	for item := t.timers.due(now); item != nil; item = t.timers.due(now) {
		switch item := item.(type) {
		case *peer:
			if !t.endOf(item).After(now) {
				if !item.lease.IsZero() && !item.lease.After(now) {
					t.drop("credit not used in time")
				}
				t.close(item)
			} else {
				t.touch(item)
			}
		case *host:
			t.checkPresence(now, item)
		case *wait:
			t.settle(item.peer, ErrUnheard, func(w *wait) bool { return w == item })
		}
	}
}

// report logs what a peer did wrong, each thing once in a while.
func (t *Table) report(p *peer, what string, reason wire.Reason, detail string) {
	name := "unknown"
	if p.host != nil {
		name = p.host.name
	}
	if t.reports.Allow(name+what+reason.String()+detail, time.Now()) {
		t.Log.Warn(what, "host", name, "address", p.address, "reason", reason, "detail", detail)
	}
}
