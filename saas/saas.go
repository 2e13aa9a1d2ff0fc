// Package saas is the hosted service: it takes relays' batches in, keeps one
// graph and one history per tenant, and shows them by REST, pages and live
// updates.
package saas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"assimilation/saas/internal/accounts"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/idempotency"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/members"
	"assimilation/saas/internal/outbound"
	"assimilation/saas/internal/sso"
	"assimilation/saas/internal/verdicts"
	"assimilation/saas/internal/web"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// Limits of the HTTP server. Live pages keep an answer open and set their own
// limit for each event; anyone else who takes longer to read an answer than
// answerTimeout is holding on to our memory.
const (
	headerTimeout   = 10 * time.Second
	bodyTimeout     = 2 * time.Minute
	answerTimeout   = 10 * time.Minute
	idleTimeout     = 2 * time.Minute
	maxHeaderBytes  = 64 << 10
	shutdownTimeout = 10 * time.Second
)

// SaaS is a service that is ready to run. Close it when done.
type SaaS struct {
	config   Config
	log      *slog.Logger
	db       *store.DB
	hub      *web.Hub
	post     *mail.Post
	verdicts *verdicts.Service
	working  []running
	handler  http.Handler
	metrics  http.Handler
}

// New opens the database, which Migrate has prepared, and wires the features.
func New(ctx context.Context, config Config, log *slog.Logger) (*SaaS, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	public, err := url.Parse(config.URL)
	if err != nil {
		return nil, fmt.Errorf("public URL: %w", err) // Validate parsed it already
	}
	master, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{AdminURL: config.DatabaseURL, Passwords: master.Derive, Others: master.DeriveOthers})
	if err != nil {
		return nil, fmt.Errorf("%w; was `assim-saas migrate` run, with the same master key?", err)
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s := &SaaS{config: config, log: log, db: db, hub: web.NewHub(db, log), verdicts: &verdicts.Service{DB: db, Log: log}}
	if s.post, err = mail.New(config.SMTP, config.MailFrom, log, metrics); err != nil {
		db.Close()
		return nil, err
	}
	if !s.post.Reaches() {
		log.Warn("no mail is sent: people come in without showing that their e-mail address is theirs; set ASSIM_SMTP")
	}
	company := members.New(members.Config{DB: db, Post: s.post, URL: public, Log: log})
	people := accounts.New(accounts.Config{DB: db, Master: master, Log: log, Post: s.post, URL: public, Joining: company})
	entry := sso.New(sso.Config{DB: db, Master: master, Log: log, URL: public, Client: outbound.Client(config.PrivateIssuers), Private: config.PrivateIssuers,
		LookupTXT: net.DefaultResolver.LookupTXT, Enter: people.Enter, SessionSeconds: accounts.SessionSeconds})
	front := web.New(web.Config{
		Auth: people, Places: company, Repeats: &idempotency.Store{DB: db, Master: master}, Hub: s.hub, Log: log, Metrics: metrics, URL: public, Version: config.Version, Ready: db.Ping,
		Proxies: config.proxies, Traces: config.Telemetry.Traces(),
	})
	p := parts{config: config, public: public, log: log, db: db, master: master, hub: s.hub, metrics: metrics, post: s.post, people: people, company: company, entry: entry, verdicts: s.verdicts}
	s.metrics = front.Metrics()
	config.Telemetry.Measure(metrics)
	if s.working, err = p.mount(front); err == nil {
		s.handler, err = front.Handler()
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the database.
func (s *SaaS) Close() { s.db.Close() }

// Run serves until ctx ends; then requests under way have shutdownTimeout to
// end.
func (s *SaaS) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	if err := s.serve(ctx, group, "serving", s.config.Listen, s.handler); err != nil {
		return err
	}
	if s.config.MetricsListen != "" {
		if err := s.serve(ctx, group, "serving metrics", s.config.MetricsListen, s.metrics); err != nil {
			return err
		}
	}
	group.Go(func() error { return s.hub.Run(ctx) })
	group.Go(func() error { return s.post.Run(ctx) })
	group.Go(func() error { return s.verdicts.Watch(ctx) })
	for _, feature := range s.working {
		group.Go(func() error { return feature.Run(ctx) })
	}
	group.Go(func() error { return (&history.Keeper{DB: s.db, Log: s.log, Also: idempotency.Forget}).Run(ctx) })
	err := group.Wait()
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve listens on an address and lets the group answer there until ctx ends.
func (s *SaaS) serve(ctx context.Context, group *errgroup.Group, what, address string, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", address, err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.log.Info(what, "listen", listener.Addr().String(), "url", s.config.URL, "version", s.config.Version)
	group.Go(func() error { return server.Serve(listener) })
	group.Go(func() error {
		<-ctx.Done()
		// Long polls and live streams end with their clients' patience, not ours.
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(patience); err != nil {
			return server.Close()
		}
		return nil
	})
	return nil
}

// Migrate brings the database up to date. It may run beside serving processes.
func Migrate(ctx context.Context, config Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	master, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		return err
	}
	return store.Migrate(ctx, config.DatabaseURL, master.Derive)
}
