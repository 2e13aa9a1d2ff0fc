package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
)

// large is a fact of some 4 KiB.
func large(kind, instance string, n int) discovery.Fact {
	return fact(kind, instance, fmt.Sprintf("%s%d", strings.Repeat("x", 4096), n))
}

func thinned(changes []uplink.Change) (gaps []uplink.Gap) {
	for _, c := range changes {
		if c.Type == uplink.RelayState && c.Relay.Gap != nil {
			gaps = append(gaps, *c.Relay.Gap)
		}
	}
	return gaps
}

func TestAFullOutboxKeepsWhatIsCurrent(t *testing.T) {
	const budget = 1 << 20
	s, err := store.Open(context.Background(), t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler), Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	enrol(t, s)
	host := addHost(t, s)
	sent, err := s.Records(context.Background(), store.BatchRecords, s.BatchBytes())
	if err != nil {
		t.Fatal(err)
	}
	const rounds, instances = 400, 5
	largest := int64(0)
	for n := range rounds {
		do(t, s, func(tx *store.Tx) error {
			for i := range instances {
				if _, err := tx.PutFact(host, large("x-a", fmt.Sprint(i), n), now, now); err != nil {
					return err
				}
			}
			return nil
		})
		largest = max(largest, s.BacklogBytes())
		if n == rounds/2 {
			// Meanwhile the service takes what was on its way when it was cut off.
			do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(sent.Last) })
		}
	}
	if largest > budget*5/4 {
		t.Errorf("the outbox held %d bytes, its budget is %d", largest, budget)
	}
	if s.Full() {
		t.Error("probes would be turned away")
	}
	changes := records(t, s) // in order, and with a chain that holds
	newest, versions := map[string]uplink.Change{}, map[string]uint64{}
	for _, c := range changes {
		if c.Type != uplink.FactPut {
			continue
		}
		if c.Version <= versions[c.Instance] {
			t.Fatalf("version %d follows %d", c.Version, versions[c.Instance])
		}
		newest[c.Instance], versions[c.Instance] = c, c.Version
	}
	for i := range instances {
		want := large("x-a", fmt.Sprint(i), rounds-1)
		if got := newest[fmt.Sprint(i)]; discovery.Hash(got.Hash) != want.Hash {
			t.Errorf("the newest fact %d is not in the outbox", i)
		}
	}
	gaps := thinned(changes)
	if len(gaps) != 1 {
		t.Fatalf("the outbox has the gaps %+v, want one", gaps)
	}
	told := uint64(len(changes)) + gaps[0].Records + sent.Last - 1
	if want := uint64(1 + rounds*instances); told != want { // the host, and its facts
		t.Errorf("%d records stand, were sent or are said to be left out; %d were made", told, want)
	}
	if gaps[0].Since == 0 || gaps[0].Until < gaps[0].Since {
		t.Errorf("the gap is %+v", gaps[0])
	}
}

func TestWhatMayHaveBeenSentIsNotThinned(t *testing.T) {
	s, err := store.Open(context.Background(), t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler), Budget: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	enrol(t, s)
	host := addHost(t, s)
	for n := range 40 {
		put(t, s, host, large("x-a", "", n))
	}
	ctx := context.Background()
	var batches []store.Records
	batch, err := s.Records(ctx, store.BatchRecords, s.BatchBytes())
	for range store.Window - 1 {
		if err != nil || len(batch.Encoded) == 0 {
			t.Fatalf("no records to send, %v", err)
		}
		batches = append(batches, batch)
		batch, err = s.RecordsAfter(ctx, batch, store.BatchRecords, s.BatchBytes())
	}
	for n := range 400 {
		put(t, s, host, large("x-a", "", 1000+n))
	}
	if len(thinned(records(t, s))) == 0 {
		t.Fatal("nothing was thinned")
	}
	for _, batch := range batches {
		if chain, err := s.ChainAt(ctx, batch.Last); err != nil || chain != batch.Chain {
			t.Fatalf("records %d to %d are no longer those that were read; %v", batch.First, batch.Last, err)
		}
	}
}
