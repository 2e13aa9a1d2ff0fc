package check

import (
	"maps"
	"slices"
)

// Function is one that a question may call.
type Function struct {
	Name      string
	Aggregate bool
	Takes     [][]Kind // for each argument the kinds it may be of; nil: any
	Optional  int      // how many of the last arguments may be left out
	Rest      bool     // the last argument may be repeated
	// Light says that of elements only their identity, label or type is looked at.
	Light  bool
	result func(args []Type) (Type, error)
	Usage  string
}

func gives(k Kind) func([]Type) (Type, error) {
	return func([]Type) (Type, error) { return of(k), nil }
}

func givesList(k Kind) func([]Type) (Type, error) {
	return func([]Type) (Type, error) { return listOf(of(k)), nil }
}

func same(args []Type) (Type, error) { return args[0], nil }

func item(args []Type) (Type, error) {
	if args[0].Kind == List {
		return *args[0].Elem, nil
	}
	return of(args[0].Kind), nil // Any or Null
}

func either(args []Type) (t Type, err error) {
	t = of(Null)
	for _, a := range args {
		if t, err = merge(t, a); err != nil {
			return t, err
		}
	}
	return t, nil
}

// scalarResult is for what keeps whole numbers whole.
func scalarResult(args []Type) (Type, error) {
	if args[0].Kind == Null {
		return of(Any), nil
	}
	return args[0], nil
}

var (
	str     = []Kind{String}
	num     = []Kind{Int, Float}
	whole   = []Kind{Int}
	list    = []Kind{List}
	element = []Kind{Node, Rel}
)

// functions is the list of all there are; package compile knows how each is
// written in SQL.
var functions = []*Function{
	{Name: "id", Takes: [][]Kind{element}, Light: true, result: gives(Int), Usage: "id(n)"},
	{Name: "labels", Takes: [][]Kind{{Node}}, Light: true, result: givesList(String), Usage: "labels(n)"},
	{Name: "type", Takes: [][]Kind{{Rel}}, Light: true, result: gives(String), Usage: "type(r)"},
	{Name: "startNode", Takes: [][]Kind{{Rel}}, Light: true, result: endResult(true), Usage: "startNode(r)"},
	{Name: "endNode", Takes: [][]Kind{{Rel}}, Light: true, result: endResult(false), Usage: "endNode(r)"},
	{Name: "keys", Takes: [][]Kind{{Node, Rel, Map}}, result: givesList(String), Usage: "keys(n)"},
	{Name: "properties", Takes: [][]Kind{{Node, Rel, Map}}, result: propertiesResult, Usage: "properties(n)"},
	{Name: "nodes", Takes: [][]Kind{{Path}}, result: func([]Type) (Type, error) { return listOf(Type{Kind: Node, Labels: allLabels()}), nil }, Usage: "nodes(p)"},
	{Name: "relationships", Takes: [][]Kind{{Path}}, result: func([]Type) (Type, error) { return listOf(Type{Kind: Rel, Edges: allEdges()}), nil }, Usage: "relationships(p)"},
	{Name: "length", Takes: [][]Kind{{Path}}, Light: true, result: gives(Int), Usage: "length(p)"},
	{Name: "size", Takes: [][]Kind{{String, List}}, result: gives(Int), Usage: "size(list)"},
	{Name: "isEmpty", Takes: [][]Kind{{String, List, Map}}, result: gives(Bool), Usage: "isEmpty(list)"},
	{Name: "head", Takes: [][]Kind{list}, result: item, Usage: "head(list)"},
	{Name: "last", Takes: [][]Kind{list}, result: item, Usage: "last(list)"},
	{Name: "tail", Takes: [][]Kind{list}, result: same, Usage: "tail(list)"},
	{Name: "range", Takes: [][]Kind{whole, whole, whole}, Optional: 1, result: givesList(Int), Usage: "range(first, last, step)"},
	{Name: "reverse", Takes: [][]Kind{{String, List}}, result: same, Usage: "reverse(list)"},
	{Name: "coalesce", Takes: [][]Kind{nil}, Rest: true, result: either, Usage: "coalesce(a, b)"},
	{Name: "toLower", Takes: [][]Kind{str}, result: gives(String), Usage: "toLower(text)"},
	{Name: "toUpper", Takes: [][]Kind{str}, result: gives(String), Usage: "toUpper(text)"},
	{Name: "trim", Takes: [][]Kind{str}, result: gives(String), Usage: "trim(text)"},
	{Name: "lTrim", Takes: [][]Kind{str}, result: gives(String), Usage: "lTrim(text)"},
	{Name: "rTrim", Takes: [][]Kind{str}, result: gives(String), Usage: "rTrim(text)"},
	{Name: "split", Takes: [][]Kind{str, str}, result: givesList(String), Usage: "split(text, separator)"},
	{Name: "replace", Takes: [][]Kind{str, str, str}, result: gives(String), Usage: "replace(text, old, new)"},
	{Name: "substring", Takes: [][]Kind{str, whole, whole}, Optional: 1, result: gives(String), Usage: "substring(text, start, length)"},
	{Name: "left", Takes: [][]Kind{str, whole}, result: gives(String), Usage: "left(text, length)"},
	{Name: "right", Takes: [][]Kind{str, whole}, result: gives(String), Usage: "right(text, length)"},
	{Name: "toString", Takes: [][]Kind{{String, Int, Float, Bool}}, result: gives(String), Usage: "toString(x)"},
	{Name: "toInteger", Takes: [][]Kind{{String, Int, Float, Bool}}, result: gives(Int), Usage: "toInteger(x)"},
	{Name: "toFloat", Takes: [][]Kind{{String, Int, Float}}, result: gives(Float), Usage: "toFloat(x)"},
	{Name: "toBoolean", Takes: [][]Kind{{String, Bool}}, result: gives(Bool), Usage: "toBoolean(x)"},
	{Name: "abs", Takes: [][]Kind{num}, result: scalarResult, Usage: "abs(x)"},
	{Name: "ceil", Takes: [][]Kind{num}, result: gives(Float), Usage: "ceil(x)"},
	{Name: "floor", Takes: [][]Kind{num}, result: gives(Float), Usage: "floor(x)"},
	{Name: "round", Takes: [][]Kind{num}, result: gives(Float), Usage: "round(x)"},
	{Name: "sign", Takes: [][]Kind{num}, result: gives(Int), Usage: "sign(x)"},
	{Name: "sqrt", Takes: [][]Kind{num}, result: gives(Float), Usage: "sqrt(x)"},
	{Name: "exp", Takes: [][]Kind{num}, result: gives(Float), Usage: "exp(x)"},
	{Name: "log", Takes: [][]Kind{num}, result: gives(Float), Usage: "log(x)"},
	{Name: "log10", Takes: [][]Kind{num}, result: gives(Float), Usage: "log10(x)"},
	{Name: "pi", result: gives(Float), Usage: "pi()"},
	{Name: "e", result: gives(Float), Usage: "e()"},

	{Name: "count", Aggregate: true, Takes: [][]Kind{nil}, Light: true, result: gives(Int), Usage: "count(x)"},
	{Name: "sum", Aggregate: true, Takes: [][]Kind{num}, result: scalarResult, Usage: "sum(x)"},
	{Name: "avg", Aggregate: true, Takes: [][]Kind{num}, result: gives(Float), Usage: "avg(x)"},
	{Name: "min", Aggregate: true, Takes: [][]Kind{{Bool, Int, Float, String, List}}, result: scalarResult, Usage: "min(x)"},
	{Name: "max", Aggregate: true, Takes: [][]Kind{{Bool, Int, Float, String, List}}, result: scalarResult, Usage: "max(x)"},
	{Name: "collect", Aggregate: true, Takes: [][]Kind{nil}, result: func(args []Type) (Type, error) { return listOf(args[0]), nil }, Usage: "collect(x)"},
}

