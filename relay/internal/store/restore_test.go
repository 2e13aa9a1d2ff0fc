package store_test

import (
	"reflect"
	"testing"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
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
	want := []uplink.ChangeType{uplink.RelayState, uplink.HostState, uplink.TokenUse, uplink.FactPut}
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
