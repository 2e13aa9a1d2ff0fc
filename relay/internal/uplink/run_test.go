package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"assimilation/relay/internal/servicetest"
	"assimilation/relay/internal/store"
	service "assimilation/relay/internal/uplink"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// relay is a store that is enrolled at a test service, and what runs over it.
type relay struct {
	t       *testing.T
	service *servicetest.Service
	store   *store.Store
	runner  *service.Runner
	ordered chan uplink.Orders
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	r := &relay{t: t, service: servicetest.New(t), ordered: make(chan uplink.Orders, 16)}
	var err error
	if r.store, err = store.Open(ctx, t.TempDir(), store.Options{Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.store.Close() })
	keys, err := service.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	enrolment, err := service.Enrol(ctx, r.service.Token, keys, "relay", "test")
	if err != nil {
		t.Fatal(err)
	}
	r.do(func(tx *store.Tx) error {
		if err := tx.SaveKeys(keys); err != nil {
			return err
		}
		return tx.Enrol(enrolment, time.Now().UnixMilli())
	})
	id, _, err := r.store.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := service.NewService(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(channel.Close)
	r.runner = &service.Runner{
		Service: channel, Store: r.store, Log: log, Version: "test", Hosts: func() int { return 0 },
		Ordered: func(_ context.Context, o uplink.Orders, _ []tenancy.HostID) error { r.ordered <- o; return nil },
		Doubted: func() {},
	}
	return r
}

func (r *relay) do(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.store.Do(context.Background(), fn); err != nil {
		r.t.Fatal(err)
	}
}

// run runs one of the runner's loops until the test ends.
func (r *relay) run(loop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := loop(ctx); err != nil {
			r.t.Errorf("ended with %v", err)
		}
	}()
	r.t.Cleanup(func() { cancel(); <-ended })
}

