package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/sockets"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/uplink"
	"assimilation/wire"
)

func TestFactsBecomeAGraph(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	topics, ready := make(chan string, 64), make(chan struct{})
	go f.db.Listen(ctx, "assim", func() { close(ready) }, func(payload string) { topics <- payload })
	<-ready
	web, db := r.probe(t, "web"), r.probe(t, "db")
	web.put(t, neighbours.Kind, "", seen("eth0=10.0.0.2")) // before the links it speaks of
	for _, p := range []*probe{web, db} {
		p.put(t, os.Kind, "", osFacts("12"))
		p.install(t, "bash=5.2", "libc6=2.36")
	}
	web.put(t, network.Kind, "", links("eth0=10.0.0.1"))
	db.put(t, network.Kind, "", links("eth0=10.0.0.2"))
	web.put(t, sockets.Kind, "", services(t, "nginx <10.0.0.1:80 >10.0.0.2:5432"))
	db.put(t, sockets.Kind, "", services(t, "postgres <10.0.0.2:5432"))
	ack := r.send(t, 1, uint64(len(r.records)))
	if ack.Reason != wire.Accepted || ack.Epoch != 7 || ack.Position != uint64(len(r.records)) || uplink.Chain(ack.Chain) != r.chains[len(r.records)] {
		t.Fatalf("ack %+v", ack)
	}
	f.consistent(t)
	hosts := column[string](t, f, `SELECT name || ' ' || state || ' ' || agent_version || ' ' || (labels->>'env') || ' ' || (site = $1) FROM assim.hosts ORDER BY name`, r.source.Site)
	if want := []string{"db up 1.0 test true", "web up 1.0 test true"}; !slices.Equal(hosts, want) {
		t.Errorf("hosts %q, want %q", hosts, want)
	}
	got := column[string](t, f, fmt.Sprintf(`SELECT agtype_out(r)::text FROM cypher('%s', $q$
		MATCH (h:Host)-[:RUNS]->(s:Service)-[:CONNECTS_TO]->(e:Endpoint)<-[:LISTENS_ON]-(t:Service)<-[:RUNS]-(g:Host)
		RETURN h.name + ' ' + s.name + ' -> ' + t.name + ' ' + g.name $q$) AS (r agtype)`, store.Graph(f.tenant)))
	if want := []string{`"web nginx -> postgres db"`}; !slices.Equal(got, want) {
		t.Errorf("dependencies %q, want %q", got, want)
	}
	for label, want := range map[string]int{"Host": 2, "PackageSet": 2, "Package": 2, "OS": 1, "SEES": 1, "HAS_PACKAGES": 4, "CONTAINS": 2} {
		if n := value[int](t, f, fmt.Sprintf(`SELECT count(*) FROM %s."%s"`, store.Graph(f.tenant), label)); n != want {
			t.Errorf("%d %s in the graph, want %d", n, label, want)
		}
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions`); n != 39 {
		t.Errorf("%d versions of facts, want 39", n)
	}
	heard := map[string]bool{}
	for len(heard) < 3 {
		select {
		case topic := <-topics:
			heard[strings.TrimPrefix(topic, f.tenant.String()+" ")] = true
		case <-ctx.Done():
			t.Fatalf("heard only of %v", heard)
		}
	}
	for _, topic := range []string{"hosts", "facts", "events"} {
		if !heard[topic] {
			t.Errorf("not told of %s", topic)
		}
	}
}

func TestPlaceInTheStream(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	for _, version := range []string{"1", "2", "3", "4", "5"} {
		p.put(t, os.Kind, "", osFacts(version))
	}
	versions := func() int { return value[int](t, f, `SELECT count(*) FROM assim.fact_versions`) }
	expect := func(what string, ack uplink.Ack, epoch, position uint64, reason wire.Reason, want int) {
		t.Helper()
		if ack.Epoch != epoch || ack.Position != position || ack.Reason != reason || versions() != want {
			t.Errorf("%s: %+v with %d versions, want epoch %d position %d %s with %d", what, ack, versions(), epoch, position, reason, want)
		}
	}
	expect("a stream that does not begin", r.send(t, 2, 3), 0, 0, wire.Accepted, 0)
	expect("the first", r.send(t, 1, 3), 7, 3, wire.Accepted, 2)
	expect("the first again", r.send(t, 1, 3), 7, 3, wire.Accepted, 2)
	expect("part of it again", r.send(t, 2, 2), 7, 3, wire.Accepted, 2)
	expect("a gap", r.send(t, 5, 6), 7, 3, wire.Accepted, 2)
	expect("overlap", r.send(t, 2, 4), 7, 4, wire.Accepted, 3)
	if chain := value[[]byte](t, f, `SELECT chain FROM assim.streams`); uplink.Chain(chain) != r.chains[4] {
		t.Error("the chain kept is not the stream's")
	}

	other := *r
	other.restart(7)
	for _, record := range r.records[:3] {
		other.raw(record)
	}
	q := probe{&other, p.id, 3}
	q.put(t, os.Kind, "", osFacts("other"))
	q.put(t, os.Kind, "", osFacts("another"))
	expect("another past", other.send(t, 4, 5), 7, 4, wire.Accepted, 3)
	expect("another past, next record", other.send(t, 5, 5), 7, 4, wire.Accepted, 3)
	if ack := other.send(t, 5, 5); uplink.Chain(ack.Chain) != r.chains[4] {
		t.Error("the answer does not show where the service stands")
	}

	header, payload := r.batch(t, 5, 5)
	header.Chain = r.chains[4][:]
	if _, err := f.service.Apply(t.Context(), r.source, header, payload); wire.ReasonOf(err) != wire.Malformed {
		t.Errorf("records that do not give the chain: %v", err)
	}

	old := *r
	r.restart(9)
	p.version = 0
	p.introduce(t, "h")
	c := p.change(os.Kind.Name, "")
	c.Type, c.Term = uplink.FactGone, 2
	r.add(t, c)
	expect("a new epoch in its middle", r.send(t, 2, 2), 7, 4, wire.Accepted, 3)
	expect("a new epoch", r.send(t, 1, 2), 9, 2, wire.Accepted, 4)
	expect("an ended epoch", old.send(t, 1, 3), 9, 2, wire.Replayed, 4)
	expect("the middle of an ended epoch", old.send(t, 5, 6), 9, 2, wire.Accepted, 4)
	if n := value[int](t, f, `SELECT count(*) FROM assim.events WHERE type = 'relay.gap'`); n != 1 {
		t.Errorf("%d gaps noted, want 1", n)
	}
	f.consistent(t)
}

func TestOlderAndEqualRecordsChangeNothing(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	current := func() string {
		return strings.Join(column[string](t, f, `SELECT term || '.' || version || ' ' || encode(substr(hash, 1, 4), 'hex') FROM assim.facts`), ",")
	}
	put := func(term, version uint64, release string) {
		t.Helper()
		p.version = version - 1
		c := p.put(t, os.Kind, "", osFacts(release))
		r.records, r.chains = r.records[:len(r.records)-1], r.chains[:len(r.chains)-1]
		c.Term = term
		r.add(t, c)
		r.flush(t)
	}
	put(2, 5, "a")
	first := current()
	for _, older := range [][2]uint64{{2, 5}, {2, 4}, {1, 9}} {
		put(older[0], older[1], "b")
		if current() != first {
			t.Errorf("term %d version %d overtook 2.5: %s", older[0], older[1], current())
		}
	}
	put(3, 1, "a")
	if got := current(); got != "3.1"+strings.TrimPrefix(first, "2.5") {
		t.Errorf("an equal body under a higher term: %s", got)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions`); n != 1 {
		t.Errorf("%d versions, want 1", n)
	}
	c := p.change(os.Kind.Name, "")
	c.Type, c.Term, c.Version = uplink.FactGone, 3, 3
	r.add(t, c)
	r.flush(t)
	put(3, 2, "late")
	if got := current(); got != "" {
		t.Errorf("a late record brought a fact back: %s", got)
	}
	put(3, 4, "b")
	f.consistent(t)
}

