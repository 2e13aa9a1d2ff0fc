package cypher

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// world is a tenant with a generated estate, and another whose every element
// says canary.
type world struct {
	*Service
	own, other tenancy.TenantID
	admin      *pgx.Conn
}

// What the values of the other tenant hold, whatever their type.
const (
	canary       = "canary#"
	canaryNumber = 4242424242
)

func newWorld(t testing.TB, hosts int) world {
	return makeWorld(t, hosts, false)
}

// makeWorld makes a world; with full its estate has elements of every label and
// type of cmdb.
func makeWorld(t testing.TB, hosts int, full bool) world {
	t.Helper()
	db, url := storetest.OpenURL(t)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close(context.Background()) })
	w := world{New(db), storetest.Tenant(t, db), storetest.Tenant(t, db), admin}
	own, other := estate(hosts, false), estate(20, true)
	if full {
		own.complete()
		other.complete()
	}
	own.write(t, admin, store.Graph(w.own))
	other.write(t, admin, store.Graph(w.other))
	if _, err := admin.Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return w
}

// elements are rows of the label tables, by label; an edge has ends. Those of
// the other tenant are poisoned: each value says whose it is.
type elements struct {
	poisoned bool
	props    map[string][]string
	start    map[string][]string
	end      map[string][]string
}

func (e *elements) vertex(label string, props map[string]any) string {
	if e.poisoned {
		for name, value := range props {
			props[name] = poison(value)
		}
	}
	text, err := json.Marshal(props)
	if err != nil {
		panic(err)
	}
	e.props[label] = append(e.props[label], string(text))
	return fmt.Sprintf("%s %d", label, len(e.props[label]))
}

func poison(value any) any {
	switch value := value.(type) {
	case string:
		return canary + value // keys stay apart
	case []string:
		return []string{canary}
	}
	return canaryNumber
}

func (e *elements) edge(kind, from, to string, props map[string]any) {
	e.vertex(kind, props)
	e.start[kind] = append(e.start[kind], from)
	e.end[kind] = append(e.end[kind], to)
}

// estate is hosts with services that listen and connect, addresses,
// packages and mounts. Some properties are missing and some are of another type.
func estate(hosts int, poisoned bool) *elements {
	r := rand.New(rand.NewPCG(1, 2))
	e := &elements{poisoned, map[string][]string{}, map[string][]string{}, map[string][]string{}}
	none := map[string]any{}
	var endpoints, systems, packages []string
	for i := range 3 {
		systems = append(systems, e.vertex("OS", map[string]any{"key": fmt.Sprintf("os%d", i) + fmt.Sprint(i), "name": fmt.Sprintf("os%d", i), "version": fmt.Sprint(10 + i)}))
	}
	set := e.vertex("PackageSet", map[string]any{"key": "set"})
	for i := range 12 {
		packages = append(packages, e.vertex("Package", map[string]any{"key": fmt.Sprintf("p%d", i) + fmt.Sprint(i), "name": fmt.Sprintf("lib%d", i%9), "version": fmt.Sprintf("1.%d", i), "size": 100 * i}))
		e.edge("CONTAINS", set, packages[i], none)
	}
	for h := range hosts {
		props := map[string]any{"key": fmt.Sprintf("h%d", h) + fmt.Sprint(h), "name": fmt.Sprintf("host%d", h), "cores": 1 << (h % 5), "state": []string{"up", "down", "silent"}[h%3], "load": float64(h%7) / 4}
		if h%4 == 0 {
			props["tags"] = []string{"db", "eu"}[:1+h%8/4]
		}
		if h%5 == 0 {
			props["virtual"] = h%2 == 0
		}
		host := e.vertex("Host", props)
		e.edge("RUNS_OS", host, systems[h%3], map[string]any{"since": h})
		if h%2 == 0 {
			e.edge("HAS_PACKAGES", host, set, none)
		}
		link := e.vertex("Interface", map[string]any{"key": fmt.Sprintf("i%d", h) + fmt.Sprint(h), "name": fmt.Sprintf("eth%d", h%2), "mtu": 1500})
		e.edge("HAS_INTERFACE", host, link, none)
		address := e.vertex("Address", map[string]any{"key": fmt.Sprintf("a%d", h) + fmt.Sprint(h), "ip": fmt.Sprintf("10.0.%d.%d", h/250, h%250)})
		e.edge("HAS_ADDRESS", link, address, map[string]any{"prefix": 24})
		for s := range 1 + h%3 {
			service := e.vertex("Service", map[string]any{"key": fmt.Sprintf("s%d", h) + fmt.Sprintf("%d/%d", h, s), "name": []string{"nginx", "postgres", "sshd", "redis"}[(h+s)%4], "uid": s - 1})
			e.edge("RUNS", host, service, map[string]any{"pid": 100*h + s})
			endpoint := e.vertex("Endpoint", map[string]any{"key": fmt.Sprintf("e%d", h) + fmt.Sprintf("%d/%d", h, s), "ip": fmt.Sprintf("10.0.%d.%d", h/250, h%250), "port": []int{80, 5432, 22, 6379}[(h+s)%4], "protocol": "tcp"})
			e.edge("AT", endpoint, address, none)
			e.edge("LISTENS_ON", service, endpoint, none)
			endpoints = append(endpoints, endpoint)
			seen := map[int]bool{}
			for range r.IntN(3) {
				if to := r.IntN(len(endpoints)); !seen[to] {
					seen[to] = true
					e.edge("CONNECTS_TO", service, endpoints[to], map[string]any{"count": r.IntN(5)})
				}
			}
		}
	}
	return e
}

