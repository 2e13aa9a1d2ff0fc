package cypher

import (
	"fmt"
	"slices"
	"strings"

	"assimilation/saas/internal/cypher/check"
)

// expr is an expression, most likely of the kind.
func (g *generator) expr(k check.Kind, depth int) string {
	if g.one(60) {
		k = g.kind()
	}
	if b, ok := g.known(k); ok && !g.one(3) {
		return b.name
	}
	if depth <= 0 {
		return g.leaf(k)
	}
	switch k {
	case check.Bool:
		return g.condition(depth - 1)
	case check.Int, check.Float:
		return g.number(k, depth-1)
	case check.String:
		return g.text(depth - 1)
	case check.List:
		return g.list(depth - 1)
	case check.Map:
		return g.mapping(depth - 1)
	case check.Any:
		return g.value(depth - 1)
	}
	return g.leaf(k)
}

func (g *generator) condition(depth int) string {
	sub := func(k check.Kind) string { return g.expr(k, depth) }
	switch g.IntN(13) {
	case 0:
		return "(" + sub(check.Bool) + pick(g, " AND ", " OR ", " XOR ") + sub(check.Bool) + ")"
	case 1:
		return "NOT " + sub(check.Bool)
	case 2, 3:
		return "(" + g.property() + pick(g, " = ", " <> ", " < ", " >= ") + sub(g.scalar()) + ")"
	case 4:
		return "(" + sub(check.Any) + pick(g, " = ", " <> ", " < ", " >= ") + sub(g.scalar()) + pick(g, "", " < 7") + ")"
	case 5:
		return "(" + sub(g.scalar()) + " IN " + sub(check.List) + ")"
	case 6:
		return "(" + sub(check.String) + pick(g, " STARTS WITH ", " ENDS WITH ", " CONTAINS ") + sub(check.String) + ")"
	case 7:
		return "(" + sub(g.kind()) + pick(g, " IS NULL", " IS NOT NULL") + ")"
	case 8:
		return pick(g, "all", "any", "none", "single") + "(y IN " + sub(check.List) + " WHERE y = " + sub(g.scalar()) + ")"
	case 9:
		return "(" + sub(check.String) + " =~ " + pick(g, "'.*'", "'(?i)HOST[0-9]+'", "'(a|b){1,9}c?'", "'canary.*'", "'[^a-c]+'", "$p") + ")"
	case 10:
		return "(" + sub(check.Int) + pick(g, " < ", " <= ", " = ") + sub(check.Float) + ")"
	default:
		node, ok := g.known(check.Node)
		if !ok {
			return g.leaf(check.Bool)
		}
		if g.one(3) {
			return node.name + ":" + pick(g, "Host", "Service", string(node.label))
		}
		edge, forward := g.step(node.label)
		if forward {
			return fmt.Sprintf("(%s)-[:%s]->(%s)", node.name, edge.Type, pick(g, "", ":"+string(edge.To)))
		}
		return fmt.Sprintf("exists((%s)<-[:%s]-())", node.name, edge.Type)
	}
}

func (g *generator) number(k check.Kind, depth int) string {
	sub := func(k check.Kind) string { return g.expr(k, depth) }
	switch g.IntN(8) {
	case 0, 1:
		return "(" + sub(k) + pick(g, " + ", " - ", " * ") + sub(check.Int) + ")"
	case 2:
		return "(" + sub(k) + pick(g, " / ", " % ", " ^ ") + pick(g, "2", "3", sub(check.Int)) + ")"
	case 3:
		return "-" + sub(k)
	case 4:
		if p, ok := g.known(check.Path); ok {
			return "length(" + p.name + ")"
		}
		return "size(" + sub(pick(g, check.List, check.String)) + ")"
	case 5:
		return "toInteger(" + sub(pick(g, check.String, check.Float)) + ")"
	}
	return g.call(k, depth)
}

func (g *generator) text(depth int) string {
	sub := func(k check.Kind) string { return g.expr(k, depth) }
	switch g.IntN(5) {
	case 0:
		return "(" + sub(check.String) + " + " + sub(g.scalar()) + ")"
	case 1:
		return "toString(" + g.property() + ")"
	case 2:
		if r, ok := g.known(check.Rel); ok {
			return "type(" + r.name + ")"
		}
	case 3:
		return pick(g, "left", "right", "substring") + "(" + sub(check.String) + ", " + pick(g, "0", "1", "$n", "3") + ")"
	}
	return g.call(check.String, depth)
}