func TestRefusedFactsAreFindingsAndTheStreamGoesOn(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	p.put(t, os.Kind, "", osFacts("12"))
	r.flush(t)

	damage := func(why string, change func(*uplink.Change)) {
		t.Helper()
		c := p.put(t, os.Kind, "", osFacts("13"))
		r.records, r.chains = r.records[:len(r.records)-1], r.chains[:len(r.chains)-1]
		change(&c)
		r.add(t, c)
		p.put(t, neighbours.Kind, "", seen(fmt.Sprintf("eth0=10.0.0.%d", len(r.records))))
		r.flush(t)
		if got := value[int64](t, f, `SELECT version FROM assim.facts WHERE kind = 'neighbours'`); got != int64(p.version) {
			t.Errorf("%s: the stream did not go on: neighbours stand at version %d, not %d", why, got, p.version)
		}
		details := column[string](t, f, `SELECT detail FROM assim.findings WHERE host = $1 AND rule = 'refused-fact' AND subject = $2 AND closed_at IS NULL`, p.id, c.Kind+"/"+c.Instance)
		if len(details) != 1 || !strings.Contains(details[0], why) {
			t.Errorf("findings %q, want %q", details, why)
		}
	}
	damage("hash does not match", func(c *uplink.Change) { c.Hash = make([]byte, 32) })
	damage("schema version 9", func(c *uplink.Change) { c.Schema = 9; rehash(c) })
	damage("refused", func(c *uplink.Change) { c.Body = []byte(`{ }`); rehash(c) })
	damage("cannot unmarshal", func(c *uplink.Change) { c.Body = []byte(`{"release":7}`); rehash(c) })
	damage("key of a Interface has", func(c *uplink.Change) {
		c.Kind, c.Body = "network", []byte(`{"links":[{"name":"`+strings.Repeat("x", 2000)+`"}]}`)
		rehash(c)
	})
	damage("belongs in", func(c *uplink.Change) {
		c.Kind, c.Instance, c.Body = "packages", "0", []byte(`{"manager":"dpkg","packages":[{"arch":"a","name":"bash","version":"1"}]}`)
		rehash(c)
	})
	f.consistent(t)
	if got := column[string](t, f, fmt.Sprintf(`SELECT properties ->> 'version'::text FROM %s."OS"`, store.Graph(f.tenant))); !slices.Equal(got, []string{"12"}) {
		t.Errorf("the fact that was refused displaced the one before: %q", got)
	}
	p.put(t, os.Kind, "", osFacts("13"))
	p.put(t, network.Kind, "", links("eth0=10.0.0.1"))
	r.flush(t)
	if open := column[string](t, f, `SELECT subject FROM assim.findings WHERE closed_at IS NULL`); !slices.Equal(open, []string{"packages/0"}) {
		t.Errorf("open findings after good facts: %q", open)
	}

	r.raw([]byte("no record at all"))
	r.flush(t)
	if n := value[int](t, f, `SELECT count(*) FROM assim.events WHERE type = 'refusal' AND detail->>'subject' = 'record' AND (detail->>'record')::int = $1`, len(r.records)); n != 1 {
		t.Errorf("%d events of an unreadable record, want 1", n)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	f := newFixture(t)
	here, there := f.relay(t), f.relay(t)
	mine, retired := here.probe(t, "mine"), here.probe(t, "retired")
	here.flush(t)
	f.in(t, func(tx pgx.Tx) error {
		if err := f.service.Forget(t.Context(), tx, f.tenant, retired.id, time.Now()); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `UPDATE assim.hosts SET retired_at = now() WHERE id = $1`, retired.id)
		return err
	})
	before := f.elements(t)
	stolen, unknown := probe{there, mine.id, 9}, probe{there, tenancy.NewID[tenancy.HostID](), 0}
	gone := probe{here, retired.id, 9}
	stolen.introduce(t, "thief")
	stolen.put(t, os.Kind, "", osFacts("12"))
	unknown.put(t, os.Kind, "", osFacts("12"))
	unknown.drop(t, "os", "")
	there.add(t, uplink.Change{Type: uplink.HostState, Host: unknown.id, HostState: &uplink.HostStateBody{State: uplink.Silent}})
	gone.introduce(t, "retired")
	gone.put(t, os.Kind, "", osFacts("12"))
	there.flush(t)
	here.flush(t)
	if after := f.elements(t); !slices.Equal(before, after) {
		t.Errorf("strangers changed the graph from %q to %q", before, after)
	}
	reasons := column[string](t, f, `SELECT detail->>'reason' FROM assim.events WHERE type = 'refusal' ORDER BY id`)
	if want := []string{"wrong site", "wrong site", "not enrolled", "not enrolled", "not enrolled", "revoked"}; !slices.Equal(reasons, want) {
		t.Errorf("refused for %q, want %q", reasons, want)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.facts`); n != 0 {
		t.Errorf("%d facts of strangers", n)
	}
	f.consistent(t)
}

func TestHostStatesAreEventsAndShownInTheGraph(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	for _, s := range []uplink.State{uplink.Silent, uplink.Silent, uplink.Up, uplink.ShutDown} {
		r.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{State: s, Cause: "test"}})
		r.flush(t)
	}
	if got, want := column[string](t, f, `SELECT type FROM assim.events ORDER BY id`), []string{"host.enrolled", "host.silent", "host.up", "host.shut-down"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if got := value[string](t, f, `SELECT name || ' ' || state FROM assim.hosts`); got != "h shut down" {
		t.Errorf("host %q", got)
	}
	f.consistent(t)
}

func TestRefusalsOfTheRelayOpenAndClose(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	refusal := func(reason wire.Reason, cleared bool) {
		r.add(t, uplink.Change{Type: uplink.Refusal, Host: p.id, Kind: "sockets", Refusal: &uplink.RefusalBody{Subject: "fact", Reason: reason, Detail: "why", Cleared: cleared}})
		r.flush(t)
	}
	open := func() string {
		return strings.Join(column[string](t, f, `SELECT rule || ' ' || subject || ' ' || detail FROM assim.findings WHERE closed_at IS NULL ORDER BY 1`), ", ")
	}
	refusal(wire.TooLarge, false)
	refusal(wire.MissingRight, false)
	refusal(wire.MissingRight, false) // by a relay that tells everything anew
	if n := value[int](t, f, `SELECT count(*) FROM assim.events WHERE type = 'refusal'`); n != 2 {
		t.Errorf("%d refusals are shown, want 2", n)
	}
	if got, want := open(), "missing-right sockets/ missing right: why, refused-fact sockets/ too large: why"; got != want {
		t.Errorf("open %q, want %q", got, want)
	}
	list := func() {
		r.add(t, uplink.Change{Type: uplink.FactList, Host: p.id, Kind: "sockets", Term: 1, Version: 1})
	}
	list() // a relay that tells everything anew: it stands still
	refusal(wire.MissingRight, false)
	if got, want := open(), "missing-right sockets/ missing right: why, refused-fact sockets/ too large: why"; got != want {
		t.Errorf("open after a list and what stands: %q, want %q", got, want)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.events WHERE type = 'refusal'`); n != 2 {
		t.Errorf("%d refusals are shown, want 2 still", n)
	}
	list() // and when it ended meanwhile
	r.flush(t)
	if got, want := open(), "refused-fact sockets/ too large: why"; got != want {
		t.Errorf("open after a list: %q, want %q", got, want)
	}
	refusal(wire.MissingRight, false)
	refusal(wire.MissingRight, true)
	if got, want := open(), "refused-fact sockets/ too large: why"; got != want {
		t.Errorf("open %q, want %q", got, want)
	}
	p.put(t, sockets.Kind, "", services(t, "a <10.0.0.1:1"))
	r.flush(t)
	if got := open(); got != "" {
		t.Errorf("open after a good fact: %q", got)
	}
	r.add(t, uplink.Change{Type: uplink.Refusal, Token: "000000000000", Refusal: &uplink.RefusalBody{Subject: "enrolment", Reason: wire.Expired, From: "10.0.0.9"}})
	r.flush(t)
	detail := value[json.RawMessage](t, f, `SELECT detail FROM assim.events ORDER BY id DESC LIMIT 1`)
	if !strings.Contains(string(detail), `"expired"`) || !strings.Contains(string(detail), `"10.0.0.9"`) {
		t.Errorf("refused enrolment is shown as %s", detail)
	}
}

