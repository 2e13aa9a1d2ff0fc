package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fixture is a tenant's graph with its writer.
type fixture struct {
	db     *store.DB
	tenant tenancy.TenantID
	writer *Writer
	now    time.Time
}

func newFixture(t testing.TB) *fixture {
	db := storetest.Open(t)
	return &fixture{db, storetest.Tenant(t, db), NewWriter(), start}
}

func (f *fixture) apply(deltas ...cmdb.Delta) (stats Stats, err error) {
	f.now = f.now.Add(time.Second)
	err = f.db.In(context.Background(), f.tenant, func(tx pgx.Tx) error {
		stats, err = f.writer.Apply(context.Background(), tx, f.tenant, deltas, f.now)
		return err
	})
	return stats, err
}

func (f *fixture) read(t fatal) cmdb.Elements {
	var all cmdb.Elements
	err := f.db.Read(context.Background(), f.tenant, func(tx pgx.Tx) error {
		return Each(context.Background(), tx, f.tenant, func(v cmdb.Vertex) { all.Vertices = append(all.Vertices, v) },
			func(e cmdb.Edge) { all.Edges = append(all.Edges, e) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type fatal interface{ Fatal(...any) }

// lines is a canonical text of elements, one sorted line each, without doubles.
func lines(sets ...cmdb.Elements) []string {
	seen := map[string]bool{}
	for _, e := range sets {
		for _, v := range e.Vertices {
			seen[vertexLine(v.Ref, v.Props)] = true
		}
		for _, e := range e.Edges {
			seen[edgeLine(e.Ref(), e.Props)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func vertexLine(ref cmdb.Ref, props any) string {
	return fmt.Sprintf("%s %s %s", ref.Label, ref.Key, asJSON(props))
}

func edgeLine(ref cmdb.EdgeRef, props any) string {
	return fmt.Sprintf("%s -[%s %s]-> %s", ref.From, ref.Type, asJSON(props), ref.To)
}

func asJSON(props any) string {
	b, err := json.Marshal(props)
	if err != nil {
		panic(err)
	}
	if string(b) == "null" {
		return "{}"
	}
	return string(b)
}

func compare(t interface{ Fatalf(string, ...any) }, what string, got, want []string) {
	if slices.Equal(got, want) {
		return
	}
	var diff []string
	for _, l := range got {
		if _, ok := slices.BinarySearch(want, l); !ok {
			diff = append(diff, "has    "+l)
		}
	}
	for _, l := range want {
		if _, ok := slices.BinarySearch(got, l); !ok {
			diff = append(diff, "misses "+l)
		}
	}
	t.Fatalf("%s:\n%s", what, strings.Join(diff, "\n"))
}

// drawFact draws what a fact of one host might project to: services with
// listening and connecting edges, or a package set. Shared vertices and what
// they imply depend on their key only.
func drawFact(t *rapid.T, host string, kind int) cmdb.Elements {
	var e cmdb.Elements
	h := cmdb.Ref{Label: cmdb.Host, Key: host}
	if rapid.IntRange(0, 4).Draw(t, "gone") == 0 {
		return e
	}
	if kind == 0 {
		n := rapid.IntRange(0, 7).Draw(t, "set")
		set := e.AddVertex(cmdb.PackageSet, fmt.Sprint("set", n), map[string]any{"count": int64(n)})
		e.AddEdge(cmdb.HasPackages, h, set, map[string]any{"instance": "0"})
		for i := range 3 {
			if n>>i&1 == 1 {
				p := e.AddVertex(cmdb.Package, fmt.Sprint("package", i), map[string]any{"name": "né\"\\\n" + fmt.Sprint(i)})
				e.AddEdge(cmdb.Contains, set, p, nil)
			}
		}
		return e
	}
	for s := range rapid.IntRange(0, 3).Draw(t, "services") {
		service := e.AddVertex(cmdb.Service, fmt.Sprint(host, "/", s), map[string]any{
			"name": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), "argv": []string{"x", "y z"},
			"uid": rapid.SampledFrom([]int64{-1, 0, 1 << 62}).Draw(t, "uid"), "wide": rapid.Bool().Draw(t, "wide"),
		})
		e.AddEdge(cmdb.Runs, h, service, nil)
		for range rapid.IntRange(0, 3).Draw(t, "ends") {
			n := rapid.IntRange(0, 5).Draw(t, "endpoint")
			endpoint := e.AddVertex(cmdb.Endpoint, fmt.Sprint("endpoint", n), map[string]any{"port": int64(n)})
			address := e.AddVertex(cmdb.Address, fmt.Sprint("address", n%3), map[string]any{"ip": fmt.Sprint(n % 3)})
			e.AddEdge(cmdb.At, endpoint, address, nil)
			sort := rapid.SampledFrom([]cmdb.EdgeType{cmdb.ListensOn, cmdb.ConnectsTo}).Draw(t, "sort")
			e.AddEdge(sort, service, endpoint, nil)
		}
	}
	return dedupe(e)
}

// dedupe keeps the first of equal elements, as Diff does.
func dedupe(e cmdb.Elements) cmdb.Elements {
	d := cmdb.Diff(cmdb.Elements{}, e)
	return cmdb.Elements{Vertices: d.PutVertices, Edges: d.PutEdges}
}

// The graph equals the union of all facts after every batch, and undo leads back
// to every state that it ever had.
func TestRandomBatchesAgainstModel(t *testing.T) {
	f := newFixture(t)
	hosts := []string{"h0", "h1", "h2"}
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]cmdb.Elements{}
		var past []cmdb.Delta
		union := func() []string { return lines(slices.Collect(maps.Values(model))...) }
		put := func(name string, now cmdb.Elements) cmdb.Delta {
			d := cmdb.Diff(model[name], now)
			model[name] = now
			return d
		}
		// What an earlier run left.
		var begin []cmdb.Delta
		for _, v := range f.read(t).Vertices {
			begin = append(begin, cmdb.Delta{GoneVertices: []cmdb.Ref{v.Ref}})
		}
		for _, h := range hosts {
			var e cmdb.Elements
			e.AddVertex(cmdb.Host, h, map[string]any{"name": h})
			begin = append(begin, put("host "+h, e))
		}
		if _, err := f.apply(begin...); err != nil {
			t.Fatal(err)
		}
		states := map[time.Time][]string{f.now: union()}
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			var deltas []cmdb.Delta
			for range rapid.IntRange(1, 5).Draw(t, "facts") {
				host, kind := rapid.SampledFrom(hosts).Draw(t, "host"), rapid.IntRange(0, 1).Draw(t, "kind")
				deltas = append(deltas, put(fmt.Sprint(host, kind), drawFact(t, host, kind)))
			}
			if _, err := f.apply(deltas...); err != nil {
				t.Fatal(err)
			}
			past = deltas
			compare(t, "the graph after a batch", lines(f.read(t)), union())
			states[f.now] = union()
		}
		stats, err := f.apply(past...)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Written() != 0 {
			t.Fatalf("the same batch again wrote %+v", stats)
		}
		for at, want := range states {
			compare(t, "as of "+at.Format(time.TimeOnly), f.asOf(t, at), want)
		}
		var end []cmdb.Delta
		for name := range model {
			if !strings.HasPrefix(name, "host") {
				end = append(end, put(name, cmdb.Elements{}))
			}
		}
		for _, h := range hosts {
			end = append(end, put("host "+h, cmdb.Elements{}))
		}
		if _, err := f.apply(end...); err != nil {
			t.Fatal(err)
		}
		compare(t, "the graph without facts", lines(f.read(t)), nil)
	})
}

// asOf is the graph at an earlier time: the first image recorded after it, else
// what stands now.
func (f *fixture) asOf(t fatal, at time.Time) []string {
	state := map[string]string{} // element -> line
	name := func(parts ...string) string { return strings.Join(parts, "|") }
	now := f.read(t)
	for _, v := range now.Vertices {
		state[name(string(v.Label), v.Key, "")] = vertexLine(v.Ref, v.Props)
	}
	for _, e := range now.Edges {
		state[name(string(e.Type), e.From.Key, e.To.Key)] = edgeLine(e.Ref(), e.Props)
	}
	err := f.db.Read(context.Background(), f.tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(context.Background(), `
			SELECT DISTINCT ON (label, key, to_key) label, key, to_key, from_label, to_label, before::text
			FROM assim.undo WHERE at > $1 ORDER BY label, key, to_key, at, step`, at)
		if err != nil {
			return err
		}
		var label, key, toKey, from, to string
		var before *string
		_, err = pgx.ForEachRow(rows, []any{&label, &key, &toKey, &from, &to, &before}, func() error {
			element := name(label, key, toKey)
			if before == nil {
				delete(state, element)
				return nil
			}
			props, err := decodeProperties([]byte(*before))
			if err != nil {
				return err
			}
			if toKey == "" {
				delete(props, "key")
				state[element] = vertexLine(cmdb.Ref{Label: cmdb.Label(label), Key: key}, props)
				return nil
			}
			state[element] = edgeLine(cmdb.EdgeRef{Type: cmdb.EdgeType(label), From: cmdb.Ref{Label: cmdb.Label(from), Key: key},
				To: cmdb.Ref{Label: cmdb.Label(to), Key: toKey}}, props)
			return nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Values(state))
}

func TestCypherSeesWhatWasWritten(t *testing.T) {
	f := newFixture(t)
	var e cmdb.Elements
	host := e.AddVertex(cmdb.Host, "h", map[string]any{"name": "web"})
	service := e.AddVertex(cmdb.Service, "h/1", map[string]any{"name": "nginx", "uid": int64(33), "argv": []string{"a", "\"b\\"}})
	endpoint := e.AddVertex(cmdb.Endpoint, "public|192.0.2.1|tcp|80", map[string]any{"port": int64(80)})
	address := e.AddVertex(cmdb.Address, "public|192.0.2.1", map[string]any{"ip": "192.0.2.1"})
	e.AddEdge(cmdb.Runs, host, service, nil)
	e.AddEdge(cmdb.ListensOn, service, endpoint, map[string]any{"wildcard": "0.0.0.0"})
	e.AddEdge(cmdb.At, endpoint, address, nil)
	if _, err := f.apply(cmdb.Diff(cmdb.Elements{}, e)); err != nil {
		t.Fatal(err)
	}
	got := f.cypher(t, `MATCH (h:Host {key: 'h'})-[:RUNS]->(s:Service)-[l:LISTENS_ON]->(e:Endpoint)-[:AT]->(a:Address)
		WHERE s.uid = 33 AND e.port = 80 RETURN h.name + ' ' + s.argv[1] + ' ' + l.wildcard + ' ' + a.ip`)
	if want := []string{`"web \"b\\ 0.0.0.0 192.0.2.1"`}; !slices.Equal(got, want) {
		t.Errorf("Cypher sees %q, want %q", got, want)
	}
	if _, err := f.apply(cmdb.Diff(e, cmdb.Elements{Vertices: e.Vertices[:1]})); err != nil {
		t.Fatal(err)
	}
	if got := f.cypher(t, `MATCH (n) RETURN label(n)`); !slices.Equal(got, []string{`"Host"`}) {
		t.Errorf("Cypher still sees %q", got)
	}
}

func (f *fixture) cypher(t testing.TB, text string) (out []string) {
	t.Helper()
	err := f.db.Read(t.Context(), f.tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), fmt.Sprintf(`SELECT agtype_out(r)::text FROM cypher('%s', $q$ %s $q$) AS (r agtype)`, store.Graph(f.tenant), text))
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRefused(t *testing.T) {
	f := newFixture(t)
	host := cmdb.Ref{Label: cmdb.Host, Key: "h"}
	vertex := func(key string, props map[string]any) cmdb.Delta {
		return cmdb.Delta{PutVertices: []cmdb.Vertex{{Ref: cmdb.Ref{Label: cmdb.Host, Key: key}, Props: props}}}
	}
	edge := func(t cmdb.EdgeType, from, to cmdb.Ref) cmdb.Delta {
		return cmdb.Delta{PutEdges: []cmdb.Edge{{Type: t, From: from, To: to}}}
	}
	for name, c := range map[string]struct {
		delta cmdb.Delta
		want  string
	}{
		"missing start":    {edge(cmdb.Runs, host, cmdb.Ref{Label: cmdb.Service, Key: "s"}), `edge RUNS: no Host with key "h"`},
		"wrong end":        {edge(cmdb.Runs, host, host), "leads from Host to Host"},
		"empty key":        {vertex("", nil), "key of 0 bytes"},
		"long key":         {vertex(strings.Repeat("x", cmdb.MaxKey+1), nil), "key of 1025 bytes"},
		"NUL in key":       {vertex("a\x00", nil), "holds a NUL"},
		"bad UTF-8":        {vertex("a", map[string]any{"x": "\xff"}), "not valid UTF-8"},
		"not a property":   {vertex("a", map[string]any{"x": 1.5}), "float64 is no property"},
		"writer's own":     {vertex("a", map[string]any{"key": "x"}), `property "key"`},
		"NUL in a list":    {vertex("a", map[string]any{"x": []string{"\x00"}}), "holds a NUL"},
		"key of gone edge": {cmdb.Delta{GoneEdges: []cmdb.EdgeRef{{Type: cmdb.Runs, From: host, To: cmdb.Ref{Label: cmdb.Service}}}}, "key of 0 bytes"},
	} {
		if _, err := f.apply(c.delta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	_, err := f.apply(vertex("h", nil), edge(cmdb.Runs, host, cmdb.Ref{Label: cmdb.Service, Key: "s"}))
	if missing := (*MissingEnd)(nil); !errors.As(err, &missing) || missing.End != (cmdb.Ref{Label: cmdb.Service, Key: "s"}) {
		t.Errorf("missing end: %v", err)
	}
	if got := lines(f.read(t)); len(got) != 0 {
		t.Errorf("refused deltas left %q", got)
	}
}

// Whatever text a host can send comes back the same.
func FuzzProperties(f *testing.F) {
	f.Add("key", "value")
	f.Add("a\"b\\", "\x01\x1f\x7f\u2028é😀")
	f.Fuzz(func(t *testing.T, key, value string) {
		text, err := properties(key, map[string]any{"v": value, "l": []string{value, key}, "n": int64(-5), "b": true})
		if err != nil {
			return
		}
		props, err := decodeProperties([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if key != "" && props["key"] != key || props["v"] != value || props["n"] != int64(-5) || !slices.Equal(props["l"].([]string), []string{value, key}) {
			t.Errorf("%q %q came back as %v", key, value, props)
		}
	})
}
