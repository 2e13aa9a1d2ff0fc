package cmdb_test

import (
	"strings"
	"testing"

	"assimilation/cmdb"
)

func TestElementsCheck(t *testing.T) {
	host := cmdb.Ref{Label: cmdb.Host, Key: "h"}
	service := func(key, name string) cmdb.Elements {
		var e cmdb.Elements
		e.AddEdge(cmdb.Runs, host, e.AddVertex(cmdb.Service, key, map[string]any{"name": name}), nil)
		return e
	}
	edge := func(t cmdb.EdgeType, from, to cmdb.Ref) cmdb.Elements {
		return cmdb.Elements{Edges: []cmdb.Edge{{Type: t, From: from, To: to}}}
	}
	for name, test := range map[string]struct {
		elements cmdb.Elements
		want     string // "" accepted
	}{
		"nothing":        {cmdb.Elements{}, ""},
		"longest key":    {service(strings.Repeat("k", cmdb.MaxKey), strings.Repeat("n", cmdb.MaxKey)), ""},
		"no key":         {service("", "n"), "key of a Service has 0 bytes"},
		"long key":       {service(strings.Repeat("k", cmdb.MaxKey+1), "n"), "key of a Service has 1025 bytes"},
		"long name":      {service("k", strings.Repeat("n", cmdb.MaxKey+1)), "name of a Service has 1025 bytes"},
		"unknown label":  {cmdb.Elements{Vertices: []cmdb.Vertex{{Ref: cmdb.Ref{Label: "X", Key: "k"}}}}, "unknown label X"},
		"unknown edge":   {edge("X", host, host), "no edge type X"},
		"wrong labels":   {edge(cmdb.Runs, host, host), "no edge type RUNS leads from Host to Host"},
		"end has no key": {edge(cmdb.Runs, host, cmdb.Ref{Label: cmdb.Service}), "key of a Service has 0 bytes"},
		"too many":       {cmdb.Elements{Edges: make([]cmdb.Edge, cmdb.MaxElements+1)}, "100001 graph elements"},
	} {
		err := test.elements.Check()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestLongKeysBecomeHashes(t *testing.T) {
	long := strings.Repeat("x", cmdb.MaxKey)
	a, b := cmdb.JoinKey(long, "a"), cmdb.JoinKey(long, "b")
	if len(a) > cmdb.MaxKey || a == b || cmdb.JoinKey(long) != long {
		t.Errorf("keys of long parts: %.80q, %.80q", a, b)
	}
}
