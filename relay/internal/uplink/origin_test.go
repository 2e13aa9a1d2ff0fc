package uplink_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Another relay has forwarded for this one while it was dead: it finds its stream
// ahead of what it knew, and goes on.
func TestTheServiceIsAheadOfAReturnedRelay(t *testing.T) {
	r := newRelay(t)
	r.mark(0, 20)
	ctx := context.Background()
	sent, err := r.store.Records(ctx, 15, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := r.runner.Service.Forward(ctx, tenancy.NewID[tenancy.RelayID](), sent)
	if err != nil || ack.Position != sent.Last {
		t.Fatalf("%+v, %v", ack, err)
	}
	epoch, last := r.store.Head().Epoch, r.store.Head().Last
	r.run(r.runner.Forward)
	applied := r.service.Await(t, func(applied []uplink.Change) bool { return len(applied) >= int(last) })
	for i, c := range applied {
		if c.Seq != uint64(i+1) {
			t.Fatalf("record %d was applied as number %d", c.Seq, i+1)
		}
	}
	if head := r.store.Head(); head.Epoch != epoch {
		t.Error("the relay began anew")
	}
}

// What a dead relay was told goes before this relay's own.
func TestOwnRecordsWaitForWhatGoesAhead(t *testing.T) {
	r := newRelay(t)
	var asked atomic.Int32
	r.runner.Ahead = func(context.Context) error {
		n := asked.Add(1)
		if n <= 3 && r.service.Requests("/relay/v1/batch") != 0 {
			t.Error("a batch went before")
		}
		if n < 3 {
			return errors.New("the service is away")
		}
		return nil
	}
	r.mark(0, 5)
	r.run(r.runner.Forward)
	r.service.Await(t, func(applied []uplink.Change) bool { return len(applied) >= 5 })
	if asked.Load() < 3 {
		t.Errorf("asked %d times", asked.Load())
	}
}
