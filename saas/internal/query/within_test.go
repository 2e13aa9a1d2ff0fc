package query

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
)

// within is what runs in the estate's hosts: DB is the hypervisor of which web is a
// guest, and has a container, certificates, units, disks and files.
const within = `MATCH (w:Host {name: 'web'}), (d:Host {name: 'DB'}), (wn:NIC {mac: '02:00:00:00:00:01'}), (ws:Service {name: 'nginx'}), (ds:Service {name: 'postgres'})
	CREATE (d)-[:HAS_CHILD]->(g:Child {key: 'd/child:g', id: 'g', name: 'webvm', sort: 'guest', engine: 'libvirt', state: 'running'}), (g)-[:CHILD_NIC]->(wn),
	(d)-[:HAS_CHILD]->(c:Child {key: 'd/child:c', id: 'c', name: 'pg', sort: 'container', engine: 'docker', state: 'running', image: 'postgres:16', ports: ['0.0.0.0:5432->5432/tcp']}),
	(d)-[:HAS_CHILD]->(p:Child {key: 'd/child:p', id: 'p', name: 'pod-0', sort: 'pod'}), (c)-[:PART_OF]->(p),
	(c)-[:OF_IMAGE {name: 'postgres:16'}]->(:Image {key: 'sha256:aa', id: 'sha256:aa'}), (ds)-[:RUNS_IN]->(c),
	(soon:Certificate {key: 'k1', sha256: 'ab', subject: 'CN=web', issuer: 'CN=ca', not_after: '2020-01-01T00:00:00Z', names: ['DNS:web', 'DNS:www'], algorithm: 'ec', bits: 256}),
	(w)-[:HAS_CERTIFICATE {paths: ['/etc/ssl/web.pem']}]->(soon), (ws)-[:SERVES {listeners: ['0.0.0.0:443']}]->(soon),
	(d)-[:HAS_CERTIFICATE {paths: ['/x']}]->(:Certificate {key: 'k2', sha256: 'cd', subject: 'CN=late', not_after: '2190-01-01T00:00:00Z'}),
	(w)-[:HAS_UNIT]->(u:Unit {key: 'w/unit:nginx.service', name: 'nginx.service', state: 'running'}), (ws)-[:STARTED_BY]->(u),
	(w)-[:HAS_UNIT]->(:Unit {key: 'w/unit:backup.service', name: 'backup.service', state: 'stopped'}),
	(f:File {key: '/usr/lib/libssl.so.3', path: '/usr/lib/libssl.so.3', name: 'libssl.so.3'}),
	(ls:FileSet {key: 'l'}), (hs:FileSet {key: 'h'}), (ls)-[:HOLDS {role: 'library'}]->(f), (hs)-[:HOLDS {role: 'library', sha256: 'beef', bytes: 7}]->(f),
	(ws)-[:LOADS {stale: ['/usr/lib/libssl.so.3']}]->(ls), (w)-[:HAS_FILES]->(hs),
	(d)-[:HAS_DISK]->(sda:Disk {key: '` + dbID + `/disk:sda', name: 'sda', type: 'disk', bytes: 100, serial: 'S1'}),
	(sda)-[:CARRIES]->(part:Disk {key: '` + dbID + `/disk:sda1', name: 'sda1', type: 'part', bytes: 90, content: 'ext4'}),
	(d)-[:MOUNTS]->(root:Filesystem {key: 'd//', target: '/'}), (root)-[:ON_DISK]->(part),
	(w)-[:HAS_USER]->(a:User {key: 'w/admin', name: 'admin', uid: 1000, password: 'set'}), (w)-[:HAS_GROUP]->(sudo:Group {key: 'w/group:sudo', name: 'sudo', gid: 27}), (a)-[:MEMBER_OF]->(sudo)`

