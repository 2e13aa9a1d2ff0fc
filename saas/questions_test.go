package saas

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery/mounts"
	"assimilation/discovery/neighbours"
	"assimilation/discovery/network"
	"assimilation/discovery/seen"
	"assimilation/discovery/sockets"
	"assimilation/discovery/switchport"
	"assimilation/uplink"
)

// listens and uses are what services of a shop say of themselves.
func listens(ip string, port int64) sockets.Listen {
	return sockets.Listen{Protocol: "tcp", IP: ip, Port: port}
}

func uses(ip string, port int64) sockets.Connect {
	return sockets.Connect{Protocol: "tcp", IP: ip, Port: port}
}

// shop is an estate of a balancer, two web servers and two databases on one
// hypervisor, one switch and one file server: web2 uses db1 only. The file
// server, a router and a thing that nobody knows have no probe.
func (s *service) shop(email, prefix string) *estate {
	e := s.signUp(email, prefix+"shop", prefix+"paris")
	hosts := map[string]*machine{}
	for _, h := range []struct {
		name, ip, mac, hypervisor string
		services                  []sockets.Service
	}{
		{"lb", "10.0.0.5", "02:00:00:00:00:05", "", []sockets.Service{{Name: "haproxy", Exe: "/usr/sbin/haproxy", Listens: []sockets.Listen{listens("10.0.0.5", 443)},
			Connects: []sockets.Connect{uses("10.0.0.10", 80), uses("10.0.0.11", 80), uses("10.0.0.99", 9000)}}}},
		{"web1", "10.0.0.10", "02:00:00:00:00:10", "", []sockets.Service{{Name: "nginx", Exe: "/usr/sbin/nginx", Listens: []sockets.Listen{listens("10.0.0.10", 80)},
			Connects: []sockets.Connect{uses("10.0.0.21", 5432), uses("10.0.0.22", 5432), uses("10.0.0.22", 6379)}}}},
		{"web2", "10.0.0.11", "02:00:00:00:00:11", "", []sockets.Service{{Name: "nginx", Exe: "/usr/sbin/nginx", Listens: []sockets.Listen{listens("10.0.0.11", 80)},
			Connects: []sockets.Connect{uses("10.0.0.21", 5432)}}}},
		{"db1", "10.0.0.21", "02:00:00:00:00:21", "hv1", []sockets.Service{{Name: "postgres", Exe: "/usr/bin/postgres", Listens: []sockets.Listen{listens("10.0.0.21", 5432)}},
			{Name: "cupsd", Exe: "/usr/sbin/cupsd", Listens: []sockets.Listen{listens("10.0.0.21", 631)}}}},
		{"db2", "10.0.0.22", "02:00:00:00:00:21", "hv1", []sockets.Service{{Name: "postgres", Exe: "/usr/bin/postgres", Listens: []sockets.Listen{listens("10.0.0.22", 5432)}},
			{Name: "redis", Exe: "/usr/bin/redis", Listens: []sockets.Listen{listens("10.0.0.22", 6379)}}}},
	} {
		m := e.machine(prefix + h.name)
		hosts[h.name] = m
		key := sha256.Sum256(m.id.UUID[:])
		labels := map[string]string{"env": "prod"}
		if h.hypervisor != "" {
			labels["hypervisor"] = h.hypervisor
		}
		e.add(uplink.Change{Type: uplink.HostState, Host: m.id, HostState: &uplink.HostStateBody{State: uplink.Up, Name: m.name, ProbeKey: key[:], Enrolled: true, Labels: labels}})
		m.put(network.Kind, "", network.Facts{Links: []network.Link{{Name: "eth0", Type: "ether", MAC: h.mac, MTU: 1500, AdminUp: true, OperState: "up",
			Addresses: []network.Address{{IP: h.ip, Prefix: 24, Scope: "global"}}}}})
		m.install("3.0.15-1")
		m.put(sockets.Kind, "", sockets.Facts{Services: h.services})
		if strings.HasPrefix(h.name, "db") {
			m.put(mounts.Kind, "", mounts.Facts{Filesystems: []mounts.Filesystem{{Target: "/var/lib/postgresql", Source: "nas:/pg", Type: "nfs4", Options: []string{}, Remote: true},
				{Target: "/", Source: "/dev/sda1", Type: "ext4", Options: []string{}}}})
			m.put(switchport.Kind, "", switchport.Facts{Ports: []switchport.Port{{Interface: "eth0", Protocol: "lldp", Chassis: "mac 02:00:00:00:01:01", Port: h.name, Name: "sw1", SourceMAC: "02:00:00:00:01:02"}}})
		}
	}
	hosts["web1"].put(neighbours.Kind, "", neighbours.Facts{Neighbours: []neighbours.Neighbour{
		{Device: "eth0", IP: "10.0.0.1", MAC: "00:00:0c:01:02:03", Router: true}, {Device: "eth0", IP: "10.0.0.21", MAC: "02:00:00:00:00:21"},
		{Device: "eth0", IP: "10.0.0.200", MAC: "02:00:00:00:00:11"}}}) // the last is web2 under another name
	hosts["web1"].put(seen.Kind, seen.Instance("10.0.0.50"), seen.Facts{Seen: []seen.Seen{{Interface: "eth0", IP: "10.0.0.50", MAC: "06:00:00:00:00:50"}}})
	e.send()
	// Later the database is upgraded and web1 uses redis no more.
	hosts["db1"].install("3.0.16-1")
	hosts["web1"].put(sockets.Kind, "", sockets.Facts{Services: []sockets.Service{{Name: "nginx", Exe: "/usr/sbin/nginx", Listens: []sockets.Listen{listens("10.0.0.10", 80)},
		Connects: []sockets.Connect{uses("10.0.0.21", 5432), uses("10.0.0.22", 5432)}}}})
	e.send()
	e.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(s.t.Context(), `UPDATE assim.hosts SET enrolled_at = now() - interval '60 days'`)
		return err
	})
	return e
}

