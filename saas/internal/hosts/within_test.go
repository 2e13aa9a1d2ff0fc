package hosts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// A guest knows its hypervisor, and a hypervisor what it holds.
func TestWithin(t *testing.T) {
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	big, guest := tenancy.NewID[tenancy.HostID](), tenancy.NewID[tenancy.HostID]()
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), fmt.Sprintf(`SELECT * FROM cypher('%s', $q$
			CREATE (b:Host {key: '%s', name: 'big'}), (g:Host {key: '%s', name: 'small'}), (g)-[:HAS_INTERFACE]->(i:Interface {key: 'i'}), (i)-[:HAS_NIC]->(n:NIC {key: 'n'}),
			(b)-[:HAS_CHILD]->(c:Child {key: 'c', name: 'vm7', sort: 'guest', state: 'running', ports: ['a', 'b']}), (c)-[:CHILD_NIC]->(n),
			(b)-[:HAS_UNIT]->(:Unit {key: 'u', name: 'libvirtd.service', state: 'running', triggers: []}),
			(b)-[:RUNS]->(s:Service {key: 's', name: 'qemu'}), (s)-[:RUNS_IN]->(c), (s)-[:LOADS {stale: ['/usr/lib/x.so']}]->(:FileSet {key: 'f'}),
			(b)-[:HAS_CERTIFICATE {paths: ['/a.pem', '/b.pem']}]->(k:Certificate {key: 'k', subject: 'CN=big', not_after: '2030-01-01T00:00:00Z'}), (s)-[:SERVES {listeners: ['[::]:443']}]->(k),
			(b)-[:HAS_DISK]->(d:Disk {key: 'd', name: 'sda', type: 'disk', bytes: 7}), (d)-[:CARRIES]->(p:Disk {key: 'p', name: 'sda1', type: 'part'}), (:Filesystem {key: 'r', target: '/'})-[:ON_DISK]->(p),
			(b)-[:HAS_USER]->(a:User {key: 'a', name: 'admin'}), (b)-[:HAS_GROUP]->(w:Group {key: 'w', name: 'wheel'}), (a)-[:MEMBER_OF]->(w) $q$) AS (r agtype)`,
			store.Graph(tenant), big, guest))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[tenancy.HostID][]string{
		big: {"Systems: vm7|guest|running||a, b|qemu|", "Units: libvirtd.service|running||", "Needs a restart: qemu|/usr/lib/x.so",
			"Certificates: 2030-01-01T00:00:00Z|CN=big|/a.pem, /b.pem||", "Certificates: 2030-01-01T00:00:00Z|CN=big|[::]:443|qemu|",
			"Disks: sda|disk|7|||||", "Disks: sda1|part|||sda|/||", "Groups: wheel|admin"},
		guest: {"Runs on: big|vm7|running"},
	} {
		var got []string
		err := db.Read(t.Context(), tenant, func(tx pgx.Tx) error {
			tables, err := withinOf(t.Context(), tx, tenant, host)
			for _, table := range tables {
				for _, row := range table.rows {
					if len(row) != len(table.columns) {
						t.Errorf("%s: %d values for %d columns", table.title, len(row), len(table.columns))
					}
					got = append(got, table.title+": "+strings.Join(row, "|"))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("within %s:\n%q, want\n%q", host, got, want)
		}
	}
}