func TestUsesOfTokensAreCountedOnce(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	f.exec(t, `INSERT INTO assim.tokens (id, tenant, site, kind, hash, max_uses) VALUES ('abcdefghijkl', $1, $2, 'enr', '', 5)`, f.tenant, r.source.Site)
	p := r.probe(t, "h")
	r.add(t, uplink.Change{Type: uplink.TokenUse, Host: p.id, Token: "abcdefghijkl"})
	last := uint64(len(r.records))
	r.send(t, 1, last)
	r.send(t, 1, last)
	if got := value[string](t, f, `SELECT uses || ' ' || last_used_by FROM assim.tokens`); got != "1 h" {
		t.Errorf("uses %q, want one by h", got)
	}
}

// What a kind leans on may come later, or go earlier.
func TestLeaningKindsInAnyOrder(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	sees := func() int {
		return value[int](t, f, fmt.Sprintf(`SELECT count(*) FROM %s."SEES"`, store.Graph(f.tenant)))
	}
	steps := []struct {
		what string
		do   func()
		want int
	}{
		{"neighbours without links", func() { p.put(t, neighbours.Kind, "", seen("eth0=10.0.0.2", "eth1=10.1.0.2")) }, 0},
		{"the links", func() { p.put(t, network.Kind, "", links("eth0=10.0.0.1", "eth1=10.1.0.1")) }, 2},
		{"one link less", func() { p.put(t, network.Kind, "", links("eth0=10.0.0.1")) }, 1},
		{"no links", func() { p.drop(t, "network", "") }, 0},
		{"the link again, another neighbour, in one batch", func() {
			p.put(t, neighbours.Kind, "", seen("eth0=10.0.0.3", "eth0=10.0.0.4"))
			p.put(t, network.Kind, "", links("eth0=10.0.0.1"))
		}, 2},
		{"no neighbours", func() { p.drop(t, "neighbours", "") }, 0},
	}
	for _, s := range steps {
		s.do()
		r.flush(t)
		if got := sees(); got != s.want {
			t.Errorf("%s: %d neighbours in the graph, want %d", s.what, got, s.want)
		}
		f.consistent(t)
	}
}

