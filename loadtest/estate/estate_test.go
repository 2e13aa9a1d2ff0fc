package estate

import (
	"reflect"
	"testing"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
)

func TestSameSeedSameEstate(t *testing.T) {
	a, b := open(t, 7), open(t, 7)
	other := open(t, 8)
	same := 0
	for n := range a.Hosts(3) {
		x, y, z := facts(t, a, n, 3), facts(t, b, n, 3), facts(t, other, n, 3)
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("host %d differs from itself", n)
		}
		if reflect.DeepEqual(x, z) {
			same++
		}
	}
	if same > a.Hosts(3)/20 {
		t.Errorf("%d hosts of another seed are the same", same)
	}
}

// Each day's changes lead from one day's facts to the next's, and nowhere else.
func TestChangesLeadFromDayToDay(t *testing.T) {
	e := open(t, 1)
	changed := 0
	for day := 1; day <= 4; day++ {
		want := map[int]map[string]discovery.Hash{}
		for n := range e.Hosts(day) {
			want[n] = hashes(facts(t, e, n, day))
		}
		got := map[int]map[string]discovery.Hash{}
		for n := range e.Hosts(day - 1) {
			got[n] = hashes(facts(t, e, n, day-1))
		}
		err := e.Changes(day, func(c Change) error {
			changed++
			if got[c.Host] == nil {
				got[c.Host] = map[string]discovery.Hash{}
			}
			for i, f := range c.Before {
				if was := got[c.Host][f.Kind+f.Instance]; was != f.Hash || c.After[i].Hash == f.Hash {
					t.Errorf("host %d: %s/%s was %s, not %s", c.Host, f.Kind, f.Instance, was, f.Hash)
				}
			}
			for _, f := range c.After {
				got[c.Host][f.Kind+f.Instance] = f.Hash
			}
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("day %d: %v", day, err)
		}
	}
	if changed == 0 {
		t.Error("nothing ever changes")
	}
}

// A host's own elements are what the product allows one, and all clients find
// whom they connect to.
func TestTheEstateIsWhole(t *testing.T) {
	e := open(t, 1)
	owned, listens, asked := map[any]bool{}, map[string]bool{}, map[string]int{}
	sets := map[discovery.Hash]bool{}
	labels, made, hung := map[string]int{}, map[cmdb.Ref]bool{}, map[cmdb.Ref]bool{}
	for n := range e.Hosts(0) {
		h := e.Host(n)
		ref := discovery.HostRef{ID: h.ID.String(), HostRealm: cmdb.HostRealm(h.ID.String()), SiteRealm: cmdb.SiteRealm(h.Site.ID.String())}
		for _, f := range facts(t, e, n, 0) {
			p, ok := projectors.ByKind(f.Kind)
			if !ok {
				t.Fatalf("no projector for %s", f.Kind)
			}
			elements, err := p.Project(ref, f)
			if err != nil {
				t.Fatal(err)
			}
			if err := elements.Check(); err != nil {
				t.Fatal(err)
			}
			for _, edge := range elements.Edges {
				switch edge.Type {
				case cmdb.ListensOn:
					listens[edge.To.Key] = true
				case cmdb.ConnectsTo:
					asked[edge.To.Key]++
				case cmdb.HasPackages:
					sets[f.Hash] = true
				}
				hung[edge.From], hung[edge.To] = true, true
				if edge.Type != cmdb.Contains && edge.Type != cmdb.Holds {
					owned[edge.Ref()] = true
				}
			}
			for _, v := range elements.Vertices {
				if !made[v.Ref] {
					made[v.Ref] = true
					labels[string(v.Label)]++
				}
				switch v.Label {
				case cmdb.Package, cmdb.PackageSet, cmdb.File, cmdb.FileSet:
				default:
					owned[v.Ref] = true
				}
			}
		}
	}
	most := 0
	for endpoint, clients := range asked {
		if most = max(most, clients); !listens[endpoint] {
			t.Errorf("nobody listens on %s", endpoint)
		}
	}
	perHost := float64(len(owned)) / float64(e.Hosts(0))
	t.Logf("%.1f elements per host, %d package sets, at most %d clients of one endpoint; %v", perHost, len(sets), most, labels)
	for end := range hung {
		if end.Label != cmdb.Host && !made[end] {
			t.Errorf("an edge hangs on %v, which nobody makes", end)
		}
	}
	if perHost < 90 || perHost > 120 {
		t.Errorf("a host has %.1f elements", perHost)
	}
	if most < 50 {
		t.Errorf("at most %d clients of one endpoint", most)
	}
}

func open(t *testing.T, seed uint64) *Estate {
	t.Helper()
	e, err := New(1000, seed)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func facts(t *testing.T, e *Estate, n, day int) []discovery.Fact {
	t.Helper()
	f, err := e.Facts(n, day)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func hashes(facts []discovery.Fact) map[string]discovery.Hash {
	m := map[string]discovery.Hash{}
	for _, f := range facts {
		m[f.Kind+f.Instance] = f.Hash
	}
	return m
}