// complete adds elements of the labels and types that are missing.
func (e *elements) complete() {
	for _, v := range cmdb.Vertices {
		for i := len(e.props[string(v.Label)]); i < 3; i++ {
			props := map[string]any{store.KeyProperty: fmt.Sprintf("%s%d", v.Label, i), "name": fmt.Sprintf("%s%d", v.Label, i), "version": i, "state": "up"}
			for _, name := range v.Index {
				props[name] = fmt.Sprintf("%s%d", name, i)
			}
			e.vertex(string(v.Label), props)
		}
	}
	for _, edge := range cmdb.Edges {
		if e.props[string(edge.Type)] != nil {
			continue
		}
		for i := range 3 {
			e.edge(string(edge.Type), fmt.Sprintf("%s %d", edge.From, i+1), fmt.Sprintf("%s %d", edge.To, 1+(i+1)%3), map[string]any{"since": i, "name": "edge"})
		}
	}
}

// remember gives both tenants a past of a day, in which half of all elements were
// what they are: they changed just now, into the same.
func (w world) remember(t testing.TB) {
	t.Helper()
	for _, tenant := range []tenancy.TenantID{w.own, w.other} {
		insert := func(label, ends string) {
			sql := fmt.Sprintf(`INSERT INTO assim.undo (tenant, at, step, label, key, to_key, before, id, start_id, end_id)
				SELECT $1, now(), 1, $2, coalesce(properties ->> 'key'::text, id::text), '', (ag_catalog.agtype_out(properties)::text)::jsonb, id, %s
				FROM %s.%q WHERE (id::text)::bigint %% 2 = 0`, ends, store.Graph(tenant), label)
			if _, err := w.admin.Exec(t.Context(), sql, tenant, label); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.admin.Exec(t.Context(), `SET search_path = pg_catalog, ag_catalog`); err != nil {
			t.Fatal(err)
		}
		for _, v := range cmdb.Vertices {
			insert(string(v.Label), "NULL, NULL")
		}
		for _, e := range cmdb.Edges {
			insert(string(e.Type), "start_id, end_id")
		}
		if _, err := w.admin.Exec(t.Context(), `UPDATE assim.history SET graph_from = now() - interval '1 day' WHERE tenant = $1`, tenant); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.admin.Exec(t.Context(), "ANALYZE assim.undo"); err != nil {
		t.Fatal(err)
	}
}

func (e *elements) write(t testing.TB, admin *pgx.Conn, graph string) {
	t.Helper()
	ids := map[string]int64{}
	rows, err := admin.Query(t.Context(), `SELECT l.name::text, l.id FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph WHERE g.name = $1`, graph)
	if err != nil {
		t.Fatal(err)
	}
	var label string
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&label, &id}, func() error { ids[label] = id; return nil }); err != nil {
		t.Fatal(err)
	}
	graphid := func(ref string) int64 {
		label, n, _ := strings.Cut(ref, " ")
		var entry int64
		fmt.Sscan(n, &entry)
		return ids[label]<<48 | entry
	}
	for label, props := range e.props {
		var own, from, to []int64
		for i := range props {
			own = append(own, ids[label]<<48|int64(i+1))
			if e.start[label] != nil {
				from, to = append(from, graphid(e.start[label][i])), append(to, graphid(e.end[label][i]))
			}
		}
		sql := fmt.Sprintf(`INSERT INTO %s.%q (id, properties) SELECT i::text::ag_catalog.graphid, p::ag_catalog.agtype FROM unnest($1::bigint[], $2::text[]) AS u (i, p)`, graph, label)
		args := []any{own, props}
		if from != nil {
			sql = fmt.Sprintf(`INSERT INTO %s.%q (id, properties, start_id, end_id) SELECT i::text::ag_catalog.graphid, p::ag_catalog.agtype, a::text::ag_catalog.graphid, z::text::ag_catalog.graphid
				FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS u (i, p, a, z)`, graph, label)
			args = append(args, from, to)
		}
		if _, err := admin.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", label, err)
		}
	}
}

// ask answers a question and returns each row as a JSON list.
func (w world) ask(t testing.TB, text string, parameters map[string]any) ([]string, error) {
	t.Helper()
	answer, err := w.Ask(t.Context(), w.own, Question{Text: text, Parameters: parameters, Limit: maxRows})
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, item := range answer.Items {
		var cells []string
		for _, c := range answer.Columns {
			cells = append(cells, string(item[c]))
		}
		rows = append(rows, "["+strings.Join(cells, ", ")+"]")
	}
	return rows, nil
}
