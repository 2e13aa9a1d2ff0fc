package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"

	"assimilation/discovery"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

const now = int64(1_790_000_000_000)

func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// enrolled opens a new store whose relay is enrolled and whose first resync is
// done.
func enrolled(t testing.TB) *store.Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() { s.Close() })
	enrol(t, s)
	return s
}

func enrol(t testing.TB, s *store.Store) store.Enrolment {
	t.Helper()
	return enrolBy(t, s, make([]byte, 32))
}

func enrolBy(t testing.TB, s *store.Store, siteKey []byte) store.Enrolment {
	t.Helper()
	seal, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	e := store.Enrolment{
		URL: "https://assim.example", TenantKey: seal.SealKey(), Tenant: tenancy.NewID[tenancy.TenantID](),
		Site: tenancy.NewID[tenancy.SiteID](), Relay: tenancy.NewID[tenancy.RelayID](),
		SiteKey: siteKey, SiteName: "berlin", Certificate: []byte{1},
	}
	do(t, s, func(tx *store.Tx) error {
		if err := tx.SaveKeys(store.Keys{Sign: make([]byte, 64), Seal: seal}); err != nil {
			return err
		}
		if err := tx.Enrol(e, now); err != nil {
			return err
		}
		_, err := tx.Resync(100, now)
		return err
	})
	return e
}

