package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"slices"
	"sync"
	"time"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// peer is another relay of the site.
type peer struct {
	id   tenancy.RelayID
	wake chan struct{} // there is something to send it
	stop context.CancelFunc

	// Guarded by Cluster.mu.
	order     uplink.RelayOrder
	connected bool      // the stream to it is open
	listed    bool      // it has said what it has
	heard     time.Time // when, on whichever stream
	refused   bool      // nobody listens where it was
	gossip    bool      // memberlist says that it lives
	serving   time.Time // when it last answered as a probe's relay
	asked     time.Time // when it was asked
	asking    bool
	left      bool // it said so
	dead      bool
	since     time.Time          // since when it lives, or is dead
	relief    context.CancelFunc // ends our standing in for it
	news      map[tenancy.HostID]struct{}
	copied    position // how far it has our stream on disk
	problem   string
}

func (p *peer) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// enlist makes the peers those whom the orders name.
func (c *Cluster) enlist(ctx context.Context, parts *sync.WaitGroup, config *tls.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.peers {
		if _, named := c.orders[id]; !named {
			p.stop()
			delete(c.peers, id)
			parts.Go(func() { c.takeOrphans(ctx) })
		}
	}
	now := time.Now()
	for id, order := range c.orders {
		if id == c.Self {
			continue
		}
		p := c.peers[id]
		if p == nil {
			own, stop := context.WithCancel(ctx)
			// A relay that never came is dead from the first: somebody may have its log.
			p = &peer{id: id, wake: make(chan struct{}, 1), stop: stop, heard: now, since: now, news: map[tenancy.HostID]struct{}{}}
			c.peers[id] = p
			parts.Go(func() { c.stream(own, p, config) })
			parts.Go(func() { c.retire(own, p) })
		}
		p.order = order
	}
}

// retire ends what is done for a peer that is one no more.
func (c *Cluster) retire(ctx context.Context, p *peer) {
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.relief != nil {
		p.relief()
	}
}

// hearsay is memberlist's word. Memberlist holds a lock of its own meanwhile.
func (c *Cluster) hearsay(id tenancy.RelayID, lives bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.peers[id]; p != nil {
		p.gossip = lives
		c.nudge()
	}
}

// hear notes a sign of life on a stream. Only one that begins takes back that the
// relay has left: the other may go on a little after that.
func (c *Cluster) hear(p *peer, begins bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.heard, p.refused = time.Now(), false
	p.left = p.left && !begins
}

func (c *Cluster) peer(id tenancy.RelayID) *peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers[id]
}

// nameOf is by what people know a peer, as its order says by now.
func (c *Cluster) nameOf(p *peer) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.order.Name
}

// judge says who lives, who stands in for whom, and who is this relay's buddy.
func (c *Cluster) judge(ctx context.Context, parts *sync.WaitGroup, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.peers {
		c.doubt(ctx, p, now)
		dead := c.isDead(p, now)
		switch {
		case dead && !p.dead:
			p.dead, p.since, p.listed = true, now, false
			c.Log.Warn("a relay of the site is dead: standing in for it", "relay", p.order.Name, "id", p.id, "left", p.left, "refused", p.refused,
				"silent", now.Sub(p.heard).Round(time.Millisecond))
			relieved, relief := context.WithCancel(ctx)
			p.relief = relief
			parts.Go(func() { c.standIn(relieved, ctx, parts, p.id) })
		case !dead && p.dead:
			p.dead, p.since = false, now
			c.Log.Info("a relay of the site is back", "relay", p.order.Name, "id", p.id)
			p.relief()
			p.relief = nil
		}
	}
	c.chooseBuddy()
	c.checkCopies(now)
	c.checkListed()
	c.shareOut(ctx, parts, now)
}

// isDead: it said that it goes; or it is silent, nobody listens there or
// memberlist has lost it too, and it does not answer as a relay of probes. A
// stream that only stalls proves nothing.
func (c *Cluster) isDead(p *peer, now time.Time) bool {
	silent := now.Sub(p.heard) >= c.Times.Lost
	switch {
	case p.left:
		return true
	case !silent:
		return false
	case p.dead:
		return true
	case now.Sub(p.serving) < c.Times.Lost:
		return false
	}
	return p.refused || !p.gossip
}

// checkListed lets Settled go on when all that live have said what they have.
func (c *Cluster) checkListed() {
	for _, p := range c.peers {
		if !p.listed && !p.dead && !p.refused {
			return
		}
	}
	select {
	case <-c.listed:
	default:
		close(c.listed)
	}
}

// alive are this relay and those that have lived for so long, by id.
func (c *Cluster) alive(now time.Time, long time.Duration) []tenancy.RelayID {
	relays := []tenancy.RelayID{c.Self}
	for id, p := range c.peers {
		if !p.dead && p.connected && now.Sub(p.since) >= long {
			relays = append(relays, id)
		}
	}
	slices.SortFunc(relays, func(a, b tenancy.RelayID) int { return bytes.Compare(a.UUID[:], b.UUID[:]) })
	return relays
}

// survivors share out a dead relay's hosts: all that are not known to be dead.
func (c *Cluster) survivors() []tenancy.RelayID {
	c.mu.Lock()
	defer c.mu.Unlock()
	relays := []tenancy.RelayID{c.Self}
	for id, p := range c.peers {
		if !p.dead && p.connected {
			relays = append(relays, id)
		}
	}
	return relays
}
