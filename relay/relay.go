package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"assimilation/discovery/kinds"
	"assimilation/discovery/residency"
	"assimilation/relay/internal/cluster"
	"assimilation/relay/internal/enrol"
	"assimilation/relay/internal/notify"
	"assimilation/relay/internal/sessions"
	"assimilation/relay/internal/status"
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

// Relay is one relay. New makes it, Run runs it once.
type Relay struct {
	config  Config
	log     *slog.Logger
	metrics *status.Metrics
	watched *watch.Metrics
	started time.Time
	store   *store.Store

	mu      sync.Mutex // guards what the status reads while Run goes on
	phase   status.Phase
	problem string
	parts
	address string
	view    view
}

// New checks the config.
func New(c Config, log *slog.Logger) (*Relay, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	metrics := status.NewMetrics(c.Version)
	return &Relay{
		config: c, log: log, metrics: metrics, watched: watch.NewMetrics(metrics.Registry), started: time.Now(), phase: status.Starting,
	}, nil
}

// Run opens the store, enrols the relay if it is not, and serves until ctx
// ends. A relay that is revoked stops serving, but goes on saying so. ready, if
// not nil, is called when probes are served.
func (r *Relay) Run(ctx context.Context, ready func()) (err error) {
	rules, err := residency.New(kinds.All())
	if err != nil {
		return err
	}
	r.store, err = store.Open(ctx, r.config.State, store.Options{
		Log: r.log, Budget: r.config.Outbox, Committed: r.metrics.Committed, Residency: rules,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	listener, err := net.Listen("tcp", r.config.HTTP)
	if err != nil {
		return fmt.Errorf("listening for status requests: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return status.Serve(ctx, listener, status.Handler(r, r.metrics, r.log)) })
	group.Go(func() error { return r.live(ctx, ready) })
	return group.Wait()
}

// live is everything but the status.
func (r *Relay) live(ctx context.Context, ready func()) error {
	id, err := r.identify(ctx)
	if err != nil {
		return err
	}
	if !id.Revoked {
		if ready == nil {
			ready = func() {}
		}
		err = r.serve(ctx, id, ready)
	}
	if id.Revoked || errors.Is(err, service.ErrRevoked) {
		r.enter(status.Revoked, service.ErrRevoked.Error())
		r.log.Error("probes are no longer served", "reason", service.ErrRevoked)
		<-ctx.Done()
		return nil
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it was starting
	}
	return err
}

// serve runs the parts until ctx ends or one of them fails.
func (r *Relay) serve(ctx context.Context, id store.Identity, ready func()) error {
	certificate, err := wire.ParseCertificate(id.Enrolment.Certificate)
	if err != nil {
		return fmt.Errorf("reading the relay's certificate: %w", err)
	}
	socket, err := udp.Listen(r.config.Listen, r.log, func(reason string) { r.metrics.Dropped.WithLabelValues(reason).Inc() })
	if err != nil {
		return err
	}
	desk := enrol.NewDesk(id.Enrolment.Site, r.store, r.log, r.metrics.Refused)
	notices, err := notify.New(r.notices(), r.log)
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	watching, err := watch.New(ctx, watch.Config{
		Self: id.Enrolment.Relay, Store: r.store, Send: socket, Dial: &net.Dialer{}, Links: watch.KernelLinks{}, Log: r.log,
		Metrics: r.watched, Beat: time.Duration(id.Policy.Beat) * time.Millisecond, Secret: id.DomainSecret(),
		Notify: func(c watch.Conclusion) { notices.Tell(notification(c)) },
	})
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	places := topology.New(watching.Place)
	if err := places.Load(ctx, r.store, id.Policy); err != nil {
		return errors.Join(err, socket.Close())
	}
	at, err := r.config.findAddresses(socket.Address())
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	peers, err := r.newCluster(ctx, id, at, places)
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	table, err := sessions.New(ctx, sessions.Config{
		Store: r.store, Desk: desk, Send: socket, Log: r.log, Dropped: r.metrics.Dropped, Messages: r.metrics.Messages,
		Observers: []sessions.Observer{surveyor{places}, watching, peers}, Wanted: watching.Wanted,
	})
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	gate := udp.NewGate(socket, handshake.KeypairFrom(id.Keys.Noise), table, desk, watching, r.log, r.metrics.Dropped)
	gate.SetCertificate(certificate)
	channel, err := service.NewService(id)
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	defer channel.Close()
	runner := &service.Runner{
		Service: channel, Store: r.store, Log: r.log, Version: r.config.Version, Hosts: table.Hosts,
		Cluster: told(at.cluster), Serves: told(at.serves),
		Ordered: func(ctx context.Context, orders uplink.Orders, retired []tenancy.HostID) error {
			if err := r.govern(ctx, places, watching, orders); err != nil {
				return err
			}
			peers.Adopt(orders.Relays, orders.SiteSecret)
			return ordered(ctx, gate, table, orders, retired)
		},
		Doubted: table.Reset,
	}
	if err := r.say(ctx, "started"); err != nil {
		return errors.Join(err, socket.Close())
	}
	r.serving(parts{runner, table, desk, watching, places, peers}, socket.Address().String())
	r.log.Info("relay serves", "version", r.config.Version, "relay", id.Enrolment.Relay, "site", id.Enrolment.SiteName,
		"address", socket.Address(), "service", id.Enrolment.URL, "hosts", table.Hosts())
	ready()

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return gate.Run(running) })
	group.Go(func() error { return table.Run(running) })
	group.Go(func() error { return peers.Run(running, clustered{table, gate}, channel) })
	group.Go(func() error {
		peers.Settled(running) // who is another relay's by now is not called
		return table.Recall(running, gate)
	})
	group.Go(func() error { return watching.Run(running, table) })
	group.Go(func() error { notices.Run(running); return nil })
	group.Go(func() error { return runner.Forward(running) })
	group.Go(func() error { return runner.Listen(running) })
	err = group.Wait()
	if ctx.Err() != nil {
		r.enter(status.Stopping, "")
		err = errors.Join(err, r.say(context.WithoutCancel(ctx), "stopped"))
	}
	return err
}

// ordered lets the running parts know what orders have changed in the store.
func ordered(ctx context.Context, gate *udp.Gate, table *sessions.Table, orders uplink.Orders, retired []tenancy.HostID) error {
	if len(orders.Certificate) > 0 {
		certificate, err := wire.ParseCertificate(orders.Certificate)
		if err != nil {
			return fmt.Errorf("reading the renewed certificate: %w", err)
		}
		gate.SetCertificate(certificate)
	}
	return table.Retire(ctx, retired)
}

// govern lets the map of places and the watch know the policy of the site.
func (r *Relay) govern(ctx context.Context, places *topology.Map, watching *watch.Watch, orders uplink.Orders) error {
	id, _, err := r.store.Identity(ctx)
	if err != nil {
		return err
	}
	places.SetPolicy(orders.Policy)
	watching.SetPolicy(orders.Policy, id.DomainSecret())
	return nil
}

// notices is how people at the site are told.
func (r *Relay) notices() notify.Config {
	c := r.config.Notify
	c.Relay = r.config.Name
	return c
}

// say records an event of the relay itself.
func (r *Relay) say(ctx context.Context, event string) error {
	err := r.store.Do(ctx, func(tx *store.Tx) error {
		return tx.Append(uplink.Change{
			Type: uplink.RelayState, SeenAt: time.Now().UnixMilli(),
			Relay: &uplink.RelayBody{Event: event, Version: r.config.Version},
		})
	})
	if err != nil {
		return fmt.Errorf("recording that the relay has %s: %w", event, err)
	}
	return nil
}

func (r *Relay) enter(phase status.Phase, problem string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase, r.problem = phase, problem
}

// parts are those of a relay that serves which the status asks.
type parts struct {
	runner *service.Runner
	table  *sessions.Table
	desk   *enrol.Desk
	watch  *watch.Watch
	places *topology.Map
	peers  *cluster.Cluster
}

func (r *Relay) serving(p parts, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase, r.problem, r.parts, r.address = status.Serving, "", p, address
	r.view = view{p.places, p.watch.Rings}
}
