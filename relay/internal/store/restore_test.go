package store_test

import (
	"fmt"
	"reflect"
	"testing"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
)

func resync(t *testing.T, s *store.Store) {
	t.Helper()
	for more := true; more; {
		do(t, s, func(tx *store.Tx) (err error) { more, err = tx.Resync(10, now); return err })
	}
}

func TestARestoredStoreTellsOnlyWhatIsConfirmed(t *testing.T) {
	s := enrolled(t)
	host, silent := addHost(t, s), addHost(t, s)
	same, stale, gone := fact("x-a", "same", "1"), fact("x-a", "stale", "1"), fact("x-a", "gone", "1")
	for _, f := range []discovery.Fact{same, stale, gone, fact("x-b", "", "1")} {
		put(t, s, host, f)
		put(t, s, silent, f)
	}
	do(t, s, func(tx *store.Tx) error { return tx.SetState(silent, uplink.Silent, "", now) })
	head := s.Head()
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(head.Last) })
	rift := store.Rift{Epoch: head.Epoch, Position: head.Last + 100}
	if rift.Behind(s.Head()) {
		t.Fatal("a service that stands further is said to be behind")
	}
	do(t, s, func(tx *store.Tx) error { return tx.Mend(rift, now) })
	resync(t, s)
	changes := records(t, s)
	if got, want := types(changes), []uplink.ChangeType{uplink.RelayState, uplink.HostState}; !reflect.DeepEqual(got, want) {
		t.Fatalf("before any probe spoke, %v is told, want %v", got, want)
	}
	if gap := changes[0].Relay.Gap; gap == nil || *gap != (uplink.Gap{Cause: uplink.Restored, Epoch: head.Epoch, From: head.Last + 101}) {
		t.Errorf("the gap is %+v", gap)
	}
	if changes[1].Host != silent || changes[1].HostState.State != uplink.Silent {
		t.Errorf("the state told is %+v", changes[1])
	}

	// The probe lists what it has: one fact as it is held, one that changed, a new
	// one. Of the other kind nothing is known yet.
	fresh, changed := fact("x-a", "new", "1"), fact("x-a", "stale", "2")
	var need []discovery.Fact
	do(t, s, func(tx *store.Tx) error {
		if _, _, err := tx.Greet(host, store.Greeting{Name: "db1"}, now); err != nil {
			return err
		}
		var err error
		need, _, err = tx.Compare(host, []string{"x-a"}, []discovery.Fact{same, changed, fresh}, now)
		return err
	})
	if len(need) != 2 {
		t.Errorf("%d facts are needed, want 2", len(need))
	}
	told := records(t, s)[len(changes):]
	want := []uplink.ChangeType{uplink.HostState, uplink.FactGone, uplink.FactPut, uplink.FactList}
	if got := types(told); !reflect.DeepEqual(got, want) {
		t.Fatalf("after the list, %v is told, want %v", got, want)
	}
	if told[1].Instance != "gone" || told[2].Instance != "same" || !reflect.DeepEqual(told[3].Instances, []string{"same", "stale", "new"}) {
		t.Errorf("told is %+v", told[1:])
	}
	before := s.Head().Last
	do(t, s, func(tx *store.Tx) (err error) {
		_, _, err = tx.Compare(host, []string{"x-a"}, []discovery.Fact{same, changed, fresh}, now)
		return err
	})
	if s.Head().Last != before {
		t.Errorf("the same list again is told again")
	}
}

func TestAServiceThatFellBackIsToldEverything(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	put(t, s, host, fact("os", "", "1"))
	head := s.Head()
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(head.Last) })
	rift := store.Rift{Epoch: head.Epoch, Position: 1}
	if !rift.Behind(s.Head()) {
		t.Fatal("the service is not said to be behind")
	}
	do(t, s, func(tx *store.Tx) error { return tx.Mend(rift, now) })
	resync(t, s)
	changes := records(t, s)
	want := []uplink.ChangeType{uplink.RelayState, uplink.HostState, uplink.TokenUse, uplink.FactPut, uplink.FactList}
	if got := types(changes); !reflect.DeepEqual(got, want) {
		t.Fatalf("told is %v, want %v", got, want)
	}
	if gap := changes[0].Relay.Gap; gap == nil || gap.From != 2 || gap.To != head.Last {
		t.Errorf("the gap is %+v, want 2 to %d", gap, head.Last)
	}
	if s.Head().Epoch <= head.Epoch {
		t.Error("the new epoch is not greater than the old one")
	}
}

// The service went back to a time before the relay forgot what went, and before it
// told what it refuses.
func TestAServiceThatFellBackIsToldWhatTheRelayForgot(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	put(t, s, host, fact("x-a", "stays", "1"))
	const many = 1500 // more than are remembered
	do(t, s, func(tx *store.Tx) error {
		for i := range many {
			went := fact("x-a", fmt.Sprint("went ", i), "1")
			if _, err := tx.PutFact(host, went, now, now); err != nil {
				return err
			}
			if err := tx.DropFact(host, went.Kind, went.Instance, now, now); err != nil {
				return err
			}
		}
		return nil
	})
	refused := store.Problem{Host: host, Source: store.ByProbe, Kind: "x-b", Reason: wire.MissingRight, Detail: "CAP_NET_ADMIN"}
	do(t, s, func(tx *store.Tx) error { return tx.Raise(refused, "db1", now) })
	head := s.Head()
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(head.Last) })
	do(t, s, func(tx *store.Tx) error { return tx.Mend(store.Rift{Epoch: head.Epoch, Position: 1}, now) })
	resync(t, s)

	gone, listed, told := 0, [][]string{}, 0
	for _, c := range records(t, s) {
		switch {
		case c.Type == uplink.FactGone:
			gone++
		case c.Type == uplink.FactList && c.Kind == "x-a":
			listed = append(listed, c.Instances)
		case c.Type == uplink.Refusal && c.Kind == "x-b" && c.Refusal.Reason == wire.MissingRight && !c.Refusal.Cleared:
			told++
		}
	}
	if gone >= many {
		t.Errorf("all %d facts that went are remembered: nothing is shown", gone)
	}
	if !reflect.DeepEqual(listed, [][]string{{"stays"}}) {
		t.Errorf("the facts listed are %q", listed)
	}
	if told != 1 {
		t.Errorf("the problem that stands was told %d times", told)
	}
}