func TestInstancesAreBounded(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	kind := os.Kind
	kind.Name = "x-script"
	for i := range 1030 {
		p.put(t, kind, fmt.Sprint(i), map[string]string{"i": "same"})
		if i%500 == 0 {
			r.flush(t)
		}
	}
	r.flush(t)
	if n := value[int](t, f, `SELECT count(*) FROM assim.facts`); n != 1024 {
		t.Errorf("%d instances, want 1024", n)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_bodies`); n != 1 {
		t.Errorf("%d bodies of equal facts, want 1", n)
	}
}

// Several relays of one tenant at once: one after the other, nothing lost.
func TestRelaysOfOneTenantAtOnce(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	const batches = 6
	for i := range 4 {
		r := f.relay(t)
		p := r.probe(t, fmt.Sprint("h", i))
		for n := range batches {
			p.put(t, sockets.Kind, "", services(t, fmt.Sprintf("a <10.0.%d.1:80 >10.0.0.9:%d", i, n+1)))
		}
		wg.Go(func() {
			for n := range uint64(len(r.records)) {
				header, payload := r.batch(t, n+1, n+1)
				if ack, err := f.service.Apply(context.Background(), r.source, header, payload); err != nil || ack.Position != n+1 {
					t.Errorf("%+v, %v", ack, err)
				}
			}
		})
	}
	wg.Wait()
	f.consistent(t)
	if n := value[int](t, f, `SELECT count(*) FROM assim.fact_versions`); n != 4*batches {
		t.Errorf("%d versions, want %d", n, 4*batches)
	}
	if n := value[int](t, f, `SELECT count(DISTINCT at) FROM assim.fact_versions`); n != 4*batches {
		t.Errorf("%d times, want %d", n, 4*batches)
	}
	if len(f.service.turns.open) != 0 {
		t.Errorf("%d turns are kept for nobody", len(f.service.turns.open))
	}
}

func TestHostVertexSaysWhatTheRelaySays(t *testing.T) {
	h := &host{ID: tenancy.NewID[tenancy.HostID](), Name: "n", State: "up", OS: "linux", Labels: map[string]string{"b": "2", "a": "1"}}
	e := h.project()
	if len(e.Vertices) != 1 || e.Vertices[0].Label != cmdb.Host || e.Vertices[0].Key != h.ID.String() {
		t.Fatalf("%+v", e)
	}
	if got := fmt.Sprint(e.Vertices[0].Props["labels"], e.Vertices[0].Props["name"], e.Vertices[0].Props["os"]); got != "[a=1 b=2]nlinux" {
		t.Error(got)
	}
}
