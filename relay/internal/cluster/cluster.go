package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Table is the relay's sessions.
type Table interface {
	// Elsewhere: other relays have these hosts now.
	Elsewhere(hosts []store.Host)
	// TakeOver: this relay has these hosts now. It calls their probes, and returns
	// when they came or ctx ends.
	TakeOver(ctx context.Context, hosts []store.Host)
	Tell(host tenancy.HostID, m wire.Message, limit time.Duration, done func(error))
}

// Service is where a dead relay's records go.
type Service interface {
	Forward(ctx context.Context, origin tenancy.RelayID, r store.Records) (uplink.Ack, error)
}

// Config is what a Cluster needs.
type Config struct {
	Self    tenancy.RelayID
	Key     ed25519.PrivateKey
	Listen  string
	Address netip.AddrPort // as others reach Listen; port 0: Listen's
	Store   *store.Store
	// Domain is where a host stands, "" where nobody knows yet.
	Domain func(tenancy.HostID) string
	Log    *slog.Logger
	Times  Times
}

// Times are what the cluster waits for; DefaultTimes are good for a site.
type Times struct {
	Lost     time.Duration // a relay that is silent for so long is dead, if nothing speaks against it
	Certain  time.Duration // one that lived for so long may be sent probes
	Copy     time.Duration // the buddy is not waited for longer
	Settle   time.Duration // at a start, others have so long to say what they have
	Greeted  time.Duration // a probe is sent elsewhere so long after it came at the earliest
	Redirect time.Duration // and not again before that
	Say      time.Duration // what stands for so long is told to the service
}

// DefaultTimes are those of a relay.
var DefaultTimes = Times{
	Lost: 3 * time.Second, Certain: 10 * time.Second, Copy: time.Second, Settle: 3 * time.Second,
	Greeted: 30 * time.Second, Redirect: 5 * time.Minute, Say: 10 * time.Second,
}

// Cluster is one relay's part in it. It is safe for concurrent use.
type Cluster struct {
	Config
	table       Table
	service     Service
	certificate tls.Certificate
	wake        chan struct{} // Run has something to look at
	listed      chan struct{} // closed when all that can has said what it has

	forwarding sync.Mutex // one at a time

	mu     sync.Mutex
	secret []byte
	// siteKeys is the sequence of the newest statement of the site's keys; 0: none.
	siteKeys uint64
	orders   map[tenancy.RelayID]uplink.RelayOrder // of the site, this one too
	peers    map[tenancy.RelayID]*peer
	copies   copies
	greeted  []greeting // who came, and may belong elsewhere
	sent     map[tenancy.HostID]time.Time
	pruned   time.Time // when sent was
	swept    string    // the relays among which hosts were shared out last
	sharing  bool      // probes are being sent elsewhere
}

// New makes a Cluster of the relays that the store knows. Run runs it.
func New(ctx context.Context, c Config, secret []byte, siteKeys uint64) (*Cluster, error) {
	certificate, err := selfSigned(c.Key)
	if err != nil {
		return nil, err
	}
	relays, err := c.Store.Relays(ctx)
	if err != nil {
		return nil, err
	}
	if c.Domain == nil {
		c.Domain = func(tenancy.HostID) string { return "" }
	}
	cluster := &Cluster{
		Config: c, certificate: certificate, wake: make(chan struct{}, 1), listed: make(chan struct{}),
		peers: map[tenancy.RelayID]*peer{}, copies: copies{head: c.Store.Head(), since: time.Now()}, sent: map[tenancy.HostID]time.Time{},
	}
	cluster.Adopt(relays, secret, siteKeys)
	return cluster, nil
}

// Adopt takes in whom the service names as the site's relays, their secret, and the
// sequence of the newest statement of the site's keys.
func (c *Cluster) Adopt(relays []uplink.RelayOrder, secret []byte, siteKeys uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.siteKeys = siteKeys
	if secret != nil {
		c.secret = secret
	}
	c.orders = map[tenancy.RelayID]uplink.RelayOrder{}
	for _, r := range relays {
		c.orders[r.ID] = r
	}
	c.nudge()
}

