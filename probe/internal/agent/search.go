package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"time"

	"assimilation/probe/internal/announce"
	"assimilation/probe/internal/udp"
	"assimilation/wire"
)

const (
	// multicastAfter unanswered announces to the token's address, the relay may
	// have moved.
	multicastAfter = 3
	// openQuestion: every so many announces one is without a hint at the site,
	// so that a probe with a token learns that it stands in another site.
	openQuestion = 4
	// yieldAfter unanswered announces the protocol's port is given up: what is
	// missing may be a relay on this very host that waits for it.
	yieldAfter = 4
	// wrongSiteAfter unanswered announces a relay of another site is worth a
	// word: where two sites share a network, both answer, and ours may be the
	// slower. An enrolled probe that asks everybody says nothing of it at all.
	wrongSiteAfter = 2
	maxWarned      = 64
)

// search announces until a relay of our site answers; nil when ctx ended or a
// relay has called.
func (a *Agent) search(ctx context.Context) *relay {
	keys, _ := a.trusted()
	asker := announce.New(a.Key.Public, keys, rand.Reader)
	for tries := 0; ; tries++ {
		if tries == yieldAfter && a.heart.Idle() { // neighbours know the port
			a.yieldPort()
		}
		if err := a.announce(ctx, asker, tries); err != nil {
			a.complain("announcing this probe: " + err.Error())
		}
		if a.called != nil {
			return nil
		}
		until := time.Now().Add(a.backoff.Next(a.Random()))
		for waiting := true; waiting; {
			d, what := a.wait(ctx, until, nil)
			switch what {
			case stopped, wasCalled:
				return nil
			case elapsed:
				waiting = false
			case arrived:
				if found := a.judge(asker, d, tries); found != nil {
					return found
				}
			}
		}
	}
}

// announce asks the configured relays, or the one in the token, or everybody.
func (a *Agent) announce(ctx context.Context, asker *announce.Announcer, tries int) error {
	targets := a.Relays
	everybody := len(targets) == 0
	if t := a.token(); everybody && t != nil && t.Address != "" {
		targets, everybody = []string{t.Address}, a.forsaken || tries >= multicastAfter
	}
	addresses, err := a.resolve(ctx, targets)
	errs := []error{err}
	for _, to := range addresses {
		// With a hint: while the site's key is replaced, a relay has two certificates.
		packet, err := asker.Ask(a.stuck, true)
		if err != nil {
			return err
		}
		a.transmit(to, packet)
	}
	if everybody {
		hinted := a.Home.Pin() != nil || tries%openQuestion != openQuestion-1
		packet, err := asker.Ask(a.stuck, hinted)
		if err != nil {
			return err
		}
		errs = append(errs, a.socket.Announce(packet))
	}
	return errors.Join(errs...)
}

// resolve looks names up beside the loop: a name server that is down with all else
// must not keep this probe's heart from beating.
func (a *Agent) resolve(ctx context.Context, targets []string) (found []netip.AddrPort, err error) {
	if len(targets) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, target := range targets {
			addresses, failed := a.Resolve(ctx, target)
			found, err = append(found, addresses...), errors.Join(err, failed)
		}
	}()
	for {
		switch d, what := a.wait(ctx, time.Now().Add(time.Hour), done); what {
		case arrived:
			a.dropStray(d)
		case stopped, wasCalled:
			cancel()
			<-done
			return nil, nil
		case changed:
			return found, err
		}
	}
}

// judge looks at what came while searching.
func (a *Agent) judge(asker *announce.Announcer, d udp.Datagram, tries int) *relay {
	if t, err := wire.PacketType(d.Data); err != nil || t != wire.PacketAnnounceReply {
		a.dropStray(d)
		return nil
	}
	certificate, err := asker.Accept(d.Data, time.Now())
	if err == nil {
		err = a.trust(certificate, time.Now())
	}
	if err == nil {
		a.Log.Info("relay found", "address", d.From.String())
		if a.stuck == wire.ClockSkew || a.stuck == wire.Expired {
			a.stuck = wire.Accepted
		}
		return &relay{d.From, certificate}
	}
	a.drop(err)
	if wrong, ok := errors.AsType[*announce.WrongSite](err); ok {
		if wrong.HintRetired {
			a.stuck = wire.KeyRetired
			a.complain("a relay says that the site has replaced the key that this probe or its token knows; a new token brings it back: "+
				"stop it and run assim-probe enrol --move", "address", d.From.String(), "reason", wire.KeyRetired.String())
		}
		if !wrong.HintRetired && tries >= wrongSiteAfter && (a.Home.Pin() == nil || len(a.Relays) > 0) {
			a.tellWrongSite(asker, d.From, wrong)
		}
		return nil
	}
	switch reason := wire.ReasonOf(err); reason {
	case wire.ClockSkew, wire.Expired:
		// The relay is ours, and one of the two clocks or the certificate is wrong.
		a.stuck = reason
		a.complain("relay's certificate is not valid at the time of this host's clock", "address", d.From.String(), "reason", reason.String(), "error", err)
	}
	return nil
}

// tellWrongSite tells the relay of another site, once, that a probe came to it
// with a token that it cannot take, so that its people see why.
func (a *Agent) tellWrongSite(asker *announce.Announcer, to netip.AddrPort, wrong *announce.WrongSite) {
	if a.warned[wrong.Relay] || len(a.warned) == maxWarned {
		return
	}
	a.warned[wrong.Relay] = true
	a.Log.Error("wrong site: still looking for a relay of this probe's site", "reason", wire.WrongSite.String(), "address", to.String(), "error", wrong)
	if packet, err := asker.Ask(wire.WrongSite, false); err == nil {
		a.transmit(to, packet)
	}
}

// yieldPort moves to another port.
func (a *Agent) yieldPort() {
	if a.socket.Port() != wire.Port {
		return
	}
	s, err := a.Open(true)
	if err != nil {
		a.Log.Debug("moving to another port", "error", err)
		return
	}
	a.socket.Close()
	a.socket = s
}