func TestAnswersAboutWhatRunsWithin(t *testing.T) {
	s, tenant := newEstate(t)
	err := s.db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), fmt.Sprintf(`SELECT * FROM cypher('%s', $q$ %s $q$) AS (r agtype)`, store.Graph(tenant), within))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, parameters string
		columns          []string
		want             []string
	}{
		{"certificates", "", []string{"ends", "host", "service", "places", "names", "bits", "sha256"}, []string{
			`["2020-01-01T00:00:00Z","web","nginx","0.0.0.0:443","DNS:web, DNS:www",256,"ab"]`,
			`["2020-01-01T00:00:00Z","web",null,"/etc/ssl/web.pem","DNS:web, DNS:www",256,"ab"]`}},
		{"certificates", "days=100000", []string{"subject"}, []string{`["CN=web"]`, `["CN=web"]`, `["CN=late"]`}},
		{"containers", "", []string{"host", "name", "sort", "services", "probe_host", "pod", "ports"}, []string{
			`["DB","pg","container",1,null,"pod-0","0.0.0.0:5432->5432/tcp"]`, `["DB","webvm","guest",0,"web",null,null]`, `["DB","pod-0","pod",0,null,null,null]`}},
		{"containers", "sort=guest", []string{"name"}, []string{`["webvm"]`}},
		{"images", "", []string{"image", "id", "names", "containers", "running", "hosts"}, []string{`["postgres:16","sha256:aa",1,1,1,1]`}},
		{"units", "", []string{"host", "unit", "state"}, []string{`["web","backup.service","stopped"]`}},
		{"units", "state=any", []string{"unit", "services"}, []string{`["backup.service",null]`, `["nginx.service","nginx"]`}},
		{"who-uses-file", "file=libssl.so.3", []string{"host", "service", "path", "role", "stale", "unit", "sha256"}, []string{`["web","nginx","/usr/lib/libssl.so.3","library","yes","nginx.service","beef"]`}},
		{"who-uses-file", "file=/usr/lib/libssl.so.3", []string{"host"}, []string{`["web"]`}},
		{"files", "file=libssl.so.3", []string{"path", "sha256", "bytes", "role", "hosts", "names"}, []string{`["/usr/lib/libssl.so.3","beef",7,"library",1,"web"]`}},
		{"needs-restart", "", []string{"host", "service", "unit", "files", "stale"}, []string{`["web","nginx","nginx.service",1,"/usr/lib/libssl.so.3"]`}},
		{"disks", "", []string{"host", "disk", "bytes", "filesystems", "serial"}, []string{`["DB","sda",100,"/","S1"]`}},
		{"disks", "type=any", []string{"disk", "lies_on", "filesystems"}, []string{`["sda",null,"/"]`, `["sda1","sda","/"]`}},
		{"members", "group=sudo", []string{"host", "user", "uid", "password", "gid"}, []string{`["web","admin",1000,"set",27]`}},
		// The database goes, with the guest that uses it; nobody else is hit.
		{"impact", "entity=DB", []string{"distance", "host", "service", "through"}, []string{`[1,"web","nginx","postgres"]`}},
		{"impact", "entity=child:webvm", []string{"distance", "host", "service", "through"}, []string{`[1,"web","nginx",null]`}},
		{"impact", "entity=pg", []string{"distance", "host", "service", "through_host"}, []string{`[1,"web","nginx","DB"]`}},
		{"safe-to-reboot", "host=DB", []string{"safe", "service"}, nil},
		{"why", "host=web&since=1h", []string{"host"}, nil},
	} {
		values, err := url.ParseQuery(test.parameters)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Ask(t.Context(), tenant, test.name, values, Page{Limit: 100})
		if err != nil {
			t.Errorf("%s %s: %v", test.name, test.parameters, err)
			continue
		}
		var got []string
		for _, item := range answer.Items {
			var row []any
			for _, column := range test.columns {
				row = append(row, item[column])
			}
			var text strings.Builder
			encoder := json.NewEncoder(&text)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(row); err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.TrimSpace(text.String()))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %s:\n%q, want\n%q", test.name, test.parameters, got, test.want)
		}
	}
}
