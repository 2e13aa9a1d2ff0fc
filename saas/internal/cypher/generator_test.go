package cypher

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/check"
)

// generator makes up questions. Most follow the schema of cmdb, so that they find
// something; some do not, some ask for the other tenant, and some are spoilt.
type generator struct {
	*rand.Rand
	scope []bound
	count int
	rels  int // relationships that may still be written: planning joins of many takes long
}

// bound is a name that a clause before has bound.
type bound struct {
	name  string
	kind  check.Kind
	label cmdb.Label // of a node, as the schema has it
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 7))}
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// one reports true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) bind(k check.Kind, label cmdb.Label) string {
	g.count++
	name := fmt.Sprintf("%c%d", "abnx"[g.IntN(4)], g.count)
	g.scope = append(g.scope, bound{name, k, label})
	return name
}

// known is a name of the kind; ok says that there is one.
func (g *generator) known(k check.Kind) (b bound, ok bool) {
	seen := 0
	for _, candidate := range g.scope {
		if candidate.kind == k {
			if seen++; g.one(seen) {
				b = candidate
			}
		}
	}
	return b, seen > 0
}

func (g *generator) question() string {
	var b strings.Builder
	g.rels = pick(g, 1, 2, 2, 3, 3, 4)
	if g.one(100) {
		g.rels = 12
	}
	for range 1 + g.IntN(3)*g.IntN(2) {
		switch n := g.IntN(12); {
		case n == 0:
			b.WriteString("UNWIND " + g.expr(check.List, 1) + " AS ")
			b.WriteString(g.bind(check.Any, "") + " ")
		case n == 1:
			b.WriteString("OPTIONAL " + g.match())
		case n < 4 && len(g.scope) > 0:
			b.WriteString(g.with())
		default:
			b.WriteString(g.match())
		}
	}
	b.WriteString("RETURN " + pick(g, "", "", "", "DISTINCT "))
	b.WriteString(g.columns())
	if g.one(10) {
		return g.spoil(b.String())
	}
	return b.String()
}

// columns are those of RETURN and how rows are ordered. What is grouped is
// ordered by a column only.
func (g *generator) columns() string {
	var parts, names []string
	for i := range 1 + g.IntN(3) {
		text := g.expr(g.kind(), g.depth())
		switch {
		case g.one(5):
			text = g.aggregate()
		case g.one(12):
			text = "count(*)"
		}
		if name := fmt.Sprintf("c%d", i); !g.one(3) {
			text += " AS " + name
			names = append(names, name)
		}
		parts = append(parts, text)
	}
	key := ""
	switch {
	case len(names) > 0 && !g.one(8):
		key = pick(g, names...)
	case g.one(4):
		key = g.expr(g.kind(), 1)
	}
	return strings.Join(parts, ", ") + g.tail(key)
}

func (g *generator) aggregate() string {
	distinct := pick(g, "", "", "DISTINCT ")
	switch name := pick(g, "count", "count", "collect", "min", "max", "sum", "avg"); name {
	case "sum", "avg":
		return name + "(" + distinct + g.expr(pick(g, check.Int, check.Float), g.depth()) + ")"
	case "min", "max":
		return name + "(" + g.expr(g.scalar(), g.depth()) + ")"
	default:
		return name + "(" + distinct + g.expr(g.kind(), g.depth()) + ")"
	}
}

func (g *generator) tail(key string) string {
	text := ""
	if key != "" && g.one(3) {
		text += " ORDER BY " + key + pick(g, "", " DESC")
	}
	if g.one(8) {
		text += fmt.Sprintf(" SKIP %d", g.IntN(3))
	}
	if g.one(4) {
		text += fmt.Sprintf(" LIMIT %d", g.IntN(20))
	}
	return text
}

func (g *generator) with() string {
	if node, ok := g.known(check.Node); ok && g.one(2) {
		text := "WITH " + node.name + ", " + g.expr(g.kind(), 1) + " AS v" + pick(g, "", "", ", count(*) AS w")
		g.scope = []bound{node, {"v", check.Any, ""}}
		return text + g.tail(node.name) + " "
	}
	text := "WITH *, " + g.expr(check.Int, 1) + " AS "
	text += g.bind(check.Int, "")
	if g.one(2) {
		text += " WHERE " + g.expr(check.Bool, g.depth())
	}
	return text + " "
}

func (g *generator) match() string {
	var b strings.Builder
	b.WriteString("MATCH ")
	if g.one(8) {
		b.WriteString(g.bind(check.Path, "") + " = ")
	}
	g.path(&b, pick(g, 0, 0, 1, 1, 1, 1, 2, 2, 3))
	if g.one(8) {
		b.WriteString(", ")
		g.path(&b, pick(g, 0, 1))
	}
	if g.one(2) {
		b.WriteString(" WHERE " + g.expr(check.Bool, g.depth()))
	}
	return b.String() + " "
}

