package query

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// fleet is 2000 hosts, each with a service that listens and is a client of the
// next host's, a link, an address, a neighbour and a package.
var fleet = []string{
	`INSERT INTO {g}."Host" (id, properties) SELECT _graphid({Host}, n), format('{"key": "%s", "name": "host%s", "state": "up", "site": "%s"}', {hostKey}, n, {site})::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Interface" (id, properties) SELECT _graphid({Interface}, n), format('{"key": "h%s/eth0", "name": "eth0"}', n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Service" (id, properties) SELECT _graphid({Service}, n), format('{"key": "h%s/s", "name": "s"}', n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Endpoint" (id, properties) SELECT _graphid({Endpoint}, n), format('{"key": "e%s", "ip": "10.0.0.1", "port": %s, "protocol": "tcp", "realm": "site:s"}', n, n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Address" (id, properties) SELECT _graphid({Address}, n), format('{"key": "a%s", "ip": "10.0.%s.%s", "realm": "site:s"}', n, n / 250, n % 250)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."NIC" (id, properties) SELECT _graphid({NIC}, n), format('{"key": "n%s", "mac": "02:00:00:00:00:%s", "realm": "s"}', n, n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."PackageSet" (id, properties) SELECT _graphid({PackageSet}, n), format('{"key": "p%s"}', n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Package" (id, properties) SELECT _graphid({Package}, n), format('{"key": "q%s", "name": "package%s"}', n, n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Subnet" (id, properties) SELECT _graphid({Subnet}, n), format('{"key": "s%s", "cidr": "10.%s.%s.0/24", "realm": "site:s"}', n, 100 + n / 256, n % 256)::agtype FROM generate_series(1, 2000) n`,
	// What everybody uses, and what nobody has.
	`INSERT INTO {g}."Endpoint" (id, properties) SELECT _graphid({Endpoint}, 3000), '{"key": "dns", "ip": "10.0.0.1", "port": 53, "protocol": "udp", "realm": "site:s"}'`,
	`INSERT INTO {g}."CONNECTS_TO" (id, start_id, end_id, properties) SELECT _graphid({CONNECTS_TO}, 3000 + n), _graphid({Service}, n), _graphid({Endpoint}, 3000), '{}' FROM generate_series(2, 2000) n`,
	`INSERT INTO {g}."LISTENS_ON" (id, start_id, end_id, properties) SELECT _graphid({LISTENS_ON}, 3000), _graphid({Service}, 1), _graphid({Endpoint}, 3000), '{}'`,
	`INSERT INTO {g}."AT" (id, start_id, end_id, properties) SELECT _graphid({AT}, 3000), _graphid({Endpoint}, 3000), _graphid({Address}, 1), '{}'`,
	`INSERT INTO {g}."Address" (id, properties) SELECT _graphid({Address}, 3000 + n), format('{"key": "x%s", "ip": "10.9.%s.%s", "realm": "site:s"}', n, n / 250, n % 250)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."HEARS" (id, start_id, end_id, properties) SELECT _graphid({HEARS}, n), _graphid({Interface}, n), _graphid({Address}, 3000 + n), '{"mac": "y"}' FROM generate_series(1, 2000) n`,
	edgesSQL("IN_SUBNET", "Interface", "Subnet", 0), edgesSQL("AT", "Endpoint", "Address", 0),
	edgesSQL("HAS_INTERFACE", "Host", "Interface", 0), edgesSQL("HAS_ADDRESS", "Interface", "Address", 0), edgesSQL("SEES", "Interface", "Address", 1),
	edgesSQL("HAS_NIC", "Interface", "NIC", 0), edgesSQL("SEES_NIC", "Interface", "NIC", 1), edgesSQL("RUNS", "Host", "Service", 0),
	edgesSQL("LISTENS_ON", "Service", "Endpoint", 0), edgesSQL("CONNECTS_TO", "Service", "Endpoint", 1),
	edgesSQL("HAS_PACKAGES", "Host", "PackageSet", 0), edgesSQL("CONTAINS", "PackageSet", "Package", 0),
}

// edgesSQL joins vertex n to vertex n+shift.
func edgesSQL(edge, from, to string, shift int) string {
	return fmt.Sprintf(`INSERT INTO {g}.%[1]q (id, start_id, end_id, properties)
		SELECT _graphid({%[1]s}, n), _graphid({%[2]s}, n), _graphid({%[3]s}, 1 + (n - 1 + %[4]d) %% 2000), '{"mac": "x"}' FROM generate_series(1, 2000) n`, edge, from, to, shift)
}

const (
	fleetSite = `'aaaaaaaa-0000-4000-8000-000000000000'`
	fleetHost = `'00000000-0000-4000-8000-' || lpad(n::text, 12, '0')`
)

