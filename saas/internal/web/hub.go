package web

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"assimilation/tenancy"
)

// Channel is the Postgres channel on which writers announce, within their
// transaction, what they changed: SELECT pg_notify('assim', '<tenant> <topic>').
const Channel = "assim"

// Topic names a part of a tenant's data that changed.
type Topic string

// The topics. People: somebody may not go on; no listener is told, each looks
// whether it is meant. Resync says that notices may have been missed: look at
// everything again.
const (
	Hosts    Topic = "hosts"
	Facts    Topic = "facts"
	Events   Topic = "events"
	Verdicts Topic = "verdicts"
	Sites    Topic = "sites"
	People   Topic = "people"
	Resync   Topic = "resync"
)

// MaxSubscriptions bounds how many listeners one tenant may have at once in
// one process.
const MaxSubscriptions = 256

// Errors of Subscribe and Next.
var (
	ErrTooManySubscriptions = errors.New("too many live streams for this tenant")
	ErrHubClosed            = errors.New("the service is stopping")
)

// Hub hears the writers' notices on one connection and hands them to whoever
// follows the tenant they are about.
type Hub struct {
	source Listener
	log    *slog.Logger

	mu     sync.Mutex
	closed bool
	subs   map[tenancy.TenantID]map[*Subscription]struct{}
}

// Listener hears notices on a connection of its own until it breaks or ctx
// ends. It calls ready once notices arrive: earlier ones are lost.
// *store.DB is one.
type Listener interface {
	Listen(ctx context.Context, channel string, ready func(), heard func(payload string)) error
}

// NewHub makes a hub that hears from source.
func NewHub(source Listener, log *slog.Logger) *Hub {
	return &Hub{source: source, log: log, subs: map[tenancy.TenantID]map[*Subscription]struct{}{}}
}

// Run listens until ctx ends, reconnecting with backoff; then it ends all
// subscriptions. It always returns ctx's error.
func (h *Hub) Run(ctx context.Context) error {
	defer h.close()
	const first, limit = 100 * time.Millisecond, 10 * time.Second
	wait := first
	for {
		err := h.source.Listen(ctx, Channel, func() {
			wait = first
			h.publishAll(Resync)
		}, h.dispatch)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		h.log.Warn("live updates interrupted", "error", err, "retry_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, limit)
	}
}

// dispatch hands one notice on. One that is malformed or of an unknown topic
// is dropped: it carries no data, only the advice to look.
func (h *Hub) dispatch(payload string) {
	id, topic, _ := strings.Cut(payload, " ")
	tenant, err := tenancy.ParseID[tenancy.TenantID](id)
	if err != nil {
		h.log.Debug("notice without a tenant", "error", err)
		return
	}
	switch t := Topic(topic); t {
	case Hosts, Facts, Events, Verdicts, Sites, People:
		h.mu.Lock()
		defer h.mu.Unlock()
		for s := range h.subs[tenant] {
			s.add(t)
		}
	}
}

func (h *Hub) publishAll(t Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, subs := range h.subs {
		for s := range subs {
			s.add(t)
		}
	}
}

func (h *Hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, subs := range h.subs {
		for s := range subs {
			s.end()
		}
	}
}

// Subscribe follows a tenant until Close.
func (h *Hub) Subscribe(tenant tenancy.TenantID) (*Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrHubClosed
	case len(h.subs[tenant]) >= MaxSubscriptions:
		return nil, ErrTooManySubscriptions
	}
	s := &Subscription{hub: h, tenant: tenant, signal: make(chan struct{}, 1), pending: map[Topic]struct{}{}}
	if h.subs[tenant] == nil {
		h.subs[tenant] = map[*Subscription]struct{}{}
	}
	h.subs[tenant][s] = struct{}{}
	return s, nil
}

// Subscription collects the topics of one tenant for one listener. What a slow
// listener has not fetched is merged, so it needs no more room than there are
// topics.
type Subscription struct {
	hub    *Hub
	tenant tenancy.TenantID
	signal chan struct{}

	mu      sync.Mutex
	ended   bool
	pending map[Topic]struct{}
}

func (s *Subscription) add(t Topic) {
	s.mu.Lock()
	s.pending[t] = struct{}{}
	s.mu.Unlock()
	s.wake()
}

func (s *Subscription) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
}

func (s *Subscription) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// Next waits for changes and returns their topics, each once, or the error of
// ctx, or ErrHubClosed. One goroutine at a time may call it.
func (s *Subscription) Next(ctx context.Context) ([]Topic, error) {
	for {
		topics, ended := s.take()
		switch {
		case len(topics) > 0:
			return topics, nil
		case ended:
			return nil, ErrHubClosed
		}
		select {
		case <-s.signal:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Subscription) take() (topics []Topic, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range []Topic{People, Resync, Sites, Hosts, Facts, Verdicts, Events} {
		if _, ok := s.pending[t]; ok {
			topics = append(topics, t)
		}
	}
	clear(s.pending)
	return topics, s.ended
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.subs[s.tenant], s)
	if len(s.hub.subs[s.tenant]) == 0 {
		delete(s.hub.subs, s.tenant)
	}
}