func (g *generator) list(depth int) string {
	sub := func(k check.Kind) string { return g.expr(k, depth) }
	switch g.IntN(9) {
	case 0, 1:
		return "[" + sub(g.scalar()) + ", " + sub(g.scalar()) + "]"
	case 2:
		return fmt.Sprintf("range(%d, %d)", g.IntN(3), g.IntN(9))
	case 3:
		return "(" + sub(check.List) + " + " + sub(pick(g, check.List, check.Any)) + ")"
	case 4:
		return "[y IN " + sub(check.List) + " WHERE y " + pick(g, "IS NOT NULL", "<> 'a'", "> 1") + pick(g, "", " | y", " | [y]") + "]"
	case 5:
		return sub(check.List) + pick(g, "[1..]", "[..2]", "[0..$n]", "[-1..]")
	case 6:
		if p, ok := g.known(check.Path); ok {
			return pick(g, "nodes", "relationships") + "(" + p.name + ")"
		}
	case 7:
		if n, ok := g.known(check.Node); ok {
			return pick(g, "labels", "keys") + "(" + n.name + ")"
		}
	}
	return g.call(check.List, depth)
}

func (g *generator) mapping(depth int) string {
	if n, ok := g.known(check.Node); ok && g.one(2) {
		return "properties(" + n.name + ")"
	}
	return "{a: " + g.expr(g.scalar(), depth) + ", b: " + g.expr(check.List, depth) + "}"
}

func (g *generator) value(depth int) string {
	sub := func(k check.Kind) string { return g.expr(k, depth) }
	switch g.IntN(8) {
	case 0:
		return sub(check.Map) + pick(g, ".a", "['b']", ".missing")
	case 1:
		return sub(check.List) + "[" + pick(g, "0", "-1", "$n", sub(check.Int)) + "]"
	case 2:
		return pick(g, "head", "last") + "(" + sub(check.List) + ")"
	case 3:
		return "CASE WHEN " + sub(check.Bool) + " THEN " + sub(g.scalar()) + " ELSE " + sub(g.scalar()) + " END"
	case 4:
		return "coalesce(" + sub(check.Any) + ", " + sub(g.scalar()) + ")"
	case 5:
		if r, ok := g.known(check.Rel); ok {
			return pick(g, "startNode", "endNode") + "(" + r.name + ")." + g.prop()
		}
	}
	return g.property()
}

// property is one of a node or relationship that is known.
func (g *generator) property() string {
	b, ok := g.known(pick(g, check.Node, check.Node, check.Rel))
	if !ok {
		return g.leaf(check.Any)
	}
	if g.one(12) {
		return b.name + "['" + g.prop() + "']"
	}
	return b.name + "." + g.prop()
}

// answering are functions by the kind that they answer with.
var answering = map[check.Kind][]string{
	check.Int:    {"abs", "sign", "size", "toInteger", "toInteger"},
	check.Float:  {"ceil", "exp", "floor", "log", "round", "sqrt", "toFloat"},
	check.String: {"lTrim", "replace", "reverse", "rTrim", "substring", "toLower", "toString", "toUpper", "trim"},
	check.List:   {"range", "reverse", "split", "tail"},
}

// call is a function of the language, now and then any, with arguments that it
// takes.
func (g *generator) call(k check.Kind, depth int) string {
	f := pick(g, callable...)
	if !g.one(6) {
		name := pick(g, answering[k]...)
		f = callable[slices.IndexFunc(callable, func(f *check.Function) bool { return f.Name == name })]
	}
	n := len(f.Takes) - g.IntN(f.Optional+1)
	var args []string
	for i := range n {
		takes := f.Takes[i]
		switch {
		case takes == nil:
			takes = []check.Kind{g.scalar()}
		case slices.Contains(takes, k):
			takes = []check.Kind{k} // reverse() of a string is one
		}
		args = append(args, g.argument(pick(g, takes...), depth))
	}
	return f.Name + "(" + strings.Join(args, ", ") + ")"
}

// argument is an expression that most likely does not fail: a position is small.
func (g *generator) argument(k check.Kind, depth int) string {
	if k == check.Int && !g.one(4) {
		return pick(g, "0", "1", "2", "$n", "5")
	}
	if text := g.expr(k, depth); text != "" {
		return text
	}
	return "null"
}

func (g *generator) leaf(k check.Kind) string {
	switch k {
	case check.Bool:
		return pick(g, "true", "false", "null")
	case check.Int:
		return pick(g, "0", "1", "2", "7", "-3", "$n", "9223372036854775807")
	case check.Float:
		return pick(g, "0.5", "1e3", "-2.25")
	case check.String:
		return pick(g, "'host1'", "'a'", "''", "'ä\\'\"'", "$p", "'canary'", "'"+otherGraph+"'")
	case check.List:
		return pick(g, "[]", "[1, 'a', null]", "$l", "[[1], {a: 2}]", "['canary', 4242]")
	case check.Map:
		return pick(g, "{}", "{a: 1}")
	}
	if b, ok := g.known(k); ok {
		return b.name
	}
	if k == check.Any {
		return pick(g, "null", "1", "'a'")
	}
	return "null"
}
