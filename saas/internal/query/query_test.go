package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/humatest"
	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

const (
	siteID = "aaaaaaaa-0000-4000-8000-000000000000"
	webID  = "aaaaaaaa-0000-4000-8000-000000000001"
	dbID   = "aaaaaaaa-0000-4000-8000-000000000002"
	// Not in the graph: a host with an open verdict, one whose verdict is over, one of
	// a site that is dark; verdicts have the ids of their hosts.
	deadID  = "aaaaaaaa-0000-4000-8000-000000000005"
	muteID  = "aaaaaaaa-0000-4000-8000-000000000006"
	farID   = "aaaaaaaa-0000-4000-8000-000000000007"
	atticID = "aaaaaaaa-0000-4000-8000-000000000008"
)

// estate is a web server that uses a database, and two machines without a probe.
// The second statement is Cypher: what the questions read is what it wrote.
const estate = `CREATE
	(w:Host {key: '` + webID + `', name: 'web', state: 'up', site: '` + siteID + `', os: 'linux', arch: 'amd64', agent_version: '1.0'}),
	(d:Host {key: '` + dbID + `', name: 'DB', state: 'silent', site: '` + siteID + `'}),
	(w)-[:RUNS_OS {pretty_name: 'Debian 12', kernel_release: '6.1'}]->(:OS {key: 'debian|12'}),
	(wi:Interface {key: 'w/eth0', name: 'eth0'}), (di:Interface {key: 'd/eth0', name: 'eth0'}),
	(w)-[:HAS_INTERFACE]->(wi), (d)-[:HAS_INTERFACE]->(di),
	(wn:NIC {key: 's|02:00:00:00:00:01', mac: '02:00:00:00:00:01', realm: 's'}), (wi)-[:HAS_NIC]->(wn), (di)-[:SEES_NIC]->(wn),
	(wa:Address {key: 's|10.0.0.1', ip: '10.0.0.1', realm: 's'}), (da:Address {key: 's|10.0.0.2', ip: '10.0.0.2', realm: 's'}),
	(ua:Address {key: 's|10.0.0.10', ip: '10.0.0.10', realm: 's'}), (ub:Address {key: 's|10.0.0.9', ip: '10.0.0.9', realm: 's'}),
	(wi)-[:HAS_ADDRESS {prefix: 24}]->(wa), (di)-[:HAS_ADDRESS {prefix: 24}]->(da),
	(di)-[:SEES {mac: '02:00:00:00:00:01'}]->(wa), (wi)-[:SEES {mac: '02:00:00:00:00:0a'}]->(ua), (di)-[:SEES {mac: '02:00:00:00:00:0a'}]->(ua), (wi)-[:SEES]->(ub),
	(ws:Service {key: 'w/1', name: 'nginx', exe: '/usr/sbin/nginx', uid: 33}), (ds:Service {key: 'd/1', name: 'postgres', uid: -1}),
	(w)-[:RUNS]->(ws), (d)-[:RUNS]->(ds),
	(we:Endpoint {key: 's|10.0.0.1|tcp|80', ip: '10.0.0.1', port: 80, protocol: 'tcp'}), (de:Endpoint {key: 's|10.0.0.2|tcp|5432', ip: '10.0.0.2', port: 5432, protocol: 'tcp'}),
	(xe:Endpoint {key: 'public|8.8.8.8|udp|53', ip: '8.8.8.8', port: 53, protocol: 'udp'}),
	(ws)-[:LISTENS_ON {wildcard: '0.0.0.0'}]->(we), (ds)-[:LISTENS_ON]->(de), (ws)-[:CONNECTS_TO]->(de), (ws)-[:CONNECTS_TO]->(xe), (ws)-[:CONNECTS_TO]->(we),
	(p1:PackageSet {key: 'p1'}), (p2:PackageSet {key: 'p2'}), (w)-[:HAS_PACKAGES]->(p1), (w)-[:HAS_PACKAGES]->(p2), (d)-[:HAS_PACKAGES]->(p1),
	(bash:Package {key: 'bash', name: 'bash', version: '5.2', arch: 'amd64', manager: 'dpkg'}), (dash:Package {key: 'dash', name: 'dash', version: '0.5', arch: 'amd64', manager: 'dpkg'}),
	(p1)-[:CONTAINS]->(bash), (p2)-[:CONTAINS]->(dash)`

