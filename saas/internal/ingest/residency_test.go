package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery"
	"assimilation/discovery/network"
	"assimilation/discovery/switchport"
	"assimilation/uplink"
	"assimilation/wire"
)

// Words that occur nowhere but in where hosts stand.
var canaries = []string{"CANARY-CHASSIS", "CANARY-PORT", "CANARY-RACK", "CANARY-ROOM", "CANARY-WORDS"}

func wiredTo(chassis string) switchport.Facts {
	return switchport.Facts{Ports: []switchport.Port{{
		Interface: "eth0", Protocol: "lldp", Chassis: chassis, Port: "CANARY-PORT", SourceMAC: "02:00:00:00:00:01",
		Name: "CANARY-WORDS", Civic: []switchport.Civic{{Element: "room", Value: "CANARY-ROOM"}},
	}}}
}

// found lists the canaries that occur in any table of the service or in the
// tenant's graph, packed bodies unpacked.
func (f *fixture) found(t testing.TB) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'assim' OR schemaname LIKE 'g\_%'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `SELECT x::text FROM `+table+` x`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&text, table, lines)
	}
	for _, packed := range column[[]byte](t, f, `SELECT body FROM assim.fact_bodies`) {
		body, err := f.service.unpack.DecodeAll(packed, nil)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(body)
	}
	return slices.DeleteFunc(slices.Clone(canaries), func(word string) bool { return !strings.Contains(text.String(), word) })
}

func (p *probe) say(t testing.TB, labels map[string]string) {
	t.Helper()
	p.r.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{
		State: uplink.Up, Name: "db1", ProbeKey: make([]byte, 32), Labels: labels,
	}})
}

func TestTopologyIsStoredOnlyWhereItMay(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "db1")
	other := r.probe(t, "db2")
	policy := func(residency string) {
		f.in(t, func(tx pgx.Tx) error {
			if residency == "site" {
				if err := f.service.ForgetTopology(t.Context(), tx, f.tenant, r.source.Site); err != nil {
					return err
				}
			}
			_, err := tx.Exec(t.Context(), `UPDATE assim.sites SET residency = $1`, residency)
			return err
		})
	}
	tell := func(chassis string) {
		p.say(t, map[string]string{"rack": "CANARY-RACK", "env": "prod"})
		for _, probe := range []*probe{p, other} {
			probe.put(t, network.Kind, "", links("eth0=10.0.0.1"))
			probe.put(t, switchport.Kind, "", wiredTo(chassis))
		}
		r.add(t, uplink.Change{Type: uplink.Refusal, Host: p.id, Kind: switchport.Kind.Name, Refusal: &uplink.RefusalBody{
			Subject: "fact", Reason: wire.CollectFailed, Detail: "cannot read CANARY-WORDS"}})
		r.flush(t)
	}
	labels := func() string { return value[string](t, f, `SELECT labels::text FROM assim.hosts WHERE id = $1`, p.id) }

	put := func(kind discovery.Kind) int {
		return value[int](t, f, `SELECT count(*) FROM assim.facts WHERE kind = $1`, kind.Name)
	}
	p.say(t, map[string]string{"rack": "CANARY-RACK", "env": "prod"})
	p.put(t, network.Kind, "", links("eth0=10.0.0.1"))
	p.put(t, switchport.Kind, "", wiredTo("CANARY-CHASSIS"))
	r.flush(t) // it is acknowledged all the same
	if got := f.found(t); len(got) > 0 {
		t.Errorf("with 'site' the database holds %v", got)
	}
	if put(switchport.Kind) != 0 || put(network.Kind) != 1 || labels() != `{"env": "prod"}` {
		t.Errorf("%d ports and %d networks, labels %s", put(switchport.Kind), put(network.Kind), labels())
	}

	policy("replicate")
	tell("CANARY-CHASSIS")
	tell("CANARY-CHASSIS 2") // history and undo have something to forget
	if got := f.found(t); !slices.Equal(got, canaries) {
		t.Errorf("with 'replicate' the database holds %v only", got)
	}
	f.consistent(t)

	policy("site")
	if got := f.found(t); len(got) > 0 {
		t.Errorf("after going back the database holds %v", got)
	}
	if put(switchport.Kind) != 0 || put(network.Kind) != 2 || labels() != `{"env": "prod"}` {
		t.Errorf("%d ports and %d networks, labels %s", put(switchport.Kind), put(network.Kind), labels())
	}
	f.consistent(t)

	tell("CANARY-CHASSIS 3") // what was on its way
	if got := f.found(t); len(got) > 0 {
		t.Errorf("what came afterwards left %v", got)
	}
	f.consistent(t)

	policy("replicate")
	tell("CANARY-CHASSIS 3")
	if put(switchport.Kind) != 2 {
		t.Errorf("%d ports are told again", put(switchport.Kind))
	}
	f.consistent(t)
}
