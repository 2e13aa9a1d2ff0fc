package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// stream is another relay's stream.
type stream struct {
	relay  tenancy.RelayID
	epoch  uint64
	all    [][]byte
	chains []uplink.Chain
}

func newStream(t *testing.T, records int) *stream {
	t.Helper()
	s := &stream{relay: tenancy.NewID[tenancy.RelayID](), epoch: 7}
	s.chains = []uplink.Chain{uplink.ChainStart(s.relay, s.epoch)}
	for i := range records {
		record, err := uplink.EncodeRecord(uplink.Change{Seq: uint64(i + 1), Type: uplink.RelayState, SeenAt: now + int64(i), Relay: &uplink.RelayBody{Event: "mark"}})
		if err != nil {
			t.Fatal(err)
		}
		s.all, s.chains = append(s.all, record), append(s.chains, uplink.ChainNext(s.chains[i], record))
	}
	return s
}

func (s *stream) part(first, last uint64) store.Records {
	return store.Records{Epoch: s.epoch, First: first, Last: last, Prev: s.chains[first-1], Chain: s.chains[last], Encoded: s.all[first-1 : last]}
}

func TestACopyOfAnotherRelaysStream(t *testing.T) {
	s := enrolled(t)
	other := newStream(t, 10)
	keep := func(r store.Records) (o store.Origin, err error) {
		t.Helper()
		do(t, s, func(tx *store.Tx) error {
			o, err = tx.Keep(other.relay, r)
			return nil
		})
		return o, err
	}
	told := func(epoch, acked uint64, chain uplink.Chain) {
		t.Helper()
		do(t, s, func(tx *store.Tx) error { return tx.Told(other.relay, epoch, acked, chain) })
	}
	if _, err := keep(other.part(1, 2)); !errors.Is(err, store.ErrNotNext) {
		t.Errorf("records before a position: %v", err)
	}
	told(other.epoch, 2, other.chains[2])
	for name, bad := range map[string]store.Records{
		"a hole":        other.part(4, 5),
		"acknowledged":  other.part(2, 3),
		"another epoch": func() store.Records { r := other.part(3, 4); r.Epoch++; return r }(),
		"another chain": func() store.Records { r := other.part(3, 4); r.Prev = other.chains[0]; return r }(),
	} {
		if _, err := keep(bad); !errors.Is(err, store.ErrNotNext) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, err := keep(other.part(3, 8))
	if err != nil || o.Last != 8 || o.Acked != 2 || o.Chain != other.chains[8] {
		t.Fatalf("%+v, %v", o, err)
	}
	// The origin has thinned its outbox: what follows 5 has other numbers.
	if o, err = keep(other.part(6, 10)); err != nil || o.Last != 10 || o.Chain != other.chains[10] {
		t.Fatalf("%+v, %v", o, err)
	}
	held := func() store.Records {
		t.Helper()
		origins, err := s.Origins(context.Background())
		if err != nil || len(origins) != 1 {
			t.Fatalf("%v, %v", origins, err)
		}
		r, err := s.Kept(context.Background(), origins[0], 500, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if want := uplink.ChainOver(r.Prev, r.Encoded); want != r.Chain {
			t.Error("the copy's chain is not that of its records")
		}
		return r
	}
	if r := held(); r.First != 3 || r.Last != 10 || r.Prev != other.chains[2] || !slices.EqualFunc(r.Encoded, other.all[2:], slices.Equal) {
		t.Errorf("held %d to %d", r.First, r.Last)
	}
	told(other.epoch, 6, other.chains[6])
	told(other.epoch, 4, other.chains[4]) // late
	do(t, s, func(tx *store.Tx) error { return tx.Forwarded(other.relay, other.epoch, 8) })
	if r := held(); r.First != 9 || r.Last != 10 {
		t.Errorf("held %d to %d, want 9 to 10", r.First, r.Last)
	}
	told(other.epoch, 10, other.chains[10])
	if o, _ := s.Origins(context.Background()); o[0].Bytes != 0 || o[0].Last != 10 {
		t.Errorf("the service has all: %+v", o[0])
	}
	told(other.epoch+1, 0, other.chains[0])
	if r := held(); r.Epoch != other.epoch+1 || len(r.Encoded) != 0 {
		t.Errorf("a new epoch: %+v", r)
	}
	// The service names the relay no more.
	do(t, s, func(tx *store.Tx) error {
		_, err := tx.ApplyOrders(uplink.Orders{Revision: 1}, now)
		return err
	})
	if o, _ := s.Origins(context.Background()); len(o) != 0 {
		t.Errorf("the copy of a revoked relay is kept: %+v", o)
	}
}

func TestHostsOfOtherRelays(t *testing.T) {
	s := enrolled(t)
	b, c := tenancy.NewID[tenancy.RelayID](), tenancy.NewID[tenancy.RelayID]()
	host := func() store.Host {
		t.Helper()
		hosts, err := s.Hosts(context.Background())
		if err != nil || len(hosts) != 1 {
			t.Fatalf("%v, %v", hosts, err)
		}
		return hosts[0]
	}
	learn := func(h store.Host, by tenancy.RelayID, term uint64) (news bool) {
		t.Helper()
		h.ServedBy, h.Term = by, term
		do(t, s, func(tx *store.Tx) (err error) {
			news, err = tx.LearnHost(h)
			return err
		})
		return news
	}
	id := addHost(t, s)
	put(t, s, id, fact("os", "", `{"a":1}`))
	put(t, s, id, fact("cpu", "", `{"b":1}`))
	own := host()
	if learn(own, b, own.Term-1) || !host().ServedBy.IsZero() {
		t.Error("a relay that had the host before has it now")
	}
	if !learn(own, b, own.Term+1) || host().ServedBy != b {
		t.Fatal("the host's new relay is not believed")
	}
	if learn(own, b, own.Term+1) || learn(own, c, own.Term+1) || host().ServedBy != b {
		t.Error("the same again is news")
	}
	before := len(records(t, s))
	if result := put(t, s, id, fact("os", "", `{"a":2}`)); result != store.NoHost || len(records(t, s)) != before {
		t.Errorf("a fact of a host elsewhere: %v", result)
	}
	// It comes back, with one fact that did not change, and one that did and went.
	do(t, s, func(tx *store.Tx) error {
		h, found, err := tx.Greet(id, store.Greeting{Name: own.Name}, now)
		if !found || h.Term <= own.Term+1 || !h.ServedBy.IsZero() {
			t.Errorf("greeted: %+v", h)
		}
		return err
	})
	os := fact("os", "", `{"a":1}`)
	do(t, s, func(tx *store.Tx) error {
		need, _, err := tx.Compare(id, []string{"os", "cpu"}, []discovery.Fact{os}, now)
		if len(need) != 0 {
			t.Errorf("needs %+v", need)
		}
		return err
	})
	var told []uplink.ChangeType
	for _, r := range records(t, s)[before:] {
		told = append(told, r.Type)
	}
	// The service may have other facts of it by now: all are told anew, and which
	// there are.
	want := []uplink.ChangeType{uplink.HostState, uplink.FactGone, uplink.FactPut, uplink.FactList, uplink.FactList}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	// Its relay dies before it says a word here.
	learn(host(), c, host().Term+5)
	term := host().Term
	do(t, s, func(tx *store.Tx) error {
		if _, found, err := tx.TakeHost(id, b, now); found || err != nil {
			t.Errorf("taken from the wrong relay: %v", err)
		}
		h, found, err := tx.TakeHost(id, c, now)
		if !found || h.Term <= term || !h.ServedBy.IsZero() {
			t.Errorf("taken: %+v", h)
		}
		return err
	})
	// A retired one is not learnt.
	do(t, s, func(tx *store.Tx) error {
		_, err := tx.ApplyOrders(uplink.Orders{Revision: 2, Retired: []tenancy.HostID{id}}, now)
		return err
	})
	if learn(own, b, own.Term+100) {
		t.Error("a retired host is learnt")
	}
}

// copier is a Copier that acknowledges when it is told to.
type copier struct{ waiting chan func() }

func (c copier) Committed(_ store.Head, done func()) { c.waiting <- done }

func TestSubmitWaitsForTheCopyAndDoDoesNot(t *testing.T) {
	s := enrolled(t)
	c := copier{make(chan func(), 10)}
	s.CopyTo(c)
	told := make(chan error, 1)
	mark := func(tx *store.Tx) error {
		return tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: now, Relay: &uplink.RelayBody{Event: "mark"}})
	}
	s.Submit(mark, func(err error) { told <- err })
	release := <-c.waiting // committed here
	select {
	case <-told:
		t.Fatal("told before there was a copy")
	default:
	}
	do(t, s, mark) // returns: Do is for what nobody outside is told
	release()
	if err := <-told; err != nil {
		t.Error(err)
	}
	s.Submit(func(*store.Tx) error { return &wire.Error{} }, func(err error) { told <- err })
	if err := <-told; err == nil {
		t.Error("a failed write waits for nothing, and says so")
	}
}

// Relays that cannot reach each other learn of it from the probe.
func TestAProbeTellsThatAnotherRelayHadIt(t *testing.T) {
	s := enrolled(t)
	id := addHost(t, s)
	f := fact("os", "", `{"a":1}`)
	put(t, s, id, f)
	greet := func(term uint64) (h store.Host) {
		t.Helper()
		do(t, s, func(tx *store.Tx) (err error) {
			h, _, err = tx.Greet(id, store.Greeting{Name: "db1", Term: term}, now)
			return err
		})
		return h
	}
	confirmed := func() (told int) {
		t.Helper()
		before := len(records(t, s))
		do(t, s, func(tx *store.Tx) error {
			_, _, err := tx.Compare(id, []string{"os"}, []discovery.Fact{f}, now)
			return err
		})
		return len(records(t, s)) - before
	}
	own := greet(0).Term
	greet(own)
	if n := confirmed(); n != 0 {
		t.Errorf("%d records about a host that was here all the time", n)
	}
	if h := greet(own + 1000); h.Term <= own+1000 {
		t.Errorf("term %d does not rise above %d", h.Term, own+1000)
	}
	if n := confirmed(); n != 2 {
		t.Errorf("%d records, want the fact, which may have changed meanwhile, and the list", n)
	}
}
