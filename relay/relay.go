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
	"assimilation/relay/internal/status"
	"assimilation/relay/internal/store"
	service "assimilation/relay/internal/uplink"
	"assimilation/relay/internal/watch"
	"assimilation/uplink"
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
	parts   parts
	address string
	view    view
}

// New checks the config.
func New(c Config, log *slog.Logger) (*Relay, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	metrics := status.NewMetrics(c.Version)
	c.Telemetry.Measure(metrics.Registry)
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
	p, err := r.assemble(ctx, id)
	if err != nil {
		return err
	}
	defer p.channel.Close()
	if err := r.say(ctx, "started"); err != nil {
		return errors.Join(err, p.socket.Close())
	}
	r.serving(p)
	r.log.Info("relay serves", "version", r.config.Version, "relay", id.Enrolment.Relay, "site", id.Enrolment.SiteName,
		"address", p.socket.Address(), "service", id.Enrolment.URL, "hosts", p.table.Hosts())
	ready()
	err = p.run(ctx)
	if ctx.Err() != nil {
		r.enter(status.Stopping, "")
		err = errors.Join(err, r.say(context.WithoutCancel(ctx), "stopped"))
	}
	return err
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

func (r *Relay) serving(p parts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase, r.problem, r.parts, r.address = status.Serving, "", p, p.socket.Address().String()
	r.view = view{p.places, p.watch.Rings}
}
