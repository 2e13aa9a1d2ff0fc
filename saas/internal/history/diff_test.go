package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/discovery/kinds"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/changes"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

func teller(e *estate) (*changes.Service, web.Actor) {
	return &changes.Service{DB: e.db, Kinds: kinds.Worded()}, web.Actor{Tenant: e.source.Tenant}
}

// What differs between two times leads from the one to the other, and names
// nothing that does not differ.
func TestDiffLeadsFromOneTimeToAnother(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := newEstate(t)
	var hosts []tenancy.HostID
	for i := range 3 {
		hosts = append(hosts, e.host(t, fmt.Sprint("h", i)))
	}
	snaps := []snapshot{e.now(t, hosts, e.flush(t))}
	for range 20 {
		for range 1 + random.IntN(8) {
			e.change(t, random, hosts)
		}
		snaps = append(snaps, e.now(t, hosts, e.flush(t)))
	}
	s, actor := teller(e)
	for range 40 {
		i := random.IntN(len(snaps))
		from, to := snaps[i], snaps[i+random.IntN(len(snaps)-i)]
		facts := map[string]string{}
		for _, line := range from.facts {
			key, hash := cutLast(line)
			facts[key] = hash
		}
		span := changes.Span{From: from.at, To: to.at, Limit: 1 + random.IntN(5)}
		for {
			items, next, err := s.Diff(t.Context(), actor, span)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range items {
				key := strings.Join(strings.Fields(fmt.Sprint(d.HostID, " ", d.Kind, " ", d.Instance)), " ")
				if facts[key] != d.Before || d.Before == d.After || d.Steps < 1 || d.Summary == "" {
					t.Errorf("%s was %q: %+v", key, facts[key], d)
				}
				facts[key] = d.After
				if d.After == "" {
					delete(facts, key)
				}
			}
			if next == "" {
				break
			}
			span.Cursor = next
		}
		var got []string
		for key, hash := range maps.All(facts) {
			got = append(got, key+" "+hash)
		}
		slices.Sort(got)
		compare(t, fmt.Sprint(from.at, " to ", to.at), got, to.facts)
	}
}

func cutLast(line string) (before, last string) {
	i := strings.LastIndex(line, " ")
	return line[:i], line[i+1:]
}

func TestDiffSaysWhatAPersonReads(t *testing.T) {
	e := newEstate(t)
	h, other := e.host(t, "web"), e.host(t, "db")
	instance := packages.Instance("openssl")
	e.put(t, h, packages.Kind, instance, installed("openssl", "3.0.15"))
	e.put(t, h, os.Kind, "", release("12"))
	e.put(t, other, os.Kind, "", release("12"))
	from := e.flush(t)
	e.put(t, h, packages.Kind, instance, installed("openssl", "3.0.16"))
	e.put(t, h, os.Kind, "", release("13"))
	e.put(t, other, os.Kind, "", release("13"))
	e.flush(t)
	e.put(t, h, os.Kind, "", release("12"))
	e.flush(t)
	s, actor := teller(e)
	items, _, err := s.Diff(t.Context(), actor, changes.Span{From: from, Host: "web", Limit: 10})
	if err != nil || len(items) != 1 || items[0].Summary != "openssl 3.0.15 -> 3.0.16 (amd64)" || items[0].Op != changes.Changed || items[0].Host != "web" {
		t.Errorf("%+v, %v", items, err)
	}
	if items, _, err := s.Diff(t.Context(), actor, changes.Span{From: from, Kind: "os", Limit: 10}); err != nil || len(items) != 1 || items[0].Host != "db" {
		t.Errorf("of kind os %+v, %v", items, err)
	}
	for name, span := range map[string]changes.Span{
		"backwards": {From: from, To: from.Add(-time.Second), Limit: 1}, "before all": {From: from.AddDate(-1, 0, 0), Limit: 1},
		"bad cursor": {From: from, Cursor: "x", Limit: 1}, "to come": {From: from, To: from.AddDate(1, 0, 0), Limit: 1},
	} {
		if _, _, err := s.Diff(t.Context(), actor, span); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, stranger := teller(newTenant(t, e))
	e.admin(t, `UPDATE assim.history SET facts_from = '2020-01-01'`)
	if items, _, err := s.Diff(t.Context(), stranger, changes.Span{From: from, Limit: 10}); err != nil || len(items) > 0 {
		t.Errorf("another tenant's differences: %+v, %v", items, err)
	}
}

// web uses app, app uses db; the lonely host uses nobody.
func TestChangesNearAHost(t *testing.T) {
	e := newEstate(t)
	ids := map[string]tenancy.HostID{}
	for i, name := range []string{"web", "app", "db", "lonely"} {
		ids[name] = e.host(t, name)
		e.put(t, ids[name], sockets.Kind, "", serving(name, address(i), 80, address(i+1), 80))
	}
	e.put(t, ids["lonely"], sockets.Kind, "", serving("lonely", address(100), 80, address(101), 80))
	since := e.flush(t).Add(time.Microsecond)
	for _, name := range []string{"db", "lonely", "web", "app"} {
		e.put(t, ids[name], os.Kind, "", release("1"))
		e.flush(t)
	}
	e.put(t, ids["db"], os.Kind, "", release("2"))
	e.flush(t)
	s, actor := teller(e)
	for _, test := range []struct {
		near string
		hops int
		want string
	}{
		{"web", 1, "web 0, app 1"}, {"web", 2, "web 0, app 1, db 2, db 2"}, {"app", 1, "app 0, db 1, web 1, db 1"},
		{"db", 4, "db 0, db 0, app 1, web 2"}, {"lonely", 4, "lonely 0"},
	} {
		var got []string
		f := changes.Filter{Near: test.near, Hops: test.hops, Since: since, Limit: 2}
		for {
			items, next, err := s.List(t.Context(), actor, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range items {
				got = append(got, fmt.Sprint(c.Host, " ", *c.Distance))
			}
			if next == "" {
				break
			}
			f.Cursor = next
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%d hops of %s: %q, want %q", test.hops, test.near, got, test.want)
		}
	}
	if _, _, err := s.List(t.Context(), actor, changes.Filter{Near: "nobody", Hops: 1, Limit: 1}); err == nil {
		t.Error("near a host that there is not: no error")
	}
	if items, _, err := s.List(t.Context(), actor, changes.Filter{Near: "web", Hops: 2, Limit: 100}); err != nil || len(items) != 7 {
		t.Errorf("of the last day %d changes, want 7: %v", len(items), err)
	}
}
