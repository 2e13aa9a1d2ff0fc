package search

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// estate is 3000 of each label, joined one to one.
func estate() (all []string) {
	for label, properties := range map[string]string{
		"Host": `{"key": "h%s", "name": "host%s"}`, "Interface": `{"key": "i%s", "name": "eth%s"}`, "Service": `{"key": "s%s", "name": "service%s"}`,
		"Endpoint": `{"key": "e%s", "ip": "10.0.0.1", "port": %s, "protocol": "tcp"}`, "Address": `{"key": "a%s", "ip": "10.0.%s"}`,
		"NIC": `{"key": "n%s", "mac": "02:00:%s"}`, "Package": `{"key": "p%s", "name": "package%s", "version": "1", "arch": "all"}`,
		"Child": `{"key": "c%s", "name": "child%s", "sort": "guest"}`, "Unit": `{"key": "u%s", "name": "unit%s", "state": "running"}`, "File": `{"key": "f%s", "name": "file%s", "path": "/x"}`,
	} {
		all = append(all, fmt.Sprintf(`INSERT INTO {g}.%[1]q (id, properties) SELECT _graphid({%[1]s}, n), format('%[2]s', n, n)::agtype FROM generate_series(1, 3000) n`, label, properties))
	}
	slices.Sort(all)
	for _, e := range [][3]string{{"HAS_INTERFACE", "Host", "Interface"}, {"HAS_ADDRESS", "Interface", "Address"}, {"HAS_NIC", "Interface", "NIC"},
		{"HAS_CHILD", "Host", "Child"}, {"HAS_UNIT", "Host", "Unit"}, {"RUNS", "Host", "Service"}, {"LISTENS_ON", "Service", "Endpoint"}} {
		all = append(all, fmt.Sprintf(`INSERT INTO {g}.%[1]q (id, start_id, end_id, properties)
			SELECT _graphid({%[1]s}, n), _graphid({%[2]s}, n), _graphid({%[3]s}, n), '{}' FROM generate_series(1, 3000) n`, e[0], e[1], e[2]))
	}
	return all
}

// TestSearchUsesIndexes: what a person types must not read the whole graph.
func TestSearchUsesIndexes(t *testing.T) {
	ctx := t.Context()
	db, url := storetest.OpenURL(t)
	tenant := storetest.Tenant(t, db)
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	g := store.Graph(tenant)
	label := regexp.MustCompile(`\{([A-Za-z_]+)\}`)
	for _, sql := range append(estate(), "ANALYZE") {
		sql = label.ReplaceAllStringFunc(sql, func(p string) string {
			if p == "{g}" {
				return g
			}
			return fmt.Sprintf(`(SELECT l.id FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph WHERE g.name = '%s' AND l.name = '%s')`, g, p[1:len(p)-1])
		})
		if _, err := admin.Exec(ctx, `SET search_path = ag_catalog, pg_catalog`); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	s := &Service{DB: db}
	for text, want := range map[string]Kind{"service12": Program, "package299": Package, "child77": Child, "unit12": Unit, "file29": File, "10.0.29": Address, "02:00:17": MAC, "1234/tcp": Port} {
		found, err := s.Find(ctx, tenant, text)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(found.Items, func(r Result) bool {
			return r.Kind == want && strings.Contains(r.Name, strings.TrimSuffix(text, "/tcp"))
		}) {
			t.Errorf("%q finds %+v, no %s", text, found, want)
		}
		if slices.Contains([]Kind{Program, Package, Child, Unit, File}, want) && !slices.ContainsFunc(found.Items, func(r Result) bool { return r.Name == text }) {
			t.Errorf("%q does not find what is named just so: %+v", text, found)
		}
		for _, q := range questions(text) {
			if q.kind != want {
				continue
			}
			err := db.Read(ctx, tenant, func(tx pgx.Tx) error {
				rows, err := tx.Query(ctx, `EXPLAIN (ANALYZE, COSTS OFF) `+expand(g, q.sql), append(q.values, perKind+1)...)
				if err != nil {
					return err
				}
				plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if joined := strings.Join(plan, "\n"); strings.Contains(joined, "Seq Scan") {
					t.Errorf("%q reads whole tables:\n%s", text, joined)
				}
				t.Log(text, plan[len(plan)-1])
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if found, err := s.Find(ctx, tenant, "package"); err != nil || len(found.Items) != perKind || !slices.Equal(found.More, []Kind{Package}) {
		t.Errorf("many packages: %d items, more of %v, %v", len(found.Items), found.More, err)
	}
}

func TestQuestionsFitTheText(t *testing.T) {
	named := []Kind{Program, Child, Unit, Package, File}
	twice := []Kind{Program, Program, Child, Child, Unit, Unit, Package, Package, File, File} // as it is, and in lower case
	for text, want := range map[string][]Kind{
		"nginx": append([]Kind{Host, Site}, named...), "Nginx": append([]Kind{Host, Site}, twice...), "443": append([]Kind{Host, Site, Address, Port}, named...),
		":443/udp": append([]Kind{Host, Site, Port}, named...), "70000": append([]Kind{Host, Site}, named...), "10.0.": append([]Kind{Host, Site, Address}, named...),
		"fe80::1": append([]Kind{Host, Site, Address}, named...), "02:fc": append([]Kind{Host, Site, Address, MAC}, named...), "02-FC-": append([]Kind{Host, Site, MAC}, twice...),
	} {
		var got []Kind
		for _, q := range questions(text) {
			got = append(got, q.kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q asks for %v, want %v", text, got, want)
		}
	}
}
