package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// hostileValues are what a probe that lies may put in the place of any value.
func hostileValues(rng *rand.Rand) []any {
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = byte(33 + rng.IntN(90))
	}
	return []any{
		"", string(noise), strings.Repeat(`\"`, 40_000), "\u2028'\"\\$1;--", "\U0010ffff\ufffe", "::ffff:10.0.0.1", "10.0.0.1%eth0", "fe80::1", "-1",
		json.Number("-9223372036854775808"), json.Number("9223372036854775807"), json.Number("0"), true, nil, []any{}, map[string]any{},
	}
}

// places counts the values in v; replace puts another in the place of the n-th.
func places(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += places(e)
		}
	case map[string]any:
		for _, e := range v {
			n += places(e)
		}
	}
	return n
}

func replace(v any, n int, by func(any) any) any {
	if n == 0 {
		return by(v)
	}
	n--
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if size := places(e); n < size {
				v[i] = replace(e, n, by)
				return v
			} else {
				n -= size
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if size := places(v[key]); n < size {
				v[key] = replace(v[key], n, by)
				return v
			} else {
				n -= size
			}
		}
	}
	return v
}

// TestNoFactHoldsUpTheStream lets a probe lie in every field of every kind: a
// fact may be refused, but the relay's stream goes on and the graph says what
// the facts say.
func TestNoFactHoldsUpTheStream(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	rng := rand.New(rand.NewPCG(4, 2))
	honest := []struct {
		kind     discovery.Kind
		instance string
		body     any
	}{
		{os.Kind, "", osFacts("12")},
		{network.Kind, "", links("eth0=10.0.0.1", "eth1=10.0.1.1", "lo=127.0.0.1")},
		{neighbours.Kind, "", seen("eth0=10.0.0.2", "eth1=10.0.1.2")},
		{sockets.Kind, "", services(t, "web <10.0.0.1:80 >10.0.0.2:5432", "db <10.0.0.1:5432")},
		{packages.Kind, packages.Instance("bash"), packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: "bash", Version: "5", Arch: "amd64"}}}},
	}
	hosts := []*probe{r.probe(t, "a"), r.probe(t, "b")}
	lies := 0
	for _, h := range honest {
		fact, err := discovery.NewFact(h.kind, h.instance, h.body)
		if err != nil {
			t.Fatal(err)
		}
		parse := func() (v any) {
			d := json.NewDecoder(bytes.NewReader(fact.Body))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		for n := range places(parse()) {
			values := hostileValues(rng)
			lie := func(by func(any) any) {
				body, err := discovery.Canonical(replace(parse(), n, by))
				if err != nil {
					return
				}
				c := hosts[lies%2].change(h.kind.Name, h.instance)
				hash := discovery.HashBody(h.kind.Name, h.kind.Version, body)
				c.Type, c.Schema, c.Hash, c.Body = uplink.FactPut, uint8(h.kind.Version), hash[:], body
				r.add(t, c)
				lies++
			}
			for _, value := range values {
				lie(func(any) any { return value })
			}
			lie(func(v any) any {
				if list, ok := v.([]any); ok {
					return append(list, list...)
				}
				return v
			})
		}
		for _, p := range hosts {
			p.put(t, h.kind, h.instance, h.body)
		}
	}
	for first := uint64(1); first <= uint64(len(r.records)); {
		last := min(first+7, uint64(len(r.records)))
		header, payload := r.batch(t, first, last)
		ack, err := f.service.Apply(context.Background(), r.source, header, payload)
		if err != nil || ack.Reason != wire.Accepted || ack.Position != last {
			if first == last {
				change, _ := uplink.DecodeRecord(r.records[first-1])
				t.Fatalf("record %d holds up the stream: %v %+v\n%s/%s %.2000s", first, err, ack, change.Kind, change.Instance, change.Body)
			}
			for n := first; n <= last; n++ { // find it
				header, payload := r.batch(t, n, n)
				if _, err := f.service.Apply(context.Background(), r.source, header, payload); err != nil {
					change, _ := uplink.DecodeRecord(r.records[n-1])
					t.Fatalf("record %d holds up the stream: %v\n%s/%s %.2000s", n, err, change.Kind, change.Instance, change.Body)
				}
			}
			t.Fatalf("records %d to %d hold up the stream only together: %v", first, last, err)
		}
		first = last + 1
	}
	t.Logf("%d lies", lies)
	f.consistent(t)
	if got := fmt.Sprint(column[string](t, f, `SELECT DISTINCT kind FROM assim.facts ORDER BY kind`)); got != "[neighbours network os packages sockets]" {
		t.Errorf("facts are of kinds %s", got)
	}
}

// TestNoStoredFactHoldsUpTheStream: what is stored may be of a program that took
// more, or damaged.
func TestNoStoredFactHoldsUpTheStream(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "a")
	for i, spoil := range []string{
		`UPDATE assim.fact_bodies SET body = $1`,
		`UPDATE assim.fact_bodies SET body = substring($1::bytea FROM 3)`,
		`DELETE FROM assim.fact_bodies WHERE $1::bytea IS NOT NULL`,
	} {
		say := func(n int) {
			p.put(t, network.Kind, "", links(fmt.Sprintf("eth0=10.0.%d.%d", i, n)))
			p.put(t, neighbours.Kind, "", seen(fmt.Sprintf("eth0=10.0.%d.%d", i, n+1)))
			r.flush(t)
		}
		say(1)
		f.exec(t, spoil, f.service.pack.EncodeAll([]byte(`{"links":7}`), nil))
		if _, err := f.service.Rebuild(context.Background(), f.tenant); err != nil {
			t.Fatalf("%s: %v", spoil, err)
		}
		say(3)
		if _, err := f.service.Rebuild(context.Background(), f.tenant); err != nil {
			t.Fatalf("%s: %v", spoil, err)
		}
		f.consistent(t)
	}
}

