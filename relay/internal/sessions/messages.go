package sessions

import (
	"errors"
	"time"

	"assimilation/discovery"
	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/link"
)

// handle takes in one message.
func (t *Table) handle(now time.Time, p *peer, r link.Received) {
	if m, ok := r.Message.(*wire.Enrol); ok {
		t.enrol(now, p, r.ID, m)
		return
	}
	h := p.host
	if h == nil {
		reason := wire.NotEnrolled
		if _, retired := t.retired[t.Desk.HostID(p.key)]; retired {
			reason = wire.Revoked
		}
		t.refuse(p, r.ID, r.Message, reason)
		return
	}
	if p.trial {
		hello, ok := r.Message.(*wire.Hello)
		if !ok || !t.welcome(now, p, h, hello) {
			t.refuse(p, r.ID, r.Message, wire.Cloned)
			t.report(p, "message refused: another probe holds this host's key", wire.Cloned, "")
			return
		}
	}
	switch {
	case h.spent(now) > hostBurst:
		t.refuse(p, r.ID, r.Message, wire.Busy)
		t.report(p, "message put off: the host says too much", wire.Busy, "")
		return
	case t.Store.Full() && !volatile(r.Message):
		t.refuse(p, r.ID, r.Message, wire.Busy)
		t.report(p, "message put off: too much waits for the service", wire.Busy, "")
		return
	}
	if loud(r.Message) {
		h.spend(now, loudCost)
	}
	switch m := r.Message.(type) {
	case *wire.Hello:
		t.hello(now, p, r.ID, h, m)
	case *wire.Digests:
		t.digests(now, p, r.ID, h, m)
	case *wire.FactPut:
		t.factPut(now, p, r.ID, h, m)
	case *wire.FactGone:
		t.write(p, r, func(tx *store.Tx) error {
			return tx.DropFact(h.id, m.Kind, m.Instance, m.ObservedAt, now.UnixMilli())
		}, func() { t.observe(FactGone{h.id, m.Kind, m.Instance}) })
	case *wire.Problem:
		t.problem(now, p, r, h, m)
	case *wire.Goodbye:
		t.write(p, r, func(tx *store.Tx) error {
			return tx.SetState(h.id, uplink.ShutDown, m.Cause, now.UnixMilli())
		}, func() {
			t.Log.Info("host state", "host", h.name, "id", h.id, "state", uplink.ShutDown, "cause", m.Cause)
			h.left = now
			t.believe(h, uplink.ShutDown)
			t.settleClones(h)
			t.observe(Left{h.id, m.Cause})
		})
	case *wire.Report:
		t.observe(Reported{h.id, m})
		t.done(p, r.ID, m)
	default:
		t.refuse(p, r.ID, r.Message, wire.Unsupported)
	}
}

// volatile messages are not written.
func volatile(m wire.Message) bool {
	_, ok := m.(*wire.Report)
	return ok
}

// loud messages are told to people, or have a host's neighbours ordered anew: a
// probe has few reasons to send one.
func loud(m wire.Message) bool {
	switch m := m.(type) {
	case *wire.Hello, *wire.Goodbye:
		return true
	case *wire.Report:
		return m.Stepped != 0
	}
	return false
}

// write is the way of most messages: write, then acknowledge.
func (t *Table) write(p *peer, r link.Received, fn func(*store.Tx) error, then func()) {
	t.submit(fn, func(err error) {
		if err != nil {
			t.notDurable(p, r.ID, r.Message, err)
			return
		}
		if then != nil {
			then()
		}
		t.done(p, r.ID, r.Message)
	})
}

// The verdicts. A session that closed meanwhile is left alone: its peer sends
// the message again in the next one.

func (t *Table) done(p *peer, id uint32, m wire.Message) {
	t.Messages.WithLabelValues(name(m), "accepted").Inc()
	p.link.Done(id)
	t.touch(p)
}

func (t *Table) refuse(p *peer, id uint32, m wire.Message, reason wire.Reason) {
	t.Messages.WithLabelValues(name(m), reason.String()).Inc()
	p.link.Refuse(id, reason)
	t.touch(p)
}

func (t *Table) notDurable(p *peer, id uint32, m wire.Message, err error) {
	t.report(p, "the store refused to write", wire.NotDurable, err.Error())
	t.refuse(p, id, m, wire.NotDurable)
}

