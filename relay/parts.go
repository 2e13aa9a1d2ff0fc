package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"assimilation/relay/internal/cluster"
	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/handout"
	"assimilation/relay/internal/notify"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/store"
	"assimilation/relay/internal/topology"
	"assimilation/relay/internal/udp"
	service "assimilation/relay/internal/uplink"
	"assimilation/relay/internal/watch"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/handshake"
)

// parts are those of a relay that serves.
type parts struct {
	socket  *udp.Socket
	gate    *udp.Gate
	desk    *enrol.Desk
	table   *sessions.Table
	places  *topology.Map
	watch   *watch.Watch
	notices *notify.Notifier
	peers   *cluster.Cluster
	channel *service.Service
	runner  *service.Runner
	hands   *handout.Handout // nil: hosts are installed from elsewhere
}

// assemble makes the parts and joins them; run starts them.
func (r *Relay) assemble(ctx context.Context, id store.Identity) (p parts, err error) {
	proof, err := proofOf(id)
	if err != nil {
		return p, err
	}
	if p.socket, err = udp.Listen(r.config.Listen, r.log, func(reason string) { r.metrics.Dropped.WithLabelValues(reason).Inc() }); err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.socket.Close())
		}
	}()
	telling := r.config.Notify
	telling.Relay = r.config.Name
	if p.notices, err = notify.New(telling, r.log); err != nil {
		return p, err
	}
	r.metrics.Registry.MustRegister(p.notices)
	if p.watch, err = r.newWatch(ctx, id, p.socket, p.notices); err != nil {
		return p, err
	}
	p.places = topology.New(p.watch.Place)
	if err = p.places.Load(ctx, r.store, id.Policy); err != nil {
		return p, err
	}
	at, err := r.config.findAddresses(p.socket.Address())
	if err != nil {
		return p, err
	}
	if p.peers, err = r.newCluster(ctx, id, at, p.places); err != nil {
		return p, err
	}
	p.desk = enrol.NewDesk(id.Enrolment.Site, r.store, r.log, r.metrics.Refused)
	p.table, err = sessions.New(ctx, sessions.Config{
		Store: r.store, Desk: p.desk, Send: p.socket, Log: r.log, Dropped: r.metrics.Dropped, Messages: r.metrics.Messages,
		Observers: []sessions.Observer{surveyor{p.places}, p.watch, p.peers}, Wanted: p.watch.Wanted,
	})
	if err != nil {
		return p, err
	}
	p.gate = udp.NewGate(p.socket, handshake.KeypairFrom(id.Keys.Noise), p.table, p.desk, p.watch, r.log, r.metrics.Dropped)
	p.gate.SetProof(proof)
	p.table.SetSiteWord(wordOf(id))
	if p.channel, err = service.NewService(id); err != nil {
		return p, err
	}
	p.runner = &service.Runner{
		Service: p.channel, Store: r.store, Log: r.log, Version: r.config.Version, Traces: r.config.Telemetry.Traces(), Hosts: p.table.Hosts,
		Cluster: told(at.cluster), Serves: told(at.serves), Doubted: p.table.Reset, Ahead: p.peers.Ahead,
		Questioned: r.answer, Pending: r.pending,
	}
	if p.hands, err = r.newHandout(at.install, p.channel); err != nil {
		return p, err
	}
	if p.hands != nil {
		p.runner.Hands = p.hands
	}
	joined := p
	p.runner.Ordered = func(ctx context.Context, orders uplink.Orders, retired []tenancy.HostID) error {
		return r.ordered(ctx, joined, orders, retired)
	}
	return p, nil
}

func (r *Relay) newHandout(at netip.AddrPort, channel *service.Service) (*handout.Handout, error) {
	if r.config.Install == "" {
		return nil, nil
	}
	return handout.Open(handout.Config{
		Folder: filepath.Join(r.config.State, "install"), Listen: r.config.Install, Address: told(at),
		Fetch: channel.Download, Log: r.log, Metrics: r.metrics.Registry,
	})
}

func (r *Relay) newWatch(ctx context.Context, id store.Identity, socket *udp.Socket, notices *notify.Notifier) (*watch.Watch, error) {
	return watch.New(ctx, watch.Config{
		Self: id.Enrolment.Relay, Store: r.store, Send: socket, Dial: &net.Dialer{}, Links: watch.KernelLinks{}, Log: r.log,
		Metrics: r.watched, Beat: time.Duration(id.Policy.Beat) * time.Millisecond, Secret: id.DomainSecret(),
		Notify: func(c watch.Conclusion) { notices.Tell(notification(c)) },
	})
}

// run runs the parts until ctx ends or one of them fails.
func (p parts) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.gate.Run(ctx) })
	group.Go(func() error { return p.table.Run(ctx) })
	group.Go(func() error { return p.peers.Run(ctx, clustered{p.table, p.gate}, p.channel) })
	group.Go(func() error {
		p.peers.Settled(ctx) // who is another relay's by now is not called
		return p.table.Recall(ctx, p.gate)
	})
	group.Go(func() error { return p.watch.Run(ctx, p.table) })
	group.Go(func() error { p.notices.Run(ctx); return nil })
	if p.hands != nil {
		group.Go(func() error { p.hands.Run(ctx); return p.hands.Close() })
	}
	group.Go(func() error { return p.runner.Forward(ctx) })
	group.Go(func() error { return p.runner.Listen(ctx) })
	return group.Wait()
}

// ordered lets the parts know what orders have changed in the store.
func (r *Relay) ordered(ctx context.Context, p parts, orders uplink.Orders, retired []tenancy.HostID) error {
	id, _, err := r.store.Identity(ctx)
	if err != nil {
		return err
	}
	proof, err := proofOf(id)
	if err != nil {
		return err
	}
	p.gate.SetProof(proof)
	p.places.SetPolicy(orders.Policy)
	p.watch.SetPolicy(orders.Policy, id.DomainSecret())
	_, sequence := id.TrustedKeys()
	p.peers.Adopt(orders.Relays, orders.SiteSecret, sequence)
	p.table.SetSiteWord(wordOf(id))
	return p.table.Retire(ctx, retired)
}

// proofOf is what the relay shows to probes.
func proofOf(id store.Identity) (proof udp.Proof, err error) {
	proof.Keys = id.SiteKeys
	if proof.Certificate, err = wire.ParseCertificate(id.Enrolment.Certificate); err != nil {
		return proof, fmt.Errorf("reading the relay's certificate: %w", err)
	}
	if id.Enrolment.NextCertificate != nil {
		next, err := wire.ParseCertificate(id.Enrolment.NextCertificate)
		if err != nil {
			return proof, fmt.Errorf("reading the relay's next certificate: %w", err)
		}
		proof.Next = &next
	}
	return proof, nil
}

// wordOf is what the site has signed for its probes.
func wordOf(id store.Identity) sessions.SiteWord {
	return sessions.SiteWord{Keys: id.SiteKeys, Revocation: id.Revocation, NextRevocation: id.NextRevocation}
}