func newEstate(t *testing.T) (*Service, tenancy.TenantID) {
	t.Helper()
	db := storetest.Open(t)
	tenant := storetest.Tenant(t, db)
	err := db.In(t.Context(), tenant, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`INSERT INTO sites (id, tenant, name, realm, site_key, site_private) VALUES ('` + siteID + `', $1, 'cellar', 's', '', '')`,
			`INSERT INTO hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES
				('` + webID + `', $1, '` + siteID + `', $1, 'web', '', 'up', now(), now(), now()),
				('` + dbID + `', $1, '` + siteID + `', $1, 'DB', '', 'silent', '2026-01-02T03:04:05Z', now(), now()),
				('aaaaaaaa-0000-4000-8000-000000000003', $1, '` + siteID + `', $1, 'twin', '', 'shut down', '2026-01-02T03:04:06Z', now(), now()),
				('aaaaaaaa-0000-4000-8000-000000000004', $1, '` + siteID + `', $1, 'twin', '', 'up', now(), now(), now())`,
			`INSERT INTO sites (id, tenant, name, realm, site_key, site_private) VALUES ('` + atticID + `', $1, 'attic', 't', 'a', '')`,
			`INSERT INTO hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at) VALUES
				('` + deadID + `', $1, '` + siteID + `', $1, 'dead', '', 'down', '2026-01-02T03:04:08Z', now(), now()),
				('` + muteID + `', $1, '` + siteID + `', $1, 'mute', '', 'agent down', '2026-01-02T03:04:07Z', now(), now()),
				('` + farID + `', $1, '` + atticID + `', $1, 'far', '', 'up', '2026-01-02T03:04:01Z', now(), now())`,
			`INSERT INTO verdicts (tenant, id, kind, site, relay, count, since, at, over_at, ending, cause, confidence, received_at) VALUES
				($1, '` + deadID + `', 'host down', '` + siteID + `', $1, 1, '2026-01-02T03:04:06Z', '2026-01-02T03:04:08Z', NULL, '', NULL, 95, now()),
				($1, '` + muteID + `', 'agent down', '` + siteID + `', $1, 1, '2026-01-02T01:00:00Z', '2026-01-02T01:00:01Z', now(), 'back', NULL, 90, now()),
				($1, '` + farID + `', 'site dark', '` + atticID + `', NULL, 1, '2026-01-02T03:04:02Z', '2026-01-02T03:04:03Z', NULL, '', '` + deadID + `', 100, now())`,
			`INSERT INTO verdict_hosts (tenant, verdict, host) VALUES ($1, '` + deadID + `', '` + deadID + `'), ($1, '` + muteID + `', '` + muteID + `')`,
		} {
			if _, err := tx.Exec(t.Context(), sql, tenant); err != nil {
				return err
			}
		}
		_, err := tx.Exec(t.Context(), fmt.Sprintf(`SELECT * FROM cypher('%s', $q$ %s $q$) AS (r agtype)`, store.Graph(tenant), estate))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db)
	if err != nil {
		t.Fatal(err)
	}
	return s, tenant
}

