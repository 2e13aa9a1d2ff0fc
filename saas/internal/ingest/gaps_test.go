package ingest

import (
	"slices"
	"testing"

	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/uplink"
)

func TestFactsThatNobodyListsAnyMoreGo(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p, other := r.probe(t, "h"), r.probe(t, "other")
	p.install(t, "bash=5")
	other.install(t, "bash=5")
	p.put(t, os.Kind, "", osFacts("1"))
	p.put(t, network.Kind, "", links("eth0=10.0.0.1"))
	p.put(t, neighbours.Kind, "", seen("eth0=10.0.0.9"))
	r.flush(t)
	list := func(kind string, instances ...string) {
		c := p.change(kind, "")
		c.Type, c.Term, c.Instances = uplink.FactList, 2, instances
		r.add(t, c)
	}
	list("packages", "0", "1", "7")
	list("os", "")
	list("network") // the neighbours lean on it
	c := p.change("os", "")
	r.flush(t)
	have := column[string](t, f, `SELECT kind || '/' || instance FROM assim.facts WHERE host = $1 ORDER BY 1`, p.id)
	if want := []string{"neighbours/", "os/", "packages/0", "packages/1", "packages/7"}; !slices.Equal(have, want) {
		t.Errorf("the host has %v, want %v", have, want)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.facts WHERE host = $1`, other.id); n != 16 {
		t.Errorf("the other host has %d facts, want 16", n)
	}
	// What is older than the list does not come back; a list that is older than a
	// fact does not take it.
	p.put(t, os.Kind, "", osFacts("2"))
	c.Type = uplink.FactList // of term 1
	r.add(t, c)
	r.flush(t)
	if n := value[int](t, f, `SELECT count(*) FROM assim.facts WHERE host = $1 AND kind = 'os'`, p.id); n != 1 {
		t.Error("an old list took a newer fact")
	}
	f.consistent(t)
}

func TestAGapIsToldOnce(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	p.put(t, os.Kind, "", osFacts("1"))
	r.flush(t)
	r.restart(8)
	r.add(t, uplink.Change{Type: uplink.RelayState, Relay: &uplink.RelayBody{Event: "gap", Detail: "why", Gap: &uplink.Gap{
		Cause: uplink.Restored, Epoch: 7, From: 3, To: 5}}})
	r.flush(t)
	gaps := column[string](t, f, `SELECT concat_ws(' ', detail->>'cause', detail->>'first_record', detail->>'last_record', detail->>'detail')
		FROM assim.events WHERE type = 'relay.gap'`)
	if !slices.Equal(gaps, []string{"restored 3 5 why"}) {
		t.Errorf("the gaps are %q", gaps)
	}
}