// mark writes records that say their numbers, from up to but not including to.
func (r *relay) mark(from, to int) {
	r.do(func(tx *store.Tx) error {
		for n := from; n < to; n++ {
			if err := tx.Append(marker(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

func marker(n int) uplink.Change {
	return uplink.Change{Type: uplink.RelayState, SeenAt: time.Now().UnixMilli(), Relay: &uplink.RelayBody{Event: "mark", Detail: fmt.Sprint(n)}}
}

// exactly fails unless the markers 0 to n-1 arrived once each, in order.
func (r *relay) exactly(n int) {
	r.t.Helper()
	changes := r.service.Await(r.t, func(changes []uplink.Change) bool { return len(marks(changes)) >= n })
	for i, mark := range marks(changes) {
		if mark != fmt.Sprint(i) {
			r.t.Fatalf("marker %d is %s: lost, twice or out of order", i, mark)
		}
	}
}

func marks(changes []uplink.Change) (marks []string) {
	for _, c := range changes {
		if c.Type == uplink.RelayState && c.Relay.Gap == nil {
			marks = append(marks, c.Relay.Detail)
		}
	}
	return marks
}

func TestNothingIsLostAndNothingTwice(t *testing.T) {
	for name, fault := range map[string]servicetest.Fault{
		"answers are lost":           {Lost: true},
		"the service is away":        {Status: 503},
		"a proxy speaks instead":     {Status: 407},
		"answers are forged":         {Forged: true},
		"answers to other requests":  {OtherSeal: true},
		"a replica that lags behind": {Behind: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			var requests atomic.Int32
			r.service.Fail(func(string) servicetest.Fault {
				if requests.Add(1)%2 == 1 {
					return fault
				}
				return servicetest.Fault{}
			})
			r.run(r.runner.Forward)
			for i := range 2 {
				r.mark(700*i, 700*(i+1))
				r.exactly(700 * (i + 1))
			}
		})
	}
}

func TestARestoredServiceGetsEverythingAnew(t *testing.T) {
	r := newRelay(t)
	host := store.Host{ID: tenancy.NewID[tenancy.HostID](), Name: "db1", State: uplink.Up, StateAt: 1, EnrolledAt: time.Now().UnixMilli()}
	r.do(func(tx *store.Tx) error { return tx.AddHost(host) })
	r.mark(0, 20)
	r.run(r.runner.Forward)
	r.exactly(20)
	epoch := r.store.Head().Epoch
	r.service.Forget(7)
	r.mark(20, 21)
	// The gap and the unacknowledged marker, then the host again, under a new epoch.
	changes := r.service.Await(t, func(changes []uplink.Change) bool {
		hosts := 0
		for _, c := range changes {
			if c.Type == uplink.HostState {
				hosts++
			}
		}
		return hosts == 2
	})
	r.exactly(21)
	if r.store.Head().Epoch == epoch {
		t.Error("the epoch is the old one")
	}
	last := changes[len(changes)-1]
	if last.HostState.Name != "db1" || last.Seq != 3 {
		t.Errorf("the last record is %+v", last)
	}
	if gap := changes[len(changes)-3].Relay; gap == nil || gap.Gap == nil || gap.Gap.Epoch != epoch || gap.Gap.From != 8 || gap.Gap.To != 21 {
		t.Errorf("the gap is %+v", gap)
	}
}

func TestOrders(t *testing.T) {
	r := newRelay(t)
	r.run(r.runner.Listen)
	order := uplink.TokenOrder{ID: "abcdefghijkl", Hash: make([]byte, 32), Allowance: 5}
	renewed := r.service.Certificate(time.Now().Add(24 * time.Hour))
	r.service.Order(func(o *uplink.Orders) { o.Tokens, o.Certificate = []uplink.TokenOrder{order}, renewed })
	<-r.ordered
	r.do(func(tx *store.Tx) error {
		token, found, err := tx.Token(order.ID)
		if err == nil && (!found || token.Allowance != 5) {
			t.Errorf("the token is %+v, %v", token, found)
		}
		return err
	})
	id, _, err := r.store.Identity(context.Background())
	if err != nil || string(id.Enrolment.Certificate) != string(renewed) || id.Orders != 1 {
		t.Errorf("the renewed certificate is not kept, or the revision (%d) is not: %v", id.Orders, err)
	}
}

func TestOrdersWithAStrangeCertificateAreNotApplied(t *testing.T) {
	r := newRelay(t)
	strange := r.service.Certificate(time.Now().Add(time.Hour))
	strange[40] ^= 1
	r.service.Order(func(o *uplink.Orders) { o.Certificate = strange })
	_, err := r.runner.Service.Orders(context.Background(), uplink.OrdersRequest{Version: "test"})
	if wire.ReasonOf(err) != wire.BadSignature {
		t.Errorf("orders gave %v", err)
	}
}

func TestRevocationEndsTheLoopsOnlyUnderASignature(t *testing.T) {
	r := newRelay(t)
	r.service.Fail(func(string) servicetest.Fault { return servicetest.Fault{Status: 403} })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r.mark(0, 1)
	if err := r.runner.Forward(ctx); err != nil {
		t.Errorf("a bare 403 ended the relay: %v", err)
	}
	if health := r.runner.Health(); !strings.Contains(health.Batches.Error, "403") {
		t.Errorf("health says %+v", health.Batches)
	}
	r.service.Fail(func(string) servicetest.Fault { return servicetest.Fault{} })
	r.service.Order(func(o *uplink.Orders) { o.Revoked = true })
	if err := r.runner.Listen(context.Background()); !errors.Is(err, service.ErrRevoked) {
		t.Errorf("orders that revoke ended with %v", err)
	}
	id, _, err := r.store.Identity(context.Background())
	if err != nil || !id.Revoked {
		t.Errorf("the revocation is not kept: %v", err)
	}
}

// TestSeveralBatchesAtATime sends a long backlog while every seventh answer is
// lost.
func TestSeveralBatchesAtATime(t *testing.T) {
	r := newRelay(t)
	const records = 20 * store.BatchRecords
	var requests, flying, most atomic.Int32
	r.service.Fail(func(string) servicetest.Fault {
		most.Store(max(most.Load(), flying.Add(1)))
		fault := servicetest.Fault{Lost: requests.Add(1)%7 == 0, Then: func() { flying.Add(-1) }}
		return fault
	})
	r.mark(0, records)
	r.run(r.runner.Forward)
	r.exactly(records)
	if n := most.Load(); n < 2 || n > store.Window {
		t.Errorf("%d batches were on their way at a time, want 2 to %d", n, store.Window)
	}
	t.Logf("%d records in %d requests, at most %d at a time", records, requests.Load(), most.Load())
}
