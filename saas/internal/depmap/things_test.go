package depmap

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

func noVendor(string) string { return "" }

// A picture of everything shows what a host holds, joined with its services, the
// guest's own host, and who is behind an address without a probe.
func TestEverythingShowsWhatHostsHold(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	site, big, guest := tenancy.NewID[tenancy.SiteID](), tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), fmt.Sprintf(`
			INSERT INTO sites (id, tenant, name, realm, site_key, site_private) VALUES ('%[2]s', '%[1]s', 'cellar', 's', '', '');
			INSERT INTO hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES
				('%[3]s', '%[1]s', '%[2]s', '%[1]s', 'big', '', 'up', now(), now(), now()), ('%[4]s', '%[1]s', '%[2]s', '%[1]s', 'small', '', 'up', now(), now(), now());
			SELECT * FROM cypher('%[5]s', $q$
			CREATE (b:Host {key: '%[3]s', name: 'big'}), (g:Host {key: '%[4]s', name: 'small'}), (g)-[:HAS_INTERFACE]->(i:Interface {key: 'i'}), (i)-[:HAS_NIC]->(n:NIC {key: 'n'}),
			(b)-[:HAS_CHILD]->(c:Child {key: 'c', name: 'vm7', sort: 'guest'}), (c)-[:CHILD_NIC]->(n), (b)-[:HAS_UNIT]->(u:Unit {key: 'u', name: 'qemu.service', state: 'running'}),
			(b)-[:RUNS]->(s:Service {key: 's', name: 'qemu'}), (s)-[:RUNS_IN]->(c), (s)-[:STARTED_BY]->(u),
			(s)-[:CONNECTS_TO]->(e:Endpoint {key: 'site:s|10.0.0.9|tcp|80', ip: '10.0.0.9', port: 80, protocol: 'tcp'}), (e)-[:AT]->(a:Address {key: 'site:s|10.0.0.9', ip: '10.0.0.9'}),
			(i)-[:SEES {mac: '00:21:b7:00:00:01'}]->(a),
			(s)-[:SERVES {listeners: ['[::]:443']}]->(k:Certificate {key: 'k', subject: 'CN=big', not_after: '2030-01-01T00:00:00Z'}), (b)-[:HAS_DISK]->(d:Disk {key: 'd', name: 'sda', type: 'disk'})
			$q$) AS (r agtype)`, tenant, site, big, guest, store.Graph(tenant)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"certificate CN=big", "child vm7", "disk sda", "unit qemu.service"}
	for _, test := range []struct {
		scope Scope
		want  []string
		edges int
	}{
		{Scope{Host: "big"}, all, 4}, // of the service to three of them, and from the guest to its host
		{Scope{}, all[1:2], 2},
		{Scope{Host: "big", Kinds: []NodeKind{HostNode, DiskNode}}, all[2:3], 0},
	} {
		var seen sight
		err := db.Read(t.Context(), tenant, func(tx pgx.Tx) (err error) {
			seen, err = read(t.Context(), tx, store.Graph(tenant), Everything, test.scope)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		m := draw(seen, test.scope.Kinds, func(mac string) string { return "maker of " + mac })
		var got []string
		for _, n := range m.Nodes {
			switch n.Kind {
			case ChildNode, UnitNode, CertificateNode, DiskNode:
				got = append(got, string(n.Kind)+" "+n.Label)
			case AddressNode:
				if n.Detail != "unknown system, maker of 00:21:b7:00:00:01" {
					t.Errorf("%s is shown as %q", n.Label, n.Detail)
				}
			}
		}
		edges := 0
		for _, e := range m.Edges {
			if e.Kind == Belongs || e.Kind == IsGuest {
				edges++
			}
		}
		if slices.Sort(got); !slices.Equal(got, test.want) || edges != test.edges {
			t.Errorf("%+v: %q with %d lines, want %q with %d", test.scope, got, edges, test.want, test.edges)
		}
	}
}
