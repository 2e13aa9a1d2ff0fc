package cluster

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"

	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/wire"
)

const (
	maxGreeted    = 200_000
	redirectTime  = 5 * time.Second // for a probe to say that it will try
	redirectPause = 10 * time.Millisecond
)

// greeting is a host that came, to be looked at when its domain is known.
type greeting struct {
	host tenancy.HostID
	due  time.Time
}

// Observe is for sessions.Config.
func (c *Cluster) Observe(e sessions.Event) {
	switch e := e.(type) {
	case sessions.Known:
		c.tell(e.Host.ID, false)
	case sessions.Greeted:
		c.tell(e.Host.ID, true)
	case sessions.Left:
		c.tell(e.Host, false)
	}
}

// tell has the peers hear of a host of this relay.
func (c *Cluster) tell(id tenancy.HostID, greeted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.peers) == 0 {
		return
	}
	for _, p := range c.peers {
		p.news[id] = struct{}{}
		p.nudge()
	}
	if greeted && len(c.greeted) < maxGreeted {
		c.greeted = append(c.greeted, greeting{id, time.Now().Add(c.Times.Greeted)})
	}
}

// shareOut sends probes to the relays to which their domains belong: all that
// are here when a relay has joined for good, else those that came some time ago.
// A relay that goes needs no sharing: its hosts were taken. Called with mu held.
func (c *Cluster) shareOut(ctx context.Context, parts *sync.WaitGroup, now time.Time) {
	relays := c.alive(now, c.Times.Certain)
	among := fmt.Sprint(relays)
	all := len(relays) > 1 && among != c.swept
	c.swept = among
	var due []tenancy.HostID
	for len(c.greeted) > 0 && !c.greeted[0].due.After(now) {
		due = append(due, c.greeted[0].host)
		c.greeted = c.greeted[1:]
	}
	if now.Sub(c.pruned) > c.Times.Redirect {
		c.pruned = now
		maps.DeleteFunc(c.sent, func(_ tenancy.HostID, at time.Time) bool { return now.Sub(at) > c.Times.Redirect })
	}
	if len(relays) < 2 || !all && len(due) == 0 || c.sharing {
		return
	}
	c.sharing = true
	parts.Go(func() {
		if err := c.redirect(ctx, due, all, relays); err != nil && ctx.Err() == nil {
			c.Log.Warn("sending probes to the relays of their domains", "error", err)
		}
		c.mu.Lock()
		c.sharing = false
		c.mu.Unlock()
	})
}

// redirect looks at hosts of this relay, and sends away those that belong to
// another.
func (c *Cluster) redirect(ctx context.Context, ids []tenancy.HostID, all bool, relays []tenancy.RelayID) error {
	var hosts []store.Host
	var err error
	if all {
		hosts, err = c.Store.Hosts(ctx)
	} else {
		hosts, err = c.Store.HostsOf(ctx, ids)
	}
	if err != nil {
		return err
	}
	sent := 0
	for _, h := range hosts {
		to := owner(c.key(h), relays)
		if !h.ServedBy.IsZero() || to == c.Self {
			continue
		}
		message, ok := c.invitation(h, to)
		if !ok {
			continue
		}
		sent++
		c.table.Tell(h.ID, message, redirectTime, func(err error) {
			if err != nil {
				c.Log.Debug("a probe does not go to the relay of its domain", "host", h.Name, "id", h.ID, "error", err)
			}
		})
		select { // the other has to take them in
		case <-time.After(redirectPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if sent > 0 {
		c.Log.Info("probes were sent to the relays of their domains", "probes", sent)
	}
	return nil
}

// invitation is the Redirect of a host to a relay, if it may have one now.
func (c *Cluster) invitation(h store.Host, to tenancy.RelayID) (*wire.Redirect, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[to]
	if at, sent := c.sent[h.ID]; sent && time.Since(at) < c.Times.Redirect || p == nil || p.dead || !p.connected {
		return nil, false
	}
	address, err := netip.ParseAddrPort(p.order.Serves)
	encoded := p.order.Certificate
	if len(p.order.NextCertificate) > 0 && c.siteKeys > 0 && h.SiteKeys >= c.siteKeys {
		encoded = p.order.NextCertificate
	}
	certificate, bad := wire.ParseCertificate(encoded)
	now := time.Now().Unix()
	if err != nil || bad != nil || now < certificate.NotBefore || now > certificate.NotAfter {
		return nil, false
	}
	c.sent[h.ID] = time.Now()
	return &wire.Redirect{Address: wire.AppendAddress(nil, address), Certificate: encoded}, true
}