func (t *Table) send(p *peer, m wire.Message) {
	if p.closed {
		return
	}
	if _, err := p.link.Send(time.Now(), m); err != nil {
		t.report(p, "queueing "+name(m), wire.Busy, err.Error())
	}
	t.touch(p)
}

func (t *Table) enrol(now time.Time, p *peer, id uint32, m *wire.Enrol) {
	if p.closed {
		return
	}
	applicant := enrol.Applicant{Key: p.key, Address: p.address, Enrol: m}
	judged := func(v enrol.Verdict, err error) {
		switch {
		case err != nil:
			t.notDurable(p, id, m, err)
		case v.Reason == wire.UnknownToken && !p.patient:
			// A token is often used the moment it is minted: its order may be
			// on its way.
			p.patient = true
			time.AfterFunc(orderTime, func() { t.mail.post(func() { t.enrol(time.Now(), p, id, m) }) })
		case v.Reason != wire.Accepted:
			t.refuse(p, id, m, v.Reason)
			t.Desk.Report(applicant, v.Reason, time.Now())
		default:
			t.admit(p, v)
			t.done(p, id, m)
			t.send(p, &wire.Enrolled{Host: v.Host.ID.UUID[:]})
		}
	}
	t.Later(func() {
		t.Desk.Admit(applicant, now, func(v enrol.Verdict, err error) { t.mail.post(func() { judged(v, err) }) })
	})
}

func (t *Table) admit(p *peer, v enrol.Verdict) {
	h := t.byID[v.Host.ID]
	if h == nil {
		h = t.addHost(v.Host, time.Now())
	}
	if v.New {
		t.Log.Info("host enrolled", "host", h.name, "id", h.id, "address", p.address, "token", v.Host.Token)
	}
	if p.closed || p.host != nil {
		return
	}
	t.strangers--
	t.adopt(p, h)
}

// welcome judges whether a Hello is of the probe that is believed to hold the
// host's key, and makes the session the host's if it is.
func (t *Table) welcome(now time.Time, p *peer, h *host, m *wire.Hello) bool {
	alive := h.peer != nil && h.peer != p && now.Sub(h.heard) < silentAfter
	welcome, second := h.clones.greet(now, m.Boot, alive)
	if second {
		t.seeSecond(now, h)
	}
	if welcome && p.trial {
		t.adopt(p, h)
		t.hear(now, h)
	}
	if welcome && h.clones.came(now, p.address) {
		t.seeSecond(now, h)
	}
	return welcome
}

func (t *Table) hello(now time.Time, p *peer, id uint32, h *host, m *wire.Hello) {
	if !t.welcome(now, p, h, m) {
		t.refuse(p, id, m, wire.Cloned)
		return
	}
	h.greeted = now
	greeting := store.Greeting{
		Name: m.HostName, AgentVersion: m.AgentVersion, OS: m.OS, Arch: m.Arch, Labels: m.Labels, Address: p.address.String(),
		Term: m.Term, SiteKeys: m.SiteKeys,
	}
	var greeted store.Host
	var found bool
	t.submit(func(tx *store.Tx) (err error) {
		greeted, found, err = tx.Greet(h.id, greeting, now.UnixMilli())
		return err
	}, func(err error) {
		switch {
		case err != nil:
			t.notDurable(p, id, m, err)
		case !found || t.byID[h.id] != h:
			t.refuse(p, id, m, wire.Revoked)
		default:
			if m.HostName != "" {
				h.name = m.HostName
			}
			t.arrived(h, greeted)
			h.term, h.siteKeys = greeted.Term, greeted.SiteKeys
			t.believe(h, uplink.Up)
			t.observe(Greeted{Host: greeted, Address: p.address, Boot: m.Boot, Listen: m.Listen})
			t.done(p, id, m)
			t.send(p, &wire.Configure{
				Host: h.id.UUID[:], Term: h.term, EchoInterval: echoInterval.Milliseconds(), Time: time.Now().UnixMilli(),
			})
			if h.peer == p {
				t.tellWord(time.Now(), h)
			}
		}
	})
}

