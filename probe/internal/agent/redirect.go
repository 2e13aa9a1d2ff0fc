package agent

import (
	"context"
	"time"

	"assimilation/wire"
)

// redirected takes the relay's word that another one of the site is to have this
// probe. Only what the site's own key has certified is gone to.
func (a *Agent) redirected(m *wire.Redirect) wire.Reason {
	address, ok := wire.ParseAddress(m.Address)
	if !ok {
		return wire.Malformed
	}
	certificate, err := wire.ParseCertificate(m.Certificate)
	if err == nil {
		err = a.trust(certificate, time.Now())
	}
	if err != nil {
		return wire.ReasonOf(err)
	}
	a.redirect = &relay{address, certificate}
	return wire.Accepted
}

// move shakes hands with the relay that a redirect names, while the session there is
// is still read; it leaves a.called set if there is a new one. If that relay does
// not answer, nothing changes.
func (a *Agent) move(ctx context.Context) {
	to := a.redirect
	if to == nil {
		return
	}
	a.redirect = nil
	a.Log.Info("going to another relay", "address", to.address.String())
	if l := a.shake(ctx, to); l != nil {
		a.called = &called{link: l, relay: *to}
	}
}
