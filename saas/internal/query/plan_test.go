package query

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// fleet is 2000 hosts, each with a service that listens and is a client of the
// next host's, a link, an address, a neighbour and a package.
var fleet = []string{
	`INSERT INTO {g}."Host" (id, properties) SELECT _graphid({Host}, n), format('{"key": "h%s", "name": "host%s"}', n, n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Interface" (id, properties) SELECT _graphid({Interface}, n), format('{"key": "h%s/eth0", "name": "eth0"}', n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Service" (id, properties) SELECT _graphid({Service}, n), format('{"key": "h%s/s", "name": "s"}', n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Endpoint" (id, properties) SELECT _graphid({Endpoint}, n), format('{"key": "e%s", "ip": "10.0.0.1", "port": %s, "protocol": "tcp"}', n, n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Address" (id, properties) SELECT _graphid({Address}, n), format('{"key": "a%s", "ip": "10.0.%s.%s", "realm": "s"}', n, n / 250, n % 250)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."NIC" (id, properties) SELECT _graphid({NIC}, n), format('{"key": "n%s", "mac": "02:00:00:00:00:%s", "realm": "s"}', n, n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."PackageSet" (id, properties) SELECT _graphid({PackageSet}, n), format('{"key": "p%s"}', n)::agtype FROM generate_series(1, 2000) n`,
	`INSERT INTO {g}."Package" (id, properties) SELECT _graphid({Package}, n), format('{"key": "q%s", "name": "package%s"}', n, n)::agtype FROM generate_series(1, 2000) n`,
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

// A question about one thing must not read the whole estate.
func TestQuestionsAboutOneThingUseIndexes(t *testing.T) {
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
	for _, sql := range fleet {
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
	if _, err := admin.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	s, err := New(db)
	if err != nil {
		t.Fatal(err)
	}
	for name, argument := range map[string]string{
		"hostipports": `"h7"`, "hostdependencies": `"h7"`, "findip": `"10.0.1.7"`, "findmac": `"02:00:00:00:00:7"`, "packagename": `"package7"`,
	} {
		for _, q := range s.queries {
			if q.Name != name {
				continue
			}
			err := db.Read(ctx, tenant, func(tx pgx.Tx) error {
				rows, err := tx.Query(ctx, `EXPLAIN (ANALYZE, COSTS OFF) `+q.text(tenant), argument, 100, 0)
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
				rows, err = tx.Query(ctx, q.text(tenant), argument, 100, 0)
				if err != nil {
					return err
				}
				found, err := pgx.CollectRows(rows, q.item)
				if len(found) == 0 {
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
