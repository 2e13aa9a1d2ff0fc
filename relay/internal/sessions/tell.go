package sessions

import (
	"errors"
	"fmt"
	"time"

	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/link"
)

// Why a probe did not carry out what it was told.
var (
	ErrNoSession = errors.New("the host has no session")
	ErrUnheard   = errors.New("the host did not acknowledge in time")
)

// Declined is the error where the probe has refused.
type Declined struct{ Reason wire.Reason }

func (d *Declined) Error() string { return "the host declined: " + d.Reason.String() }

// Tell sends a message to a host's probe. done is called once, in the owner's
// goroutine, and must not block: with nil when the probe has carried it out, with
// ErrNoSession, with ErrUnheard when it did not say so within limit (it may have,
// or may yet), or with a *Declined.
func (t *Table) Tell(id tenancy.HostID, m wire.Message, limit time.Duration, done func(error)) {
	t.mail.post(func() {
		h := t.byID[id]
		if h == nil || h.peer == nil {
			done(ErrNoSession)
			return
		}
		now := time.Now()
		sent, err := h.peer.link.Send(now, m)
		if err != nil {
			done(fmt.Errorf("queueing %s: %w", name(m), err))
			return
		}
		t.await(h.peer, &wait{id: sent, done: done}, now.Add(limit))
		t.touch(h.peer)
	})
}

// The echoes of one question, and the pause between them.
const (
	askEchoes = 3
	askPause  = 250 * time.Millisecond
)

// Echo asks a host's probe for a sign of life, three times within limit. done is
// called once, in the owner's goroutine, and must not block.
func (t *Table) Echo(id tenancy.HostID, limit time.Duration, done func(answered bool)) {
	t.mail.post(func() {
		h := t.byID[id]
		if h == nil || h.peer == nil {
			done(false)
			return
		}
		now := time.Now()
		w := &wait{echo: true, asked: now, done: func(err error) { done(err == nil) }}
		t.await(h.peer, w, now.Add(limit))
		t.echoAgain(h.peer, w, askEchoes)
	})
}

func (t *Table) echoAgain(p *peer, w *wait, left int) {
	if w.pos == 0 || left == 0 {
		return // it is over
	}
	p.link.Echo(time.Now())
	t.touch(p)
	time.AfterFunc(askPause, func() { t.mail.post(func() { t.echoAgain(p, w, left-1) }) })
}

// wait is what somebody waits for: the verdict on a message, or the answer to an
// echo.
type wait struct {
	peer  *peer
	id    uint32 // of the message
	echo  bool
	asked time.Time
	done  func(error)
	timer
}

func (t *Table) await(p *peer, w *wait, until time.Time) {
	w.peer = p
	p.awaited = append(p.awaited, w)
	t.timers.set(w, until)
}

// settle ends the waits that match with err.
func (t *Table) settle(p *peer, err error, match func(*wait) bool) {
	kept := p.awaited[:0]
	var over []*wait
	for _, w := range p.awaited {
		if match(w) {
			over = append(over, w)
		} else {
			kept = append(kept, w)
		}
	}
	clear(p.awaited[len(kept):])
	p.awaited = kept
	for _, w := range over {
		t.timers.set(w, time.Time{})
		w.done(err)
	}
}

// answered settles what an event of the session answers.
func (t *Table) answered(now time.Time, p *peer, event link.Event) {
	if len(p.awaited) == 0 {
		return
	}
	switch e := event.(type) {
	case link.Delivered:
		t.settle(p, nil, func(w *wait) bool { return !w.echo && w.id == e.ID })
	case link.Refused:
		t.settle(p, &Declined{e.Reason}, func(w *wait) bool { return !w.echo && w.id == e.ID })
	case link.EchoReply:
		// An echo of before may be answered late: that says nothing about now.
		t.settle(p, nil, func(w *wait) bool { return w.echo && e.RTT <= now.Sub(w.asked) })
	}
}