func propertiesResult(args []Type) (Type, error) {
	if args[0].Kind == Map {
		return args[0], nil
	}
	return of(Map), nil
}

func endResult(start bool) func([]Type) (Type, error) {
	return func(args []Type) (Type, error) {
		t := of(Node)
		for _, e := range edgesNamed(args[0].Edges) {
			if start {
				t.Labels = union(t.Labels, labels(e.From))
			} else {
				t.Labels = union(t.Labels, labels(e.To))
			}
		}
		return t, nil
	}
}

// Functions lists them all, by name.
func Functions() []*Function {
	return slices.SortedFunc(slices.Values(functions), func(a, b *Function) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

// unwanted are functions that other products have, and why they are not here.
var unwanted = map[string]string{
	"rand": "an answer must be the same when it is asked again", "randomuuid": "an answer must be the same when it is asked again",
	"timestamp": "pass the time as a parameter", "datetime": "pass the time as a parameter", "date": "pass the time as a parameter",
	"set_config": "functions of Postgres are out of reach", "pg_sleep": "functions of Postgres are out of reach",
	"query_to_xml": "functions of Postgres are out of reach", "current_setting": "functions of Postgres are out of reach",
	"pg_read_file": "functions of Postgres are out of reach", "lo_import": "functions of Postgres are out of reach",
	"load_labels_from_file": "files are not read", "load_edges_from_file": "files are not read",
	"vle": "write a pattern of variable length: -[:TYPE*1..4]->",
}

func functionNames() []string {
	byName := map[string]bool{}
	for _, f := range functions {
		byName[f.Name] = true
	}
	return slices.Sorted(maps.Keys(byName))
}