func (c *Cluster) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// who is the relay of the site that holds a signing key.
func (c *Cluster) who(key ed25519.PublicKey) (tenancy.RelayID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, r := range c.orders {
		if id != c.Self && key.Equal(ed25519.PublicKey(r.SignKey)) {
			return id, true
		}
	}
	return tenancy.RelayID{}, false
}

func (c *Cluster) known(id tenancy.RelayID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.orders[id]
	return known
}

// Run takes part in the cluster, as long as there is one, until ctx ends.
func (c *Cluster) Run(ctx context.Context, table Table, service Service) error {
	c.table, c.service = table, service
	c.Store.CopyTo(c)
	alone := time.AfterFunc(c.Times.Settle, func() { c.settled() })
	defer alone.Stop()
	var orphans sync.WaitGroup
	defer orphans.Wait()
	orphans.Go(func() { c.takeOrphans(ctx) })
	for ctx.Err() == nil {
		if !c.company() {
			c.settled()
			select {
			case <-c.wake:
			case <-ctx.Done():
			}
			continue
		}
		if err := c.meet(ctx); err != nil {
			c.Log.Error("this relay stands alone: it cannot meet the site's other relays", "error", err)
			c.giveUpCopies()
			select {
			case <-time.After(retryMeeting):
			case <-ctx.Done():
			}
		}
	}
	c.giveUpCopies()
	return nil
}

const (
	retryMeeting = 15 * time.Second
	tick         = 100 * time.Millisecond
	joinEvery    = 5 * time.Second
)

// company reports whether there are other relays, and the secret to meet them.
func (c *Cluster) company() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.orders) > 1 && c.secret != nil
}

// settled lets Settled go on.
func (c *Cluster) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.listed:
	default:
		close(c.listed)
	}
}

// Settled returns when the others have said which hosts are theirs, or would have.
func (c *Cluster) Settled(ctx context.Context) {
	select {
	case <-c.listed:
	case <-ctx.Done():
	}
}

// meet opens the doors and lives with the others until ctx ends.
func (c *Cluster) meet(ctx context.Context) error {
	config := mutual(c.certificate, c.who, streamProtocol, gossipProtocol)
	doors, err := listen(c.Listen, c.Address, config, c.Log)
	if err != nil {
		return err
	}
	c.mu.Lock()
	secret := c.secret
	c.mu.Unlock()
	g, err := newGossip(c.Self, secret, doors, c.known, c.hearsay, c.Log)
	if err != nil {
		return errors.Join(err, doors.Shutdown())
	}
	c.Log.Info("meeting the site's other relays", "address", doors.local)
	run, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { c.admit(run, doors) })
	parts.Go(func() { c.joinAll(run, g) })
	c.live(run, &parts, config)
	stop()
	closed := g.close()
	closed = errors.Join(closed, doors.Shutdown())
	parts.Wait()
	if closed != nil {
		return fmt.Errorf("leaving the cluster: %w", closed)
	}
	return nil
}

// admit serves the streams that others open.
func (c *Cluster) admit(ctx context.Context, doors *transport) {
	var streams sync.WaitGroup
	defer streams.Wait()
	for {
		select {
		case conn := <-doors.streams:
			streams.Go(func() { c.receive(ctx, conn) })
		case <-ctx.Done():
			return
		}
	}
}

// joinAll greets again and again those whom memberlist does not know.
func (c *Cluster) joinAll(ctx context.Context, g *gossip) {
	again := time.NewTicker(joinEvery)
	defer again.Stop()
	for {
		members := g.members()
		c.mu.Lock()
		var missing []string
		for id, r := range c.orders {
			if id != c.Self && !members[id] && r.Cluster != "" {
				missing = append(missing, r.Cluster)
			}
		}
		c.mu.Unlock()
		g.join(missing)
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// live looks after the peers until ctx ends.
func (c *Cluster) live(ctx context.Context, parts *sync.WaitGroup, config *tls.Config) {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		c.enlist(ctx, parts, config)
		c.judge(ctx, parts, time.Now())
		select {
		case <-clock.C:
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}