func TestAnswers(t *testing.T) {
	s, tenant := newEstate(t)
	for _, test := range []struct {
		name, parameters string
		want             []string // rows as JSON lists in the order of the columns
	}{
		{"allservers", "", []string{`["DB","` + dbID + `","silent","cellar",null,null,null,null]`, `["web","` + webID + `","up","cellar","Debian 12","6.1","amd64","1.0"]`}},
		{"allips", "", []string{`["10.0.0.1",24,"web","eth0","02:00:00:00:00:01",null,"s"]`, `["10.0.0.2",24,"DB","eth0",null,null,"s"]`}},
		{"findip", "ip=::ffff:10.0.0.1", []string{`["10.0.0.1","has","web","eth0","02:00:00:00:00:01","s"]`, `["10.0.0.1","sees","DB","eth0","02:00:00:00:00:01","s"]`}},
		{"findip", "ip=10.9.9.9", nil},
		{"findmac", "mac=02-00-00-00-00-01", []string{`["02:00:00:00:00:01",null,"has","web","eth0","10.0.0.1","s"]`, `["02:00:00:00:00:01",null,"sees","DB","eth0","10.0.0.1","s"]`}},
		{"unknownips", "", []string{`["10.0.0.9",null,null,"s",1,"web"]`, `["10.0.0.10","02:00:00:00:00:0a",null,"s",2,"DB, web"]`}},
		{"allipports", "", []string{`["DB","10.0.0.2",5432,"tcp","postgres",null,-1,null,null]`, `["web","10.0.0.1",80,"tcp","nginx","/usr/sbin/nginx",33,null,"0.0.0.0"]`}},
		{"hostipports", "host=WEB", []string{`["web","10.0.0.1",80,"tcp","nginx","/usr/sbin/nginx",33,null,"0.0.0.0"]`}},
		{"hostdependencies", "host=web", []string{
			`["uses","DB","postgres","10.0.0.2",5432,"tcp","web","nginx"]`,
			`["uses",null,null,"8.8.8.8",53,"udp","web","nginx"]`,
			`["used by","web","nginx","10.0.0.1",80,"tcp","web","nginx"]`,
		}},
		{"hostdependencies", "host=" + dbID, []string{`["used by","DB","postgres","10.0.0.2",5432,"tcp","web","nginx"]`}},
		{"allpackages", "", []string{`["bash","5.2","amd64","dpkg",2]`, `["dash","0.5","amd64","dpkg",1]`}},
		{"packagename", "name=bash", []string{`["DB","bash","5.2","amd64","dpkg"]`, `["web","bash","5.2","amd64","dpkg"]`}},
		{"packagename", `name=ba"sh`, nil},
		{"shutdown", "", []string{`["twin","aaaaaaaa-0000-4000-8000-000000000003","cellar","2026-01-02T03:04:06Z","",""]`}},
		{"down", "", []string{
			`["dead","` + deadID + `","cellar","down","2026-01-02T03:04:08Z","host down","2026-01-02T03:04:06Z",95,"` + deadID + `"]`,
			`["mute","` + muteID + `","cellar","agent down","2026-01-02T03:04:07Z",null,null,null,null]`,
			`["twin","aaaaaaaa-0000-4000-8000-000000000003","cellar","shut down","2026-01-02T03:04:06Z",null,null,null,null]`,
			`["DB","` + dbID + `","cellar","silent","2026-01-02T03:04:05Z",null,null,null,null]`,
			`["far","` + farID + `","attic","unknown","2026-01-02T03:04:02Z","site dark","2026-01-02T03:04:02Z",100,"` + farID + `"]`,
		}},
		{"crashed", "", []string{
			`["dead","` + deadID + `","cellar","down","2026-01-02T03:04:08Z","2026-01-02T03:04:06Z",95,"` + deadID + `",""]`,
			`["mute","` + muteID + `","cellar","agent down","2026-01-02T03:04:07Z",null,null,null,""]`,
		}},
		{"verdicts", "", []string{
			`["host down","dead",1,"cellar","2026-01-02T03:04:06Z","2026-01-02T03:04:08Z",95,null,null,"` + deadID + `"]`,
			`["site dark",null,1,"attic","2026-01-02T03:04:02Z","2026-01-02T03:04:03Z",100,"host down",null,"` + farID + `"]`,
		}},
		{"silent", "", []string{`["DB","` + dbID + `","cellar","2026-01-02T03:04:05Z","",""]`}},
	} {
		values, err := url.ParseQuery(test.parameters)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Ask(t.Context(), tenant, test.name, values, Page{Limit: 10})
		if err != nil {
			t.Errorf("%s %s: %v", test.name, test.parameters, err)
			continue
		}
		got := lines(t, answer)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %s:\n got %s\nwant %s", test.name, test.parameters, strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
		}
	}
}