// rowsOf asks a query; rows are JSON lists in the order of the columns.
func (e *estate) rowsOf(query string) (rows []string) {
	e.s.t.Helper()
	answer := get[struct {
		Columns []string
		Items   []map[string]any
	}](e.client, "/v1/queries/"+query)
	for _, item := range answer.Items {
		row := make([]any, len(answer.Columns))
		for i, c := range answer.Columns {
			row[i] = item[c]
		}
		b, err := json.Marshal(row)
		if err != nil {
			e.s.t.Fatal(err)
		}
		rows = append(rows, string(b))
	}
	return rows
}

func TestQuestionsOfAShop(t *testing.T) {
	s := newService(t)
	ada := s.shop("ada@example.org", "")
	realm := "site:" + ada.source.Site.String()
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"impact?entity=db1", []string{`[1,"web1","up","nginx","db1","postgres"]`, `[1,"web2","up","nginx","db1","postgres"]`, `[2,"lb","up","haproxy","web`}},
		{"impact?entity=db1&hops=1", []string{`[1,"web1","up","nginx","db1","postgres"]`, `[1,"web2","up","nginx","db1","postgres"]`}},
		{"impact?entity=service:nginx", []string{`[1,"lb","up","haproxy","web`}},
		{"impact?entity=10.0.0.99:9000", []string{`[1,"lb","up","haproxy",null,null]`}},
		{"impact?entity=10.0.0.22", []string{`[1,"web1","up","nginx","db2","postgres"]`, `[2,"lb","up","haproxy","web1","nginx"]`}},
		{"impact?entity=lb", nil},
		{"safe-to-reboot?host=lb", nil},
		{"safe-to-reboot?host=web1", []string{`["yes","nginx",80,"tcp",1,0,null,1,"web2"]`}},
		{"safe-to-reboot?host=db1", []string{`["no","postgres",5432,"tcp",2,1,"web2",1,"db2"]`}},
		{"shared-fate?service=postgres", []string{`["hypervisor","hv1",2,2,"db1, db2"]`, `["site","paris",2,2,"db1, db2"]`, `["storage","nas:/pg",2,2,"db1, db2"]`,
			`["subnet","10.0.0.0/24",2,2,"db1, db2"]`, `["switch","sw1 mac 02:00:00:00:01:01",2,2,"db1, db2"]`}},
		{"shared-fate?service=haproxy", []string{`["no replica","lb",1,1,"lb"]`}},
		{"shared-fate?service=postgres&port=1", nil},
		{"what-listens?port=5432", []string{`["db1","up","10.0.0.21","tcp","postgres","/usr/bin/postgres",0,null,2]`, `["db2","up","10.0.0.22","tcp","postgres","/usr/bin/postgres",0,null,1]`}},
		{"duplicates", []string{`["mac","02:00:00:00:00:21",null,"` + realm + `",2,"db1/eth0, db2/eth0"]`}},
		{"unmanaged", []string{
			`["10.0.0.1","00:00:0c:01:02:03","Cisco Systems, Inc","router","paris",1,"web1/eth0",0,null]`,
			`["10.0.0.50","06:00:00:00:00:50",null,null,"paris",1,"web1/eth0",0,null]`,
			`["10.0.0.99",null,null,null,"paris",0,null,1,"lb"]`}},
		{"coverage", []string{`["10.0.0.0/24","paris",5,2,71,1,"machines that never speak"]`}},
		{"nodns", []string{`["10.0.0.1","00:00:0c:01:02:03","Cisco Systems, Inc","` + realm + `",1,0]`, `["10.0.0.50","06:00:00:00:00:50",null,"` + realm + `",1,0]`, `["10.0.0.99",null,null,"` + realm + `",0,1]`, `["10.0.0.200","02:00:00:00:00:11",null,"` + realm + `",1,0]`}},
		{"nooui", []string{
			`["02:00:00:00:00:05",null,"set by software","10.0.0.5","has","lb","` + realm + `"]`,
			`["02:00:00:00:00:10",null,"set by software","10.0.0.10","has","web1","` + realm + `"]`,
			`["02:00:00:00:00:11",null,"set by software","10.0.0.11","has","web2","` + realm + `"]`,
			`["02:00:00:00:00:21",null,"set by software","10.0.0.21","has","db1","` + realm + `"]`}},
		{"nooui?limit=1&cursor=3", []string{`["02:00:00:00:00:21",null,"set by software","10.0.0.21","has","db1","` + realm + `"]`}},
		{"packageprefix?prefix=opens&limit=2", []string{`["db2","openssl","3.0.15-1","amd64","dpkg"]`, `["lb","openssl","3.0.15-1","amd64","dpkg"]`}},
		{"packageprefix?prefix=openssm", nil},
		{"packagegrep?regex=^o.*ssl$&limit=1", []string{`["db2","openssl","3.0.15-1","amd64","dpkg"]`}},
		{"who-uses?package=openssl&limit=2", []string{`["db1","up","3.0.16-1","amd64","dpkg",2,2]`, `["db2","up","3.0.15-1","amd64","dpkg",2,1]`}},
		{"orphans", []string{`["db1","cupsd","/usr/sbin/cupsd",0,"631/tcp",`, `["lb","haproxy","/usr/sbin/haproxy",0,"443/tcp",`}},
		{"orphans?unused=61d", nil},
	} {
		path, parameters, _ := strings.Cut(test.query, "?")
		values, err := url.ParseQuery(parameters)
		if err != nil {
			t.Fatal(err)
		}
		got := ada.rowsOf(path + "?" + values.Encode())
		same := slices.EqualFunc(got, test.want, func(row, want string) bool {
			return row == want || !strings.HasSuffix(want, "]") && strings.HasPrefix(row, want)
		})
		if !same {
			t.Errorf("%s:\n got %s\nwant %s", test.query, strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
		}
	}

	// What changed upstream of web2: the database, not the balancer.
	var upgraded bool
	for _, row := range ada.rowsOf("why?host=web2&limit=1000") {
		if strings.Contains(row, `"lb"`) || strings.Contains(row, `"db2"`) {
			t.Errorf("why web2 is told of %s", row)
		}
		upgraded = upgraded || strings.HasPrefix(row, `[0,1,"db1",`) && strings.Contains(row, `"packages"`) && strings.HasSuffix(row, `"openssl 3.0.15-1 -\u003e 3.0.16-1 (amd64)"]`)
	}
	if !upgraded {
		t.Errorf("why web2 is not told of the upgrade of db1: %s", strings.Join(ada.rowsOf("why?host=web2&limit=1000"), "\n"))
	}

	// The graph around a host, and all of it.
	around := strings.Join(ada.rowsOf("hostsubgraph?host=web1&labels=Host,Service"), "\n")
	if strings.Count(around, `"node"`) != 2 || strings.Count(around, `"relationship","RUNS"`) != 1 || !strings.Contains(around, `"name":"nginx"`) {
		t.Errorf("the graph around web1: %s", around)
	}
	if all := ada.rowsOf("allhostsubgraph?limit=10000"); len(all) < 60 {
		t.Errorf("the whole graph has %d elements", len(all))
	}
	for _, bad := range []string{"packagegrep?regex=(a)%5C1", "packagegrep?regex=(((", "packagegrep?regex=" + strings.Repeat("a", 101), "orphans?unused=forever", "impact?entity=nothing", "impact?entity=host:nothing", "impact?entity=10.9.9.9"} {
		if status, body := ada.do(http.MethodGet, "/v1/queries/"+bad, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
}

func TestPicturesOfAShop(t *testing.T) {
	s := newService(t)
	ada := s.shop("ada@example.org", "")
	for path, want := range map[string][]string{
		"?type=network&format=dot":                     {"digraph assimilation {", `label="10.0.0.0/24"`, `class="wired"`, `label="sw1`, `label="10.0.0.21"`},
		"?type=network&format=svg&host=db1":            {"<svg", "map-subnet", "map-switch", "10.0.0.0/24"},
		"?type=network&format=json&subnet=10.0.0.0/24": {`"kind":"subnet"`, `"label":"web2"`},
		"?type=network&format=json&subnet=10.9.0.0/24": {`"nodes":[]`},
		"?type=everything&format=json&host=web1":       {`"kind":"service"`, `"kind":"ip"`, `"kind":"connects"`, `"kind":"within"`},
		"?type=service&format=dot&site=paris":          {`label="nginx"`, `class="connects"`},
		"?type=network&format=json&kinds=host,subnet":  {`"edges":[]`},
		"?format=svg": {"<svg"},
	} {
		status, body := ada.do(http.MethodGet, "/v1/graph/draw"+path, "")
		for _, part := range want {
			if status != http.StatusOK || !strings.Contains(body, part) {
				t.Errorf("%s: %d, %q is missing from %.2000s", path, status, part, body)
			}
		}
	}
	for path, want := range map[string]int{"?type=ring": 422, "?type=service&subnet=10.0.0.0/24": 422, "?host=a&site=b": 422, "?type=sculpture": 422, "?host=nobody": 404} {
		if status, body := ada.do(http.MethodGet, "/v1/graph/draw"+path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for path, want := range map[string][]string{"/map?type=network": {"10.0.0.0/24", "sw1"}, "/map?type=network&kinds=host": {"web1"}, "/map?type=everything&host=db1": {"postgres"},
		"/unmanaged": {"71 %", "Cisco Systems, Inc", "10.0.0.99", "machines that never speak"}, "/queries/impact?entity=db1": {`href="/hosts/web2"`}} {
		if status, body := ada.do(http.MethodGet, path, ""); status != http.StatusOK || !func() bool {
			return !slices.ContainsFunc(want, func(part string) bool { return !strings.Contains(body, part) })
		}() {
			t.Errorf("%s: %d lacks one of %q", path, status, want)
		}
	}
}
