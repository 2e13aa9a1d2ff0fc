package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Pauses.
const (
	shortestPause     = 500 * time.Millisecond
	longestPause      = 60 * time.Second
	longestRetryAfter = 10 * time.Minute
	// linger lets records gather: an envelope costs some 1.3 KB and a request.
	linger = 100 * time.Millisecond
	// pollWait is how long the service may hold a request for orders. One that
	// it answers sooner without any is asked again after a pause, and no two
	// requests are closer than pollGap: whatever the service makes of pollWait.
	pollWait = 25 * time.Second
	pollGap  = 100 * time.Millisecond
)

// ErrRevoked: the service says, under its signature, that this relay is revoked.
var ErrRevoked = errors.New("this relay was revoked; a new relay token enrols it again (assim-relay enrol)")

// Runner keeps the relay and its service in step.
type Runner struct {
	Service *Service
	Store   *store.Store
	Log     *slog.Logger
	Version string
	// Traces makes a span of each batch; nil: none.
	Traces trace.TracerProvider
	// Cluster and Serves are where other relays of the site, and probes, reach this
	// one: host:port.
	Cluster, Serves string
	// Hosts counts the enrolled hosts.
	Hosts func() int
	// Ordered is called after orders were applied, with the hosts that they
	// retired.
	Ordered func(context.Context, uplink.Orders, []tenancy.HostID) error
	// Ahead delivers what has to be at the service before this relay's own records;
	// nil: nothing has. Its error holds them back.
	Ahead func(context.Context) error
	// Doubted is called when this relay turns out to be restored from a copy.
	Doubted func()
	// Questioned answers what people ask of this relay.
	Questioned Questioned
	// Pending are probes that announce themselves and are not enrolled; nil: not told.
	Pending func() []uplink.Pending
	// Hands is told what may be handed out to hosts; nil: nothing is.
	Hands Hands

	questions questions
	mu        sync.Mutex
	health    Health
}

// Hands is what a relay hands out to the hosts of its site, see package handout.
type Hands interface {
	Asking() (programs []byte, address string, key []byte)
	Told([]uplink.Program)
}

// Health is what people ask first.
type Health struct{ Batches, Orders Exchange }

// Exchange is how one of the two conversations with the service goes.
type Exchange struct {
	LastOK time.Time
	Error  string // "" when the last exchange went well
	Since  time.Time
}

// Health is safe for concurrent use.
func (r *Runner) Health() Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health
}

// succeeded returns since when the exchange had failed, zero if it had not.
func (r *Runner) succeeded(e *Exchange) (since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Error != "" {
		since = e.Since
		r.Log.Info("the service answers again", "silent_since", since)
	}
	*e = Exchange{LastOK: time.Now()}
	return since
}

// failed logs an error when it is new: a service that is away for a night makes
// one line.
func (r *Runner) failed(e *Exchange, doing string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Error != err.Error() {
		r.Log.Warn(doing, "error", err)
	}
	e.Error = err.Error()
	if e.Since.IsZero() {
		e.Since = time.Now()
	}
}

// Listen asks for orders and applies them until ctx ends or they revoke the
// relay.
func (r *Runner) Listen(ctx context.Context) error {
	pause := newBackoff()
	revision := r.Service.id.Orders
	var answering sync.WaitGroup
	defer answering.Wait()
	for ctx.Err() == nil {
		asked := time.Now()
		request := uplink.OrdersRequest{
			Revision: revision, Version: r.Version, Epoch: r.Store.Head().Epoch, Backlog: r.Store.Head().Backlog(),
			Hosts: uint64(r.Hosts()), Wait: pollWait.Milliseconds(), Cluster: r.Cluster, Serves: r.Serves,
		}
		if r.Pending != nil {
			request.Pending = r.Pending()
		}
		if r.Hands != nil {
			request.Programs, request.Installs, request.InstallKey = r.Hands.Asking()
		}
		orders, err := r.Service.Orders(ctx, request)
		if err == nil && !orders.NotModified {
			err = r.apply(ctx, orders)
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, ErrRevoked):
			return err
		case err != nil:
			r.failed(&r.health.Orders, "asking for orders", err)
			wait(ctx, pause.next(after(err)), nil)
		default:
			if since := r.succeeded(&r.health.Orders); !since.IsZero() {
				r.sayBack(ctx, since)
			}
			pause.reset()
			r.answer(ctx, &answering, orders)
			if len(orders.Programs) > 0 && r.Hands != nil {
				r.Hands.Told(orders.Programs)
			}
			gap := pollGap
			if orders.NotModified && len(orders.Questions) == 0 {
				gap = 2 * shortestPause
			}
			if !orders.NotModified {
				revision = orders.Revision
			}
			wait(ctx, gap-time.Since(asked), nil)
		}
	}
	return nil
}

// sayBack records that the service is back, if nothing else waits: its database
// may have been restored meanwhile, and only a record shows whether it was.
func (r *Runner) sayBack(ctx context.Context, since time.Time) {
	if r.Store.Head().Backlog() > 0 {
		return
	}
	err := r.Store.Do(ctx, func(tx *store.Tx) error {
		return tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: time.Now().UnixMilli(), Relay: &uplink.RelayBody{
			Event: "reconnected", Version: r.Version, Detail: "the service did not answer since " + since.UTC().Format(time.RFC3339),
		}})
	})
	if err != nil && ctx.Err() == nil {
		r.Log.Error("recording that the service is back", "error", err)
	}
}

func (r *Runner) apply(ctx context.Context, orders uplink.Orders) error {
	var retired []tenancy.HostID
	err := r.Store.Do(ctx, func(tx *store.Tx) (err error) {
		retired, err = tx.ApplyOrders(orders, time.Now().UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("applying orders: %w", err)
	}
	// Stored first: who seals to a key that it may forget is understood no more, and
	// who says that it knows the site's keys must not forget them.
	if err := r.Service.sealTo(orders.TenantKey); err != nil {
		return fmt.Errorf("applying orders: %w", err)
	}
	trusted, err := r.Service.follow(orders.SiteKeys)
	if err != nil {
		return fmt.Errorf("applying orders: %w", err)
	}
	r.Service.siteKeys.Store(trusted)
	r.Log.Info("orders applied", "revision", orders.Revision, "tokens", len(orders.Tokens), "retired", len(orders.Retired), "revoked", orders.Revoked,
		"new_key", len(orders.TenantKey) > 0)
	if orders.Revoked {
		return ErrRevoked
	}
	return r.Ordered(ctx, orders, retired)
}

// backoff doubles from shortestPause to longestPause, with jitter so that the
// relays of a restarted service do not come all at once.
type backoff struct{ step time.Duration }

func newBackoff() *backoff { return &backoff{shortestPause} }

func (b *backoff) reset() { b.step = shortestPause }

func (b *backoff) next(atLeast time.Duration) time.Duration {
	pause := b.step/2 + rand.N(b.step/2+1)
	b.step = min(2*b.step, longestPause)
	return max(pause, atLeast)
}

// wait returns after d, when woken receives, or when ctx ends.
func wait(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-woken:
	case <-ctx.Done():
	}
}
