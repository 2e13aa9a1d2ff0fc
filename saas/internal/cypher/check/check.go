package check

import (
	"maps"
	"slices"
	"strings"

	"assimilation/saas/internal/cypher/syntax"
)

// Check finds the meaning of a question that is asked with these parameters:
// null, bool, int64, float64, string, []any and map[string]any. Its error is a
// *syntax.Problem.
func Check(q *syntax.Query, parameters map[string]any) (info *Info, err error) {
	c := &checker{source: q.Source, scope: map[string]*Symbol{}, used: map[string]Type{}, info: &Info{
		Query: q, Types: map[syntax.Expr]Type{}, Variables: map[*syntax.Variable]*Symbol{}, Nodes: map[*syntax.Node]*Symbol{}, New: map[*syntax.Node]bool{},
		Rels: map[*syntax.Rel]*Symbol{}, Paths: map[*syntax.Path]*Symbol{}, Branches: map[*syntax.Rel][]Branch{}, Unwound: map[*syntax.Unwind]*Symbol{},
		Items: map[*syntax.Comprehension]*Symbol{}, Calls: map[*syntax.Call]*Function{}, Projections: map[*syntax.Projection]*Columns{},
		Parameters: parameters, Ends: ends{},
	}}
	defer func() {
		if r := recover(); r != nil {
			problem, ok := r.(*syntax.Problem)
			if !ok {
				panic(r)
			}
			info, err = nil, problem
		}
	}()
	for _, clause := range q.Clauses {
		switch clause := clause.(type) {
		case *syntax.Match:
			c.match(clause)
		case *syntax.Unwind:
			c.unwind(clause)
		case *syntax.Projection:
			c.projection(clause)
		}
	}
	for path, s := range c.info.Paths {
		if !s.Whole {
			continue
		}
		for _, n := range path.Nodes {
			c.info.Nodes[n].need()
		}
		for _, r := range path.Rels {
			c.info.Rels[r].need()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if _, used := c.used[name]; !used {
			c.info.Hints = append(c.info.Hints, "the parameter "+name+" is not used")
		}
	}
	return c.info, nil
}

// checker walks the tree. Its methods panic with a *syntax.Problem, which Check
// recovers.
type checker struct {
	source string
	scope  map[string]*Symbol
	used   map[string]Type // parameters
	info   *Info

	aggregates bool // may be called here
	within     bool // the arguments of an aggregate
}

func (c *checker) fail(pos syntax.Pos, format string, args ...any) {
	panic(syntax.At(c.source, pos, format, args...))
}

func (c *checker) hint(text string) {
	if !slices.Contains(c.info.Hints, text) {
		c.info.Hints = append(c.info.Hints, text)
	}
}

func joined(names []string) string { return strings.Join(names, ", ") }

// bind gives a new name its meaning.
func (c *checker) bind(n syntax.Name, t Type) *Symbol {
	if n.Text != "" && c.scope[n.Text] != nil {
		c.fail(n.Pos, "%.60s is bound already; choose another name", n.Text)
	}
	s := &Symbol{Name: n.Text, Type: t}
	if n.Text != "" {
		c.scope[n.Text] = s
	}
	return s
}

// lookup finds what a variable stands for.
func (c *checker) lookup(v *syntax.Variable) *Symbol {
	s := c.scope[v.Name]
	if s == nil {
		names := slices.Sorted(maps.Keys(c.scope))
		if near := syntax.Nearest(v.Name, names); near != "" {
			c.fail(v.Pos, "the name %.60s is not bound here; is %s meant?", v.Name, near)
		}
		if len(names) == 0 {
			c.fail(v.Pos, "the name %.60s is not bound: no MATCH or UNWIND binds it", v.Name)
		}
		c.fail(v.Pos, "the name %.60s is not bound here; bound are %.300s", v.Name, joined(names))
	}
	c.info.Variables[v] = s
	return s
}

func (c *checker) unwind(u *syntax.Unwind) {
	t := c.expr(u.List)
	elem := of(Any)
	switch t.Kind {
	case List:
		elem = *t.Elem
	case Any, Null:
	default:
		c.fail(u.List.At(), "UNWIND needs a list; this is %s", t)
	}
	if elem.Kind == Null {
		elem = of(Any)
	}
	c.info.Unwound[u] = c.bind(u.As, elem)
}

// condition checks what must be true, false or null.
func (c *checker) condition(x syntax.Expr, what string) {
	if t := c.expr(x); t.Kind != Bool && t.Kind != Any && t.Kind != Null {
		c.fail(x.At(), "%s needs a condition; this is %s", what, t)
	}
}