func lines(t *testing.T, a Answer) (out []string) {
	t.Helper()
	for _, item := range a.Items {
		row := make([]any, len(a.Columns))
		for i, c := range a.Columns {
			row[i] = item[c]
		}
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// What a file's head says of its columns is what its SQL gives.
func TestHeadsAreTrue(t *testing.T) {
	s, tenant := newEstate(t)
	types := map[uint32]string{25: "text", 20: "int", 1184: "time", 3802: "json"} // pg_type.oid
	for _, q := range s.queries {
		err := s.db.Read(t.Context(), tenant, func(tx pgx.Tx) error {
			arguments := make([]any, q.hiddenColumns())
			for _, i := range q.bound {
				value := `"x"`
				switch q.Parameters[i].Type {
				case Int, Duration:
					value = "1"
				case Host:
					value = `"` + webID + `"`
				}
				arguments = append(arguments, value)
			}
			rows, err := tx.Query(t.Context(), q.text(tenant), append(arguments, 1, 0)...)
			if err != nil {
				return err
			}
			defer rows.Close()
			var got []string
			for _, f := range rows.FieldDescriptions() {
				got = append(got, f.Name+" "+types[f.DataTypeOID])
			}
			var want []string
			for _, c := range q.Columns {
				want = append(want, c.Name+" "+string(c.Type))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s has columns %q, its head says %q", q.Name, got, want)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
		if len(q.Parameters) > 0 {
			example, err := url.ParseQuery(q.Example)
			if _, bad := q.read(example); err != nil || bad != nil {
				t.Errorf("%s: example %q: %v", q.Name, q.Example, bad)
			}
		}
	}
}

func TestNodecountCountsEveryLabel(t *testing.T) {
	s, tenant := newEstate(t)
	answer, err := s.Ask(t.Context(), tenant, "nodecount", nil, Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[any]any{}
	for _, item := range answer.Items {
		counts[item["label"]] = item["count"]
	}
	for _, v := range cmdb.Vertices {
		if _, ok := counts[string(v.Label)]; !ok {
			t.Errorf("label %s is not counted", v.Label)
		}
	}
	if counts["Host"] != int64(2) || counts["Address"] != int64(4) {
		t.Errorf("counts %v", counts)
	}
}

func TestPagesNeitherOverlapNorLeaveOut(t *testing.T) {
	s, tenant := newEstate(t)
	var got []string
	page := Page{Limit: 3}
	for {
		answer, err := s.Ask(t.Context(), tenant, "nodecount", nil, page)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, lines(t, answer)...)
		if answer.NextCursor == "" {
			break
		}
		if _, err := fmt.Sscan(answer.NextCursor, &page.Offset); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != len(cmdb.Vertices) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("%d rows: %q", len(got), got)
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	s, tenant := newEstate(t)
	for _, test := range []struct{ name, parameters, want string }{
		{"findip", "", "parameter ip is missing"},
		{"findip", "ip=", "parameter ip is missing"},
		{"findip", "ip=10.0.0.300", "parameter ip is no IP address"},
		{"findip", "ip=1.1.1.1&ip=2.2.2.2", "parameter ip is given more than once"},
		{"findip", "ip=1.1.1.1&port=5", `parameter "port" is none of this query; it takes ip`},
		{"allips", "x=1", `parameter "x" is none of this query; it takes none`},
		{"findmac", "mac=zz", "parameter mac is no hardware address"},
		{"packagename", "name=" + strings.Repeat("x", 256), "parameter name is longer than 255 bytes"},
		{"packagename", "name=%00", "parameter name is not plain text"},
		{"packagename", "name=%ff", "parameter name is not plain text"},
		{"hostipports", "host=nobody", "parameter host names no enrolled host"},
		{"hostipports", "host=twin", "parameter host names no enrolled host, or several"},
	} {
		values, err := url.ParseQuery(test.parameters)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Ask(t.Context(), tenant, test.name, values, Page{Limit: 1})
		if bad := (*BadParameter)(nil); !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %.40s: %v, want %q", test.name, test.parameters, err, test.want)
		}
	}
	if _, err := s.Ask(t.Context(), tenant, "nothing", nil, Page{Limit: 1}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown query: %v", err)
	}
}

func TestREST(t *testing.T) {
	s, tenant := newEstate(t)
	_, api := humatest.New(t)
	s.Register(api)
	ctx := web.WithActor(context.Background(), web.Actor{Tenant: tenant, Role: tenancy.Viewer})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/v1/queries":                            {200, `"name":"hostdependencies"`},
		"/v1/queries/findip?ip=10.0.0.2":         {200, `{"columns":["ip","relation","host","interface","mac","realm"],"items":[{"host":"DB","interface":"eth0","ip":"10.0.0.2","mac":null,"realm":"s","relation":"has"}]}`},
		"/v1/queries/allips?limit=1":             {200, `"next_cursor":"1"`},
		"/v1/queries/allips?limit=1&cursor=1":    {200, `"ip":"10.0.0.2"`},
		"/v1/queries/allips?limit=0":             {422, `parameter limit is not a number of 1 to 10000`},
		"/v1/queries/findip":                     {422, `parameter ip is missing`},
		"/v1/queries/findip?ip=10.0.0.2&limit=x": {422, `parameter limit`},
		"/v1/queries/nothing":                    {404, `there is no such query`},
	} {
		response := api.DoCtx(ctx, http.MethodGet, path)
		if body := response.Body.String(); response.Code != want.status || !strings.Contains(body, want.body) {
			t.Errorf("GET %s: %d %s, want %d %s", path, response.Code, body, want.status, want.body)
		}
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	const head = "-- A.\n-- group hosts\n"
	for text, want := range map[string]string{
		"SELECT 1 ORDER BY 1":                                                     "missing",
		head + "-- column a text\nSELECT 1":                                       "missing",
		"-- A.\n-- column a text\nSELECT 1 ORDER BY 1":                            `group "" is none`,
		head + "-- column a blob\nSELECT 1 ORDER BY 1":                            `unknown type "blob"`,
		head + "-- column a text=1\nSELECT 1 ORDER BY 1":                          "is not column",
		head + "-- param a blob: x\nSELECT 1 ORDER BY 1":                          `unknown type "blob"`,
		head + "-- param a int=x: x\nSELECT 1 ORDER BY 1":                         "default of parameter a is no whole number",
		head + "-- nonsense\nSELECT 1 ORDER BY 1":                                 "begins with no word",
		head + "-- walk clients x\nSELECT 1 ORDER BY 1":                           "is not walk",
		head + "-- param x int: x\n-- walk clients x\nSELECT 1":                   "is not walk",
		head + "-- missing b\n-- column a text\nSELECT 1 ORDER BY":                `column "b"`,
		head + "-- column a text\nSELECT {$x} ORDER BY 1":                         `"x" is not declared`,
		head + "-- column a text\nSELECT {walk} ORDER BY 1":                       "no label",
		head + "-- column a text\nSELECT {Nothing} ORDER BY 1":                    "no label",
		head + "-- column a text\nSELECT {h.'; DROP T} ORDER BY 1":                "no label",
		head + "-- column a text\nSELECT {@h.name:int} ORDER BY 1":                "no label",
		head + "-- column a text\nSELECT {@h.name} ORDER BY {Host}":               "",
		head + "-- param a int: x\n-- column a text\nSELECT {$a:date} ORDER BY 1": `cannot be written as "date"`,
	} {
		_, err := parse("x", text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