// newFleet is a tenant with the fleet, analysed.
func newFleet(t *testing.T) (*Service, tenancy.TenantID) {
	t.Helper()
	ctx := t.Context()
	db, url := storetest.OpenURL(t)
	tenant := storetest.Tenant(t, db)
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	g := store.Graph(tenant)
	placeholder := regexp.MustCompile(`\{([A-Za-z_]+)\}`)
	for _, sql := range slices.Concat(fleet, innards) {
		sql = strings.NewReplacer("{site}", fleetSite, "{hostKey}", fleetHost).Replace(sql)
		sql = placeholder.ReplaceAllStringFunc(sql, func(p string) string {
			if name := p[1 : len(p)-1]; name != "g" {
				return fmt.Sprintf(`(SELECT l.id FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph WHERE g.name = '%s' AND l.name = '%s')`, g, name)
			}
			return g
		})
		if _, err := admin.Exec(ctx, `SET search_path = ag_catalog, pg_catalog; `+sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES (` + fleetSite + `, $1, 'cellar', 's', '', '')`,
		`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at)
			SELECT (` + fleetHost + `)::uuid, $1, ` + fleetSite + `, $1, 'host' || n, '', 'up', now(), now() - interval '90 days', now() FROM generate_series(1, 2000) n`,
		`INSERT INTO assim.fact_versions (tenant, host, kind, instance, at, seen_at, hash, term, version, relay, epoch, seq)
			SELECT $1, (` + fleetHost + `)::uuid, 'os', '', now() - interval '1 minute' * v, now(), 'x', 1, v, $1, 1, n FROM generate_series(1, 2000) n, generate_series(1, 5) v`,
	} {
		if _, err := admin.Exec(ctx, sql, tenant); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if _, err := admin.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	s, err := New(db)
	if err != nil {
		t.Fatal(err)
	}
	return s, tenant
}

// fleetValues are parameters that mean something in the fleet.
var fleetValues = map[string]string{"host": "host7", "ip": "10.0.1.7", "mac": "02:00:00:00:00:07", "name": "package7", "package": "package7", "prefix": "package1", "regex": "^p.*7$",
	"port": "7", "service": "s", "entity": "host1", "unused": "30d", "file": "file7", "group": "group7"}

// Whatever a question is asked of thousands of hosts, it ends in time and gives
// no more rows than asked for, page by page.
func TestEveryQuestionIsBounded(t *testing.T) {
	s, tenant := newFleet(t)
	for _, q := range s.queries {
		given := url.Values{}
		for _, p := range q.Parameters {
			if v := fleetValues[p.Name]; v != "" && (p.Default == "" || p.Name != "port") {
				given.Set(p.Name, v)
			}
		}
		seen := map[string]bool{}
		for page := (Page{Limit: 50}); page.Offset < 150; page.Offset += page.Limit {
			began := time.Now()
			answer, err := s.Ask(t.Context(), tenant, q.Name, given, page)
			if err != nil {
				t.Errorf("%s: %v", q.Name, err)
				break
			}
			if page.Offset == 0 {
				t.Logf("%-18s %4d rows %8.1f ms", q.Name, len(answer.Items), time.Since(began).Seconds()*1000)
			}
			if len(answer.Items) > page.Limit {
				t.Errorf("%s gives %d rows of %d", q.Name, len(answer.Items), page.Limit)
			}
			for _, row := range lines(t, answer) {
				if seen[row] && !slices.Contains(mayRepeat, q.Name) {
					t.Errorf("%s gives a row twice: %s", q.Name, row)
				}
				seen[row] = true
			}
			if answer.NextCursor == "" {
				break
			}
		}
	}
}

// mayRepeat are questions whose rows do not show what tells them apart.
var mayRepeat = []string{"why"}

// A walk is cut where it gets too large, and says so; each service is met once.
func TestWalksMeetEachServiceOnce(t *testing.T) {
	s, tenant := newFleet(t)
	answer, err := s.Ask(t.Context(), tenant, "impact", url.Values{"entity": {"10.0.0.1:53"}}, Page{Limit: 5000})
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[any]int{}
	for _, item := range answer.Items {
		hosts[item["host"]]++
	}
	if len(answer.Items) != 1999 || len(hosts) != len(answer.Items) {
		t.Errorf("%d rows of %d hosts, want all but the first of 2000, each once", len(answer.Items), len(hosts))
	}
	for hops, want := range map[string]int{"1": 1, "2": 2, "6": 6} {
		answer, err := s.Ask(t.Context(), tenant, "impact", url.Values{"entity": {"host100"}, "hops": {hops}}, Page{Limit: 5000})
		if err != nil || len(answer.Items) != want {
			t.Errorf("%s hops from host100 meet %d services, want %d: %v", hops, len(answer.Items), want, err)
		}
	}
}

// A question about one thing must not need to read the whole estate, as it may where
// that is as small as this one.
func TestQuestionsAboutOneThingUseIndexes(t *testing.T) {
	ctx := t.Context()
	s, tenant := newFleet(t)
	db := s.db
	const host = `"00000000-0000-4000-8000-000000000007"`
	near := []any{[]string{}, []int32{}, []string{}}
	for name, arguments := range map[string][]any{
		"hostipports": {host}, "hostdependencies": {host}, "findip": {`"10.0.1.7"`}, "findmac": {`"02:00:00:00:00:7"`}, "packagename": {`"package7"`},
		"safe-to-reboot": {host}, "what-listens": {`7`}, "who-uses": {`"package7"`}, "impact": near,
	} {
		for _, q := range s.queries {
			if q.Name != name {
				continue
			}
			err := db.Read(ctx, tenant, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
					return err
				}
				rows, err := tx.Query(ctx, `EXPLAIN (ANALYZE, COSTS OFF) `+q.text(tenant), append(slices.Clone(arguments), 100, 0)...)
				if err != nil {
					return err
				}
				plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
				text := strings.Join(plan, "\n")
				if strings.Contains(text, "Seq Scan") {
					t.Errorf("%s reads whole tables:\n%s", name, text)
				}
				t.Log(name, plan[len(plan)-1])
				if err != nil {
					return err
				}
				rows, err = tx.Query(ctx, q.text(tenant), append(slices.Clone(arguments), 100, 0)...)
				if err != nil {
					return err
				}
				found, err := pgx.CollectRows(rows, q.item)
				if len(found) == 0 && name != "impact" {
					t.Errorf("%s finds nothing", name)
				}
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