// path writes a pattern of so many relationships.
func (g *generator) path(b *strings.Builder, rels int) {
	at := g.start(b)
	rels = min(rels, g.rels)
	g.rels -= rels
	for range rels {
		edge, forward := g.step(at)
		at = edge.To
		if !forward {
			at = edge.From
		}
		left, right := "-[", "]->"
		if !forward {
			left, right = "<-[", "]-"
		}
		switch g.IntN(12) {
		case 0:
			left, right = "-[", "]-"
		case 1:
			left, right = "<-[", "]->"
		}
		b.WriteString(left)
		if g.one(3) {
			b.WriteString(g.bind(check.Rel, ""))
		}
		if !g.one(10) {
			b.WriteString(":" + string(edge.Type))
			if g.one(6) {
				b.WriteString("|" + string(pick(g, cmdb.Edges...).Type))
			}
		}
		if g.one(12) {
			fmt.Fprintf(b, "*%d..%d", g.IntN(2), 1+g.IntN(3))
		}
		b.WriteString(right)
		g.node(b, at, g.one(2))
	}
}

// start writes the first node of a path: one that is known, or one of any label.
func (g *generator) start(b *strings.Builder) cmdb.Label {
	if node, ok := g.known(check.Node); ok && !g.one(3) {
		b.WriteString("(" + node.name + ")")
		return node.label
	}
	label := pick(g, cmdb.Vertices...).Label
	if g.one(2) {
		label = pick(g, cmdb.Host, cmdb.Service, cmdb.Endpoint)
	}
	g.node(b, label, !g.one(12))
	return label
}

// step is an edge that leads on from a label; sometimes any.
func (g *generator) step(at cmdb.Label) (edge cmdb.EdgeSpec, forward bool) {
	var all []cmdb.EdgeSpec
	for _, e := range cmdb.Edges {
		if e.From == at || e.To == at {
			all = append(all, e)
		}
	}
	if len(all) == 0 || g.one(12) {
		return pick(g, cmdb.Edges...), g.one(2)
	}
	edge = pick(g, all...)
	return edge, edge.From == at
}

func (g *generator) node(b *strings.Builder, label cmdb.Label, said bool) {
	b.WriteString("(")
	if !g.one(3) {
		b.WriteString(g.bind(check.Node, label))
	}
	if said {
		if g.one(25) {
			label = pick(g, cmdb.Vertices...).Label
		}
		b.WriteString(":" + string(label))
	}
	if g.one(10) {
		fmt.Fprintf(b, " {%s: %s}", g.prop(), g.expr(pick(g, check.String, check.Int), g.IntN(2)))
	}
	b.WriteString(")")
}

func (g *generator) prop() string {
	return pick(g, "name", "key", "port", "cores", "load", "tags", "virtual", "missing", "pid", "ip", "version")
}

func (g *generator) kind() check.Kind {
	return pick(g, check.Any, check.Any, check.Any, check.Bool, check.Int, check.Float, check.String, check.List, check.Map, check.Node, check.Node, check.Rel)
}

func (g *generator) scalar() check.Kind {
	return pick(g, check.Any, check.Any, check.Bool, check.Int, check.Float, check.String)
}

// depth is how deep an expression is nested: seldom deep.
func (g *generator) depth() int { return min(g.IntN(4), 1+g.IntN(3)) }

// spoil damages a text a little.
func (g *generator) spoil(text string) string {
	words := strings.Fields(text)
	for range 1 + g.IntN(2) {
		i := g.IntN(len(words))
		switch g.IntN(4) {
		case 0:
			words[i] = ""
		case 1:
			words[i] += pick(g, ")", "(", "'", "]", "-", "$", "\\", "/*", ":", "`", "\"", ";", "::text", "--")
		case 2:
			j := g.IntN(len(words))
			words[i], words[j] = words[j], words[i]
		default:
			words[i] = pick(g, "DELETE", "SET", "CREATE", "UNION", "$$", "\u00a0", "e'", "0x", "pg_sleep(1)", "''", "set_config('role','x',true)",
				"MATCH (n:"+otherGraph+".\"Host\") RETURN n", "`"+otherGraph+"\".\"Host`", "startNode('"+otherGraph+"')", "'; SELECT 1; --", "USE "+otherGraph)
		}
	}
	return strings.Join(words, " ")
}

// otherGraph stands for the schema of the other tenant, until the test that asks
// knows it.
const otherGraph = "other_graph"

// callable are the functions that may stand anywhere, by what they answer with.
var callable = slices.DeleteFunc(check.Functions(), func(f *check.Function) bool { return f.Aggregate })
