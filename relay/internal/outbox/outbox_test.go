package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"assimilation/relay/internal/outbox"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

const now = int64(1_790_000_000_000)

// filled is an outbox of ten records, three of them acknowledged.
func filled(t *testing.T) (*outbox.Outbox, *store.Store) {
	t.Helper()
	s, err := store.Open(context.Background(), t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	seal, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Do(context.Background(), func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Sign: make([]byte, 64), Seal: seal}); err != nil {
			return err
		}
		e := store.Enrolment{TenantKey: seal.SealKey(), Relay: tenancy.NewID[tenancy.RelayID](), SiteKey: make([]byte, 32)}
		if err := tx.Enrol(e, now); err != nil {
			return err
		}
		for range 10 {
			if err := tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: now, Relay: &uplink.RelayBody{Event: "mark"}}); err != nil {
				return err
			}
		}
		return tx.Acknowledge(3)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &outbox.Outbox{Store: s, Log: slog.New(slog.DiscardHandler), Doubted: func() {}}, s
}

func TestAnswers(t *testing.T) {
	ctx := context.Background()
	refused, disagreement := func(err error) bool {
		_, ok := errors.AsType[*outbox.Refused](err)
		return ok
	}, func(err error) bool {
		_, ok := errors.AsType[*outbox.Disagreement](err)
		return ok
	}
	fine := func(err error) bool { return err == nil }
	stuck := func(err error) bool { return err != nil && !refused(err) && !disagreement(err) }
	for name, c := range map[string]struct {
		change func(*uplink.Ack)
		is     func(error) bool
		acked  uint64
	}{
		"all":                    {func(a *uplink.Ack) { a.Position = 10 }, fine, 10},
		"a part":                 {func(a *uplink.Ack) { a.Position = 6 }, fine, 6},
		"a part, then a refusal": {func(a *uplink.Ack) { a.Position, a.Reason = 6, wire.Busy }, fine, 6},
		"nothing":                {func(a *uplink.Ack) { a.Position = 3 }, stuck, 3},
		"nothing, refused":       {func(a *uplink.Ack) { a.Position, a.Reason = 3, wire.Malformed }, refused, 3},
		"before the outbox":      {func(a *uplink.Ack) { a.Position = 2 }, disagreement, 3},
		"beyond the outbox":      {func(a *uplink.Ack) { a.Position = 11 }, disagreement, 3},
		"another epoch":          {func(a *uplink.Ack) { a.Epoch, a.Position = 1, 5 }, disagreement, 3},
		"no stream at all":       {func(a *uplink.Ack) { a.Epoch, a.Position = 0, 0 }, disagreement, 3},
		"another chain":          {func(a *uplink.Ack) { a.Position, a.Chain = 5, make([]byte, 32) }, disagreement, 3},
	} {
		t.Run(name, func(t *testing.T) {
			box, s := filled(t)
			ack := uplink.Ack{Epoch: s.Head().Epoch}
			c.change(&ack)
			if ack.Chain == nil && ack.Epoch == s.Head().Epoch && ack.Position >= 3 && ack.Position <= 10 {
				chain, err := s.ChainAt(ctx, ack.Position)
				if err != nil {
					t.Fatal(err)
				}
				ack.Chain = chain[:]
			}
			epoch := s.Head().Epoch
			batch, err := box.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := box.Settle(ctx, batch, ack); !c.is(err) {
				t.Errorf("settled with %v", err)
			}
			if head := s.Head(); head.Acked != c.acked || head.Epoch != epoch {
				t.Errorf("the head is %+v, want %d acknowledged and the same epoch", head, c.acked)
			}
		})
	}
}

func TestThreeDisagreementsInARowBeginANewEpoch(t *testing.T) {
	ctx := context.Background()
	box, s := filled(t)
	epoch := s.Head().Epoch
	bad, good := uplink.Ack{Epoch: epoch, Position: 1}, uplink.Ack{Epoch: epoch, Position: 4}
	settle := func(ack uplink.Ack) {
		t.Helper()
		batch, err := box.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // as many were on their way together
			_ = box.Settle(ctx, batch, ack) // TestAnswers looks at the errors
		}
		box.Rewind()
	}
	for i, ack := range []uplink.Ack{bad, bad, good, bad, bad} {
		settle(ack)
		if s.Head().Epoch != epoch {
			t.Fatalf("a new epoch after answer %d", i)
		}
	}
	settle(bad)
	head := s.Head()
	if head.Epoch == epoch || head.Last != 7 || head.Acked != 0 {
		t.Fatalf("the head is %+v, want a new epoch with the gap and the six records that were left", head)
	}
	// The service still knows the old epoch only: no reason for yet another.
	for range 5 {
		settle(uplink.Ack{Epoch: epoch, Position: 1, Reason: wire.Busy})
	}
	if s.Head().Epoch != head.Epoch {
		t.Error("the new epoch was given up before it was taken")
	}
	batch, err := box.Next(ctx)
	if err != nil || batch.First != 1 || batch.Last != 7 || batch.Prev != uplink.ChainStart(head.Relay, head.Epoch) {
		t.Errorf("the next batch is %d to %d of epoch %d, %v", batch.First, batch.Last, batch.Epoch, err)
	}
}