// beside is another relay of the same site.
func (r *relay) beside(t testing.TB) *relay {
	t.Helper()
	other := &relay{f: r.f, source: Source{Tenant: r.f.tenant, Site: r.source.Site, Relay: tenancy.NewID[tenancy.RelayID]()}}
	r.f.exec(t, `INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES ($1, $2, $3, 'r', '', '', $4, '', '')`,
		other.source.Relay, r.f.tenant, r.source.Site, other.source.Relay.UUID[:])
	other.restart(7)
	return other
}

func TestARelayDoesNotCallTheHostsOfAnotherSilent(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	other := r.beside(t)
	p := r.probe(t, "a")
	r.flush(t)
	say := func(r *relay, state uplink.State) {
		r.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{State: state}})
		r.flush(t)
	}
	expect := func(when, want string, by *relay) {
		t.Helper()
		got := value[string](t, f, `SELECT state || ' ' || relay FROM assim.hosts WHERE id = $1`, p.id)
		if got != want+" "+by.source.Relay.String() {
			t.Errorf("%s: %s, want %s at relay %s", when, got, want, by.source.Relay)
		}
	}
	say(other, uplink.Up) // the probe has moved
	expect("after a move", "up", other)
	say(r, uplink.Silent) // which the former relay notices as silence
	expect("after the former relay's verdict", "up", other)
	say(other, uplink.Silent)
	expect("after its own relay's verdict", "silent", other)
	say(r, uplink.Up)
	expect("after it came back", "up", r)
	f.exec(t, `UPDATE assim.relays SET revoked_at = now() WHERE id = $1`, r.source.Relay)
	say(other, uplink.Silent) // nobody else hears it any more
	expect("after its relay was revoked", "silent", other)
	f.consistent(t)
}

func TestAUseIsCountedOnceInWhateverEpoch(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	f.exec(t, `INSERT INTO assim.tokens (id, tenant, site, kind, hash, max_uses) VALUES ('abcdefghijkl', $1, $2, 'enr', '', 5)`, f.tenant, r.source.Site)
	f.exec(t, `INSERT INTO assim.token_leases (tenant, token, relay, granted) VALUES ($1, 'abcdefghijkl', $2, 5)`, f.tenant, r.source.Relay)
	hosts := []tenancy.HostID{tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()}
	// A relay whose disk was restored has records in its outbox that were taken
	// before, and begins a new epoch with them.
	for epoch := uint64(1); epoch < 4; epoch++ {
		r.restart(epoch)
		for _, host := range hosts {
			r.add(t, uplink.Change{Type: uplink.TokenUse, Host: host, Token: "abcdefghijkl"})
		}
		r.flush(t)
	}
	if got := value[int](t, f, `SELECT uses FROM assim.tokens`); got != len(hosts) {
		t.Errorf("%d uses are counted, want %d", got, len(hosts))
	}
	if got := value[int](t, f, `SELECT used FROM assim.token_leases`); got != len(hosts) {
		t.Errorf("%d uses of the lease are counted, want %d", got, len(hosts))
	}
}

func TestAFastClockDoesNotMakeTheFuture(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "a")
	p.put(t, os.Kind, "", osFacts("12"))
	var c uplink.Change
	c, _ = uplink.DecodeRecord(r.records[len(r.records)-1])
	c.SeenAt = 253402300799999 // the end of the year 9999
	record, err := uplink.EncodeRecord(c)
	if err != nil {
		t.Fatal(err)
	}
	r.records, r.chains = r.records[:1], r.chains[:2]
	r.raw(record)
	r.flush(t)
	if value[bool](t, f, `SELECT changed_at > now() FROM assim.hosts`) {
		t.Error("the host's newest change lies in the future")
	}
	f.consistent(t)
}

func TestARevokedRelayIsNotTakenIn(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	r.probe(t, "a")
	header, payload := r.batch(t, 1, 1)
	// Revoked after its request was opened, before its turn came.
	f.exec(t, `UPDATE assim.relays SET revoked_at = now() WHERE id = $1`, r.source.Relay)
	_, err := f.service.Apply(context.Background(), r.source, header, payload)
	if wire.ReasonOf(err) != wire.Revoked {
		t.Errorf("got %v, want reason %v", err, wire.Revoked)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.hosts`); n != 0 {
		t.Errorf("%d hosts were taken in", n)
	}
}

func TestARefusalIsNotBlamedOnTheHostOfAnotherSite(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "a")
	r.flush(t)
	attacker := f.relay(t)
	attacker.add(t, uplink.Change{Type: uplink.Refusal, Host: p.id, Kind: "os", Refusal: &uplink.RefusalBody{Subject: "fact", Reason: wire.Malformed, Detail: "lies"}})
	attacker.add(t, uplink.Change{Type: uplink.FactGone, Host: p.id, Kind: "os", Term: 1, Version: 1})
	attacker.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{State: uplink.ShutDown}})
	attacker.flush(t)
	if got := column[string](t, f, `SELECT type FROM assim.events WHERE host = $1`, p.id); fmt.Sprint(got) != "[host.enrolled]" {
		t.Errorf("the host's events are %v", got)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.events WHERE type = 'refusal' AND relay = $1`, attacker.source.Relay); n != 3 {
		t.Errorf("%d refusals are shown of the attacker", n)
	}
	if n := value[int](t, f, `SELECT count(*) FROM assim.findings`); n != 0 {
		t.Errorf("%d findings", n)
	}
}