func do(t testing.TB, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Do(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func addHost(t testing.TB, s *store.Store) tenancy.HostID {
	t.Helper()
	h := store.Host{ID: tenancy.NewID[tenancy.HostID](), Name: "db1", State: uplink.Up, StateAt: now, EnrolledAt: now, Token: "abcdefghijkl"}
	rand.Read(h.ProbeKey[:])
	do(t, s, func(tx *store.Tx) error { return tx.AddHost(h) })
	return h.ID
}

func fact(kind, instance, body string) discovery.Fact {
	return discovery.Fact{Kind: kind, Instance: instance, Version: 1, Body: []byte(body), Hash: discovery.HashBody(kind, 1, []byte(body))}
}

func put(t testing.TB, s *store.Store, host tenancy.HostID, f discovery.Fact) (result store.PutResult) {
	t.Helper()
	do(t, s, func(tx *store.Tx) (err error) {
		result, err = tx.PutFact(host, f, now, now)
		return err
	})
	return result
}

// records reads the whole outbox and checks its numbering and its chain.
func records(t testing.TB, s *store.Store) []uplink.Change {
	t.Helper()
	batch, err := s.Records(context.Background(), 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if uplink.ChainOver(batch.Prev, batch.Encoded) != batch.Chain {
		t.Fatal("the records do not give the chain")
	}
	if head := s.Head(); batch.Chain != head.Chain || batch.Last != head.Last {
		t.Fatalf("records end at %d, the head says %d, or their chains differ", batch.Last, head.Last)
	}
	var changes []uplink.Change
	for i, record := range batch.Encoded {
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			t.Fatalf("record %d: %v", batch.First+uint64(i), err)
		}
		if change.Seq != batch.First+uint64(i) {
			t.Fatalf("record %d says it is %d", batch.First+uint64(i), change.Seq)
		}
		changes = append(changes, change)
	}
	return changes
}

func types(changes []uplink.Change) (types []uplink.ChangeType) {
	for _, c := range changes {
		types = append(types, c.Type)
	}
	return types
}

func TestConsecutiveVersionsDiffer(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	a, b := fact("os", "", `{"a":1}`), fact("os", "", `{"a":2}`)
	for i, step := range []struct {
		fact discovery.Fact
		want store.PutResult
	}{{a, store.Stored}, {a, store.Unchanged}, {b, store.Stored}, {b, store.Unchanged}, {a, store.Stored}} {
		if got := put(t, s, host, step.fact); got != step.want {
			t.Errorf("put %d: %v, want %v", i, got, step.want)
		}
	}
	do(t, s, func(tx *store.Tx) error { return tx.DropFact(host, "os", "", now, now) })
	do(t, s, func(tx *store.Tx) error { return tx.DropFact(host, "os", "", now, now) }) // a second time says nothing
	put(t, s, host, a)

	changes := records(t, s)[1:]
	want := []uplink.ChangeType{uplink.FactPut, uplink.FactPut, uplink.FactPut, uplink.FactGone, uplink.FactPut}
	if got := types(changes); !reflect.DeepEqual(got, want) {
		t.Fatalf("records are %v, want %v", got, want)
	}
	for i, c := range changes {
		if c.Version != uint64(i+1) {
			t.Errorf("record %d has version %d", i, c.Version)
		}
	}
	if !bytes.Equal(changes[1].Body, b.Body) {
		t.Errorf("record carries body %q, want %q", changes[1].Body, b.Body)
	}
	if got := put(t, s, tenancy.NewID[tenancy.HostID](), a); got != store.NoHost {
		t.Errorf("a fact of an unknown host: %v", got)
	}
}

func TestBodiesAreSharedAndCollected(t *testing.T) {
	s := enrolled(t)
	first, second := addHost(t, s), addHost(t, s)
	shared := fact("packages", "0", `{"p":[]}`)
	put(t, s, first, shared)
	put(t, s, second, shared)
	bodies := func(want int) {
		t.Helper()
		stats, err := s.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if stats.Bodies != want {
			t.Errorf("%d bodies are held, want %d", stats.Bodies, want)
		}
	}
	bodies(1)
	put(t, s, first, fact("packages", "0", `{"p":[1]}`))
	bodies(2)
	do(t, s, func(tx *store.Tx) error { return tx.DropFact(second, "packages", "0", now, now) })
	bodies(1)
	do(t, s, func(tx *store.Tx) error {
		_, err := tx.ApplyOrders(uplink.Orders{Revision: 2, Retired: []tenancy.HostID{first}}, now)
		return err
	})
	bodies(0)
}

func TestCompareNamesWhatLacksAndDropsWhatWent(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	same, old, gone, other := fact("x-a", "same", "1"), fact("x-a", "old", "1"), fact("x-a", "gone", "1"), fact("x-b", "", "1")
	for _, f := range []discovery.Fact{same, old, gone, other} {
		put(t, s, host, f)
	}
	before := len(records(t, s))
	changed, fresh := fact("x-a", "old", "2"), fact("x-a", "new", "1")
	var need []discovery.Fact
	do(t, s, func(tx *store.Tx) (err error) {
		need, _, err = tx.Compare(host, []string{"x-a"}, []discovery.Fact{same, changed, fresh}, now)
		return err
	})
	if want := []discovery.Fact{changed, fresh}; !reflect.DeepEqual(need, want) {
		t.Errorf("need %v, want %v", need, want)
	}
	news := records(t, s)[before:]
	if len(news) != 1 || news[0].Type != uplink.FactGone || news[0].Instance != "gone" {
		t.Errorf("the list made records %v, want one FactGone", news)
	}
	facts, err := s.Facts(context.Background(), host)
	if err != nil || len(facts) != 3 {
		t.Errorf("%d facts stand, want 3 (%v)", len(facts), err)
	}
}

func TestInstancesAreBounded(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	var last store.PutResult
	do(t, s, func(tx *store.Tx) (err error) {
		for i := range discovery.MaxInstances + 1 {
			if last, err = tx.PutFact(host, fact("x-many", fmt.Sprint(i), "1"), now, now); err != nil {
				return err
			}
		}
		return nil
	})
	if last != store.TooMany {
		t.Errorf("instance %d: %v, want TooMany", discovery.MaxInstances+1, last)
	}
	if got := put(t, s, host, fact("x-many", "0", "2")); got != store.Stored {
		t.Errorf("replacing one of them: %v, want Stored", got)
	}
}

func TestAHostCannotFillTheDisk(t *testing.T) {
	s := enrolled(t)
	host, other := addHost(t, s), addHost(t, s)
	stored := func(host tenancy.HostID, n int, body func(int) string) (count int) {
		do(t, s, func(tx *store.Tx) error {
			count = 0
			for i := range n {
				result, err := tx.PutFact(host, fact(fmt.Sprintf("x-%d", i), "", body(i)), now, now)
				if err != nil {
					return err
				}
				if result == store.Stored {
					count++
				}
			}
			return nil
		})
		return count
	}
	if got := stored(host, 5000, func(int) string { return "1" }); got != 4096 {
		t.Errorf("%d facts of made-up kinds were stored", got)
	}
	noise := make([]byte, 1<<20)
	large := func(int) string {
		rand.Read(noise)
		return fmt.Sprintf("%q", fmt.Sprintf("%x", noise))
	}
	if got := stored(other, 36, large); got < 15 || got > 34 { // 1 to 2 MiB each, packed
		t.Errorf("%d large facts were stored", got)
	}
	if got := put(t, s, other, fact("x-0", "", large(0))); got != store.Stored {
		t.Errorf("replacing one of them: %v", got)
	}
	do(t, s, func(tx *store.Tx) error {
		for i := range 2000 {
			kind := fmt.Sprintf("y-%d", i)
			if err := tx.DropFact(host, fmt.Sprintf("x-%d", i), "", now, now+int64(i)); err != nil {
				return err
			}
			if _, err := tx.PutFact(host, fact(kind, "", "1"), now, now); err != nil {
				return err
			}
			if err := tx.DropFact(host, kind, "", now, now+int64(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if got := s.Tombstones(t.Context(), host); got < 768 || got > 1024 {
		t.Errorf("%d facts that went are remembered", got)
	}
}

func TestAHostThatComesBackOutranksWhatAnotherRelaySaid(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	put(t, s, host, fact("os", "", "1"))
	put(t, s, host, fact("os", "", "2"))
	const later = now + 3_600_000
	greet := func(at int64) (h store.Host) {
		do(t, s, func(tx *store.Tx) (err error) {
			h, _, err = tx.Greet(host, store.Greeting{Name: "db1"}, at)
			return err
		})
		return h
	}
	greet(later)
	put(t, s, host, fact("os", "", "3"))
	greet(now) // a clock that was set back
	put(t, s, host, fact("os", "", "4"))
	var got [][2]uint64
	for _, c := range records(t, s) {
		if c.Type == uplink.FactPut {
			got = append(got, [2]uint64{c.Term - uint64(now/1000), c.Version})
		}
	}
	if want := [][2]uint64{{0, 1}, {0, 2}, {3600, 1}, {3600, 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("terms and versions are %v, want %v", got, want)
	}
}

func TestOneBadWriteSparesItsGroup(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	bad := errors.New("cannot write")
	const count = 40
	results := make(chan error, count)
	for i := range count {
		s.Submit(func(tx *store.Tx) error {
			if _, err := tx.PutFact(host, fact("x-n", fmt.Sprint(i), "1"), now, now); err != nil || i != 17 {
				return err
			}
			return bad
		}, func(err error) { results <- err })
	}
	failed := 0
	for range count {
		if err := <-results; errors.Is(err, bad) {
			failed++
		} else if err != nil {
			t.Error(err)
		}
	}
	if failed != 1 {
		t.Errorf("%d writes failed, want 1", failed)
	}
	if got := len(records(t, s)) - 1; got != count-1 {
		t.Errorf("%d facts recorded, want %d", got, count-1)
	}
}

func TestAcknowledgeAndReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	enrol(t, s)
	host := addHost(t, s)
	for i := range 10 {
		put(t, s, host, fact("os", "", fmt.Sprint(i)))
	}
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(4) })
	if got := records(t, s); got[0].Seq != 5 || len(got) != 7 {
		t.Errorf("after the acknowledgement of 4 there are %d records from %d on", len(got), got[0].Seq)
	}
	if err := s.Do(context.Background(), func(tx *store.Tx) error { return tx.Acknowledge(12) }); err == nil {
		t.Error("a record that was never written was acknowledged")
	}
	head, size := s.Head(), s.BacklogBytes()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Do(context.Background(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	s = open(t, dir)
	defer s.Close()
	if s.Head() != head || s.BacklogBytes() != size {
		t.Errorf("reopened at %+v with %d bytes, closed at %+v with %d", s.Head(), s.BacklogBytes(), head, size)
	}
	records(t, s)
	if _, err := store.Open(context.Background(), dir, store.Options{}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second process may open the store: %v", err)
	}
	if matches, _ := filepath.Glob(filepath.Join(dir, "*")); len(matches) < 2 {
		t.Errorf("unexpected files %v", matches)
	}
}

func TestRestartSendsEverythingAnew(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	put(t, s, host, fact("os", "", "1"))
	put(t, s, host, fact("x-gone", "", "1"))
	do(t, s, func(tx *store.Tx) error { return tx.DropFact(host, "x-gone", "", now, now) })
	do(t, s, func(tx *store.Tx) error { return tx.Acknowledge(s.Head().Last) })
	do(t, s, func(tx *store.Tx) error { return tx.SpendToken("abcdefghijkl", host, now) })
	old := s.Head()

	do(t, s, func(tx *store.Tx) error { return tx.Restart(old.Relay, now) })
	if head := s.Head(); head.Epoch == old.Epoch || !head.Resyncing {
		t.Fatalf("the new epoch is %+v", head)
	}
	for more := true; more; {
		do(t, s, func(tx *store.Tx) (err error) { more, err = tx.Resync(1, now); return err })
	}
	if s.Head().Resyncing {
		t.Error("the resync does not end")
	}
	changes := records(t, s)
	want := []uplink.ChangeType{uplink.TokenUse, uplink.HostState, uplink.TokenUse, uplink.FactPut, uplink.FactGone, uplink.FactList, uplink.FactList}
	if got := types(changes); !reflect.DeepEqual(got, want) {
		t.Fatalf("the new epoch holds %v, want %v", got, want)
	}
	if changes[3].Term <= uint64(now/1000) || changes[3].Version != 1 {
		t.Errorf("the fact has (term, version) (%d, %d), which the service may know already", changes[3].Term, changes[3].Version)
	}
}

func TestProblemsAreRecordedOnce(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	before := len(records(t, s))
	p := store.Problem{Host: host, Source: store.ByRelay, Kind: "os", Reason: wire.Malformed, Detail: "no JSON"}
	other := p
	other.Reason, other.Detail = wire.TooLarge, "too large"
	do(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.Raise(p, "db1", now), tx.Raise(p, "db1", now), tx.Raise(other, "db1", now),
			tx.Clear(p, "db1", now), tx.Clear(p, "db1", now))
	})
	var got []string
	for _, c := range records(t, s)[before:] {
		got = append(got, fmt.Sprint(c.Refusal.Reason, " ", c.Refusal.Cleared))
	}
	want := []string{"malformed false", "malformed true", "too large false", "too large true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("records are %q, want %q", got, want)
	}
}

func TestOrdersKeepCounts(t *testing.T) {
	s := enrolled(t)
	host := addHost(t, s)
	order := uplink.TokenOrder{ID: "abcdefghijkl", Hash: make([]byte, 32), Allowance: 3, Labels: map[string]string{"env": "prod"}}
	apply := func(orders ...uplink.TokenOrder) {
		do(t, s, func(tx *store.Tx) error {
			_, err := tx.ApplyOrders(uplink.Orders{Revision: 1, Tokens: orders, Certificate: []byte{7}}, now)
			return err
		})
	}
	apply(order)
	do(t, s, func(tx *store.Tx) error { return tx.SpendToken(order.ID, host, now) })
	apply()
	do(t, s, func(tx *store.Tx) error {
		if token, found, err := tx.Token(order.ID); err != nil || !found || !token.Revoked {
			t.Errorf("a spent token that orders no longer list: %+v, %v, %v", token, found, err)
		}
		return nil
	})
	apply(order)
	do(t, s, func(tx *store.Tx) error {
		token, _, err := tx.Token(order.ID)
		if err != nil || token.Used != 1 || token.Revoked || token.Labels["env"] != "prod" {
			t.Errorf("a token that came back: %+v, %v", token, err)
		}
		return nil
	})
	id, _, err := s.Identity(context.Background())
	if err != nil || !bytes.Equal(id.Enrolment.Certificate, []byte{7}) || id.Enrolment.SiteName != "berlin" || id.Orders != 1 {
		t.Errorf("the identity after orders is %+v, %v", id.Enrolment, err)
	}
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	ctx := context.Background()
	s := enrolled(t)
	host := addHost(t, s)
	if err := s.LimitPages(ctx, 1); err != nil { // the file keeps what it has
		t.Fatal(err)
	}
	random := make([]byte, 50_000)
	big := func(n int) discovery.Fact {
		rand.Read(random)
		return fact("x-big", fmt.Sprint(n), fmt.Sprintf("%q", fmt.Sprintf("%x", random)))
	}
	write := func(n int) error {
		return s.Do(ctx, func(tx *store.Tx) error {
			_, err := tx.PutFact(host, big(n), now, now)
			return err
		})
	}
	stored := 0
	for write(stored) == nil {
		if stored++; stored > 100 {
			t.Fatal("the disk does not become full")
		}
	}
	if got := len(records(t, s)) - 1; got != stored {
		t.Errorf("%d facts are recorded, %d were stored", got, stored)
	}
	if err := s.LimitPages(ctx, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := write(stored); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := len(records(t, s)) - 1; got != stored+1 {
		t.Errorf("%d facts are recorded, want %d", got, stored+1)
	}
}
