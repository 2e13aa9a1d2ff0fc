package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"assimilation/probe"
	"assimilation/probe/internal/announce"
	"assimilation/probe/internal/state"
	"assimilation/probe/internal/udp"
	"assimilation/wire"
)

const (
	announces    = 3
	announceWait = time.Second
)

// checkRelay announces as the probe does, from another port, and says what
// answered. The clock is judged by the relay's certificate.
func (e *examination) checkRelay(ctx context.Context) {
	key, err := state.ReadKey(e.o.state)
	if err != nil {
		return // checkState has said it; with another key the relay would list a probe that does not exist
	}
	var site wire.Keys
	if e.pin != nil {
		site = e.trusted()
	} else if e.token != nil {
		site = wire.Keys{e.token.Pin}
	}
	socket, err := udp.OpenAny()
	if err != nil {
		e.bad("relay", err.Error(), "check the limits and rules of this host for UDP")
		return
	}
	defer socket.Close()
	asker := announce.New(key.Public, site, rand.Reader)
	wrong := "nothing answered the announce"
	remedy := "check that the relay runs, that UDP 1984 is open both ways, and set ASSIM_RELAY=host:1984 where multicast does not reach"
	for range announces {
		if err := e.ask(ctx, asker, socket); err != nil {
			wrong = err.Error()
		}
		from, c, err := answer(ctx, asker, socket)
		switch {
		case err == nil:
			e.fine("relay", "%s at %s", uuid.UUID(c.Relay), from)
			e.fine("clock", "within the certificate, %s to %s", day(c.NotBefore), day(c.NotAfter))
			return
		case errors.Is(err, errSilence):
			continue
		case errors.Is(err, announce.ErrNoSite):
			e.fine("relay", "one answers at %s; without a token it cannot be told whose it is", from)
			return
		}
		wrong = fmt.Sprintf("%s answers, but: %v", from, err)
		switch wire.ReasonOf(err) {
		case wire.ClockSkew, wire.Expired:
			e.bad("clock", wrong+"; it is "+time.Now().UTC().Format(time.RFC3339)+" here", "set this host's clock; if it is right, the relay's certificate has run out: restart the relay")
			return
		}
		if wrong, ok := errors.AsType[*announce.WrongSite](err); ok && wrong.HintRetired {
			remedy = "it says that its site has replaced the key that this probe or its token knows: take a new token and run assim-probe enrol --move"
			continue
		}
		remedy = "this token or this probe is of another site: take a token of the relay's site, or set ASSIM_RELAY to a relay of the token's site"
	}
	e.bad("relay", wrong, remedy)
}

// ask announces to the configured relays, that of the running probe, the
// token's, and, if there is none of these, to all.
func (e *examination) ask(ctx context.Context, asker *announce.Announcer, socket *udp.Socket) error {
	targets := e.o.relays()
	switch {
	case len(targets) > 0:
	case e.running != nil && e.running.Relay != "":
		targets = []string{e.running.Relay}
	case e.token != nil && e.token.Address != "":
		targets = []string{e.token.Address}
	}
	packet, err := asker.Ask(wire.Accepted, true)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return socket.Announce(packet)
	}
	var errs []error
	for _, target := range targets {
		addresses, err := probe.Resolve(ctx, target)
		errs = append(errs, err)
		for _, to := range addresses {
			errs = append(errs, socket.Send(to, packet))
		}
	}
	return errors.Join(errs...)
}

var errSilence = errors.New("no answer")

func answer(ctx context.Context, asker *announce.Announcer, socket *udp.Socket) (netip.AddrPort, wire.Certificate, error) {
	timeout := time.NewTimer(announceWait)
	defer timeout.Stop()
	for {
		select {
		case d := <-socket.Received():
			c, err := asker.Accept(d.Data, time.Now())
			if errors.Is(err, announce.ErrNonce) {
				continue
			}
			return d.From, c, err
		case <-timeout.C:
		case <-ctx.Done():
		}
		return netip.AddrPort{}, wire.Certificate{}, errSilence
	}
}

func day(unix int64) string {
	return strings.TrimSuffix(time.Unix(unix, 0).UTC().Format(time.RFC3339), "T00:00:00Z")
}