func (t *Table) digests(now time.Time, p *peer, id uint32, h *host, m *wire.Digests) {
	listed := make([]discovery.Fact, len(m.Facts))
	for i, d := range m.Facts {
		listed[i] = discovery.Fact{Kind: d.Kind, Instance: d.Instance, Version: int(d.Version), Hash: discovery.Hash(d.Hash)}
	}
	var need []discovery.Fact
	var gone []store.Fact
	t.submit(func(tx *store.Tx) (err error) {
		need, gone, err = tx.Compare(h.id, m.Kinds, listed, now.UnixMilli())
		return err
	}, func(err error) {
		if err != nil {
			t.notDurable(p, id, m, err)
			return
		}
		for _, f := range gone {
			t.observe(FactGone{h.id, f.Kind, f.Instance})
		}
		t.done(p, id, m)
		answer := &wire.Need{Facts: make([]wire.Digest, len(need))}
		for i, f := range need {
			answer.Facts[i] = wire.Digest{Kind: f.Kind, Instance: f.Instance, Hash: f.Hash[:], Version: uint8(f.Version)}
		}
		t.send(p, answer)
	})
}

func (t *Table) factPut(now time.Time, p *peer, id uint32, h *host, m *wire.FactPut) {
	fact := discovery.Fact{Kind: m.Kind, Instance: m.Instance, Version: int(m.Version), Body: m.Body, Hash: discovery.Hash(m.Hash)}
	problem := store.Problem{Host: h.id, Source: store.ByRelay, Kind: m.Kind, Instance: m.Instance}
	if err := fact.Check(); err != nil {
		problem.Reason, problem.Detail = wire.Malformed, err.Error()
		if invalid, ok := errors.AsType[*discovery.Invalid](err); ok {
			problem.Detail = invalid.Why
		}
		t.refuseFact(now, p, id, h, m, problem)
		return
	}
	var result store.PutResult
	t.submit(func(tx *store.Tx) (err error) {
		result, err = tx.PutFact(h.id, fact, m.ObservedAt, now.UnixMilli())
		if err != nil || result != store.Stored && result != store.Unchanged {
			return err
		}
		return tx.Clear(problem, h.name, now.UnixMilli())
	}, func(err error) {
		switch {
		case err != nil:
			t.notDurable(p, id, m, err)
		case result == store.NoHost && t.byID[h.id] == h: // it is moving to another relay
			t.refuse(p, id, m, wire.Busy)
		case result == store.NoHost:
			t.refuse(p, id, m, wire.Revoked)
		case result == store.TooMany:
			problem.Reason, problem.Detail = wire.TooLarge, "more instances than a host may have of one kind"
			t.refuseFact(now, p, id, h, m, problem)
		default:
			if result == store.Stored {
				t.observe(FactPut{h.id, fact})
			}
			t.done(p, id, m)
		}
	})
}

// refuseFact turns one fact away by name, and tells the service why.
func (t *Table) refuseFact(now time.Time, p *peer, id uint32, h *host, m *wire.FactPut, problem store.Problem) {
	t.refuse(p, id, m, problem.Reason)
	t.report(p, "fact refused: "+m.Kind+"/"+m.Instance, problem.Reason, problem.Detail)
	t.submit(func(tx *store.Tx) error { return tx.Raise(problem, h.name, now.UnixMilli()) }, func(err error) {
		if err != nil {
			t.report(p, "recording a refused fact", wire.NotDurable, err.Error())
		}
	})
}

func (t *Table) problem(now time.Time, p *peer, r link.Received, h *host, m *wire.Problem) {
	problem := store.Problem{Host: h.id, Source: store.ByProbe, Kind: m.Kind, Instance: m.Instance, Reason: m.Reason, Detail: m.Detail}
	if m.Detail != "" && m.Reason == wire.Accepted {
		t.refuse(p, r.ID, m, wire.Malformed)
		return
	}
	t.write(p, r, func(tx *store.Tx) error {
		if m.Detail == "" {
			return tx.Clear(problem, h.name, now.UnixMilli())
		}
		return tx.Raise(problem, h.name, now.UnixMilli())
	}, nil)
}

// name is a message's label in metrics and logs.
func name(m wire.Message) string {
	switch m.(type) {
	case *wire.Enrol:
		return "enrol"
	case *wire.Hello:
		return "hello"
	case *wire.Digests:
		return "digests"
	case *wire.FactPut:
		return "fact put"
	case *wire.FactGone:
		return "fact gone"
	case *wire.Problem:
		return "problem"
	case *wire.Goodbye:
		return "goodbye"
	case *wire.Enrolled:
		return "enrolled"
	case *wire.Configure:
		return "configure"
	case *wire.Need:
		return "need"
	case *wire.Report:
		return "report"
	case *wire.Ring:
		return "ring"
	case *wire.Redirect:
		return "redirect"
	case *wire.Revoke:
		return "revoke"
	case *wire.SiteKeys:
		return "site keys"
	}
	return "other"
}
