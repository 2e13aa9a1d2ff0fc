package cypher

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

var (
	generate     = flag.Int("generate", 400, "how many questions TestGeneratedQuestions asks")
	generateSeed = flag.Uint64("generate-seed", 1, "its seed")
)

// Whatever is asked: no panic, no backend that dies, no error that is not in our
// words, and no row of another tenant.
func TestGeneratedQuestions(t *testing.T) {
	w := newWorld(t, 6)
	before := w.fingerprint(t)
	var answered, refused, rows atomic.Int64
	next := make(chan uint64)
	var group sync.WaitGroup
	for range perTenant {
		group.Go(func() {
			for seed := range next {
				question := newGenerator(seed).question()
				answer, err := w.Ask(t.Context(), w.own, Question{Text: question, Parameters: map[string]any{"p": "host1", "n": int64(2), "l": []any{"a", int64(1), nil}}, Limit: 50})
				_, isProblem := errors.AsType[*syntax.Problem](err)
				_, isRefused := errors.AsType[*Refused](err)
				switch {
				case err == nil:
					answered.Add(1)
				case isProblem || isRefused:
					refused.Add(1)
				default:
					t.Errorf("seed %d: %s\n%v", seed, question, err)
				}
				rows.Add(int64(len(answer.Items)))
				for _, item := range answer.Items {
					for _, value := range item {
						if strings.Contains(string(value), "canary") {
							t.Errorf("seed %d: %s\nanswers with another tenant's %s", seed, question, value)
						}
					}
				}
			}
		})
	}
	for i := range uint64(*generate) {
		next <- *generateSeed<<32 | i
	}
	close(next)
	group.Wait()
	t.Logf("%d questions answered with %d rows, %d refused", answered.Load(), rows.Load(), refused.Load())
	if n := answered.Load(); n*4 < int64(*generate) {
		t.Errorf("only %d of %d were answered: the generator is out of tune", n, *generate)
	}
	if after := w.fingerprint(t); after != before {
		t.Errorf("the questions changed the graph or the server: %s, before %s", after, before)
	}
}

// generator makes up questions: most of them valid, some spoilt.
type generator struct {
	*rand.Rand
	names map[string]check.Kind
	count int
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 7)), names: map[string]check.Kind{}}
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) name(k check.Kind) string {
	g.count++
	n := fmt.Sprintf("%c%d", "abnx"[g.IntN(4)], g.count)
	g.names[n] = k
	return n
}

// known is a name of the kind, or "".
func (g *generator) known(k check.Kind) string {
	var all []string
	for i := 1; i <= g.count; i++ {
		for _, c := range "abnx" {
			if n := fmt.Sprintf("%c%d", c, i); g.names[n] == k && k != 0 {
				all = append(all, n)
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return pick(g, all...)
}

func (g *generator) question() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		switch g.IntN(6) {
		case 0:
			fmt.Fprintf(&b, "UNWIND %s AS ", g.expr(check.List, 2))
			b.WriteString(g.name(check.Any) + " ")
		case 1:
			b.WriteString("OPTIONAL " + g.match())
		case 2:
			b.WriteString(g.with())
		default:
			b.WriteString(g.match())
		}
	}
	b.WriteString("RETURN " + pick(g, "", "", "DISTINCT "))
	b.WriteString(g.columns(true))
	b.WriteString(g.tail())
	text := b.String()
	if g.IntN(8) == 0 {
		return g.spoil(text)
	}
	return text
}

func (g *generator) tail() string {
	text := ""
	if g.IntN(3) == 0 {
		text += " ORDER BY " + g.expr(g.kind(), 1) + pick(g, "", " DESC")
	}
	if g.IntN(4) == 0 {
		text += fmt.Sprintf(" SKIP %d", g.IntN(3))
	}
	if g.IntN(3) == 0 {
		text += fmt.Sprintf(" LIMIT %d", g.IntN(20))
	}
	return text
}

func (g *generator) columns(free bool) string {
	var parts []string
	for i := range 1 + g.IntN(3) {
		text := g.expr(g.kind(), 3)
		if g.IntN(4) == 0 {
			text = pick(g, "count", "collect", "min", "max", "sum", "avg", "count") + "(" + pick(g, "", "", "DISTINCT ") + text + ")"
		} else if g.IntN(12) == 0 {
			text = "count(*)"
		}
		if !free || g.IntN(2) == 0 {
			text += fmt.Sprintf(" AS c%d", i)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (g *generator) with() string {
	if node := g.known(check.Node); node != "" && g.IntN(2) == 0 {
		text := "WITH " + node + ", " + g.expr(g.kind(), 2) + " AS v" + pick(g, "", "", ", count(*) AS w")
		g.names = map[string]check.Kind{node: check.Node}
		return text + g.tail() + " "
	}
	text := "WITH *, " + g.expr(check.Int, 2) + " AS "
	text += g.name(check.Int)
	if g.IntN(2) == 0 {
		text += " WHERE " + g.expr(check.Bool, 2)
	}
	return text + " "
}

func (g *generator) match() string {
	var b strings.Builder
	b.WriteString("MATCH ")
	if g.IntN(6) == 0 {
		b.WriteString(g.name(check.Path) + " = ")
	}
	g.path(&b, 1+g.IntN(3))
	if g.IntN(5) == 0 {
		b.WriteString(", ")
		g.path(&b, 1+g.IntN(2))
	}
	if g.IntN(2) == 0 {
		b.WriteString(" WHERE " + g.expr(check.Bool, 3))
	}
	return b.String() + " "
}

func (g *generator) path(b *strings.Builder, nodes int) {
	g.node(b)
	for range nodes - 1 {
		left, right := pick(g, "-", "-", "<-"), pick(g, "->", "->", "-")
		b.WriteString(left + "[")
		if g.IntN(3) == 0 {
			b.WriteString(g.name(check.Rel))
		}
		if g.IntN(3) > 0 {
			b.WriteString(":" + string(pick(g, cmdb.Edges...).Type))
			if g.IntN(4) == 0 {
				b.WriteString("|" + string(pick(g, cmdb.Edges...).Type))
			}
		}
		if g.IntN(6) == 0 {
			fmt.Fprintf(b, "*%d..%d", g.IntN(2), 1+g.IntN(3))
		}
		b.WriteString("]" + right)
		g.node(b)
	}
}

var commonLabels = []string{"Host", "Service", "Endpoint", "Address", "OS", "Package"}

func (g *generator) node(b *strings.Builder) {
	b.WriteString("(")
	if node := g.known(check.Node); node != "" && g.IntN(3) == 0 {
		b.WriteString(node)
	} else if g.IntN(2) == 0 {
		b.WriteString(g.name(check.Node))
	}
	if g.IntN(2) == 0 {
		b.WriteString(":" + pick(g, commonLabels...))
	}
	if g.IntN(6) == 0 {
		fmt.Fprintf(b, " {%s: %s}", g.prop(), g.expr(pick(g, check.String, check.Int), 1))
	}
	b.WriteString(")")
}

func (g *generator) prop() string {
	return pick(g, "name", "key", "port", "cores", "load", "tags", "virtual", "missing", "pid")
}

func (g *generator) kind() check.Kind {
	return pick(g, check.Any, check.Bool, check.Int, check.Float, check.String, check.List, check.Map, check.Node, check.Rel)
}

// expr is an expression, most likely of the kind.
func (g *generator) expr(k check.Kind, depth int) string {
	if g.IntN(40) == 0 {
		k = g.kind()
	}
	if name := g.known(k); name != "" && g.IntN(2) == 0 {
		return name
	}
	if depth == 0 {
		return g.leaf(k)
	}
	sub := func(k check.Kind) string { return g.expr(k, depth-1) }
	switch k {
	case check.Bool:
		switch g.IntN(8) {
		case 0:
			return "(" + sub(check.Bool) + pick(g, " AND ", " OR ", " XOR ") + sub(check.Bool) + ")"
		case 1:
			return "NOT " + sub(check.Bool)
		case 2:
			return "(" + sub(check.Any) + pick(g, " = ", " <> ", " < ", " >= ") + sub(g.scalar()) + ")"
		case 3:
			return "(" + sub(g.scalar()) + " IN " + sub(check.List) + ")"
		case 4:
			return "(" + sub(check.String) + pick(g, " STARTS WITH ", " ENDS WITH ", " CONTAINS ") + sub(check.String) + ")"
		case 5:
			return "(" + sub(g.kind()) + pick(g, " IS NULL", " IS NOT NULL") + ")"
		case 6:
			return pick(g, "all", "any", "none", "single") + "(y IN " + sub(check.List) + " WHERE y = " + sub(g.scalar()) + ")"
		default:
			if node := g.known(check.Node); node != "" {
				return "(" + node + ")" + pick(g, "-->()", "--()", "<-[:RUNS]-()", "-[:RUNS]->(:Service)")
			}
		}
	case check.Int:
		return pick(g, "("+sub(check.Int)+pick(g, " + ", " - ", " * ", " / ", " % ")+sub(check.Int)+")", "size("+sub(check.List)+")", "toInteger("+sub(check.String)+")",
			"size("+sub(check.String)+")", "abs("+sub(check.Int)+")", "-"+sub(check.Int), "id("+sub(check.Node)+")")
	case check.Float:
		return pick(g, "("+sub(check.Float)+pick(g, " + ", " - ", " * ", " / ", " ^ ")+sub(check.Int)+")", "sqrt("+sub(check.Int)+")", "round("+sub(check.Float)+")", "toFloat("+sub(check.String)+")")
	case check.String:
		return pick(g, "("+sub(check.String)+" + "+sub(g.scalar())+")", "toUpper("+sub(check.String)+")", "substring("+sub(check.String)+", "+sub(check.Int)+")", "toString("+sub(check.Int)+")",
			"left("+sub(check.String)+", "+sub(check.Int)+")", "replace("+sub(check.String)+", 'a', "+sub(check.String)+")", "coalesce("+sub(check.String)+", 'x')")
	case check.List:
		return pick(g, "["+sub(g.scalar())+", "+sub(g.scalar())+"]", "range(0, "+fmt.Sprint(g.IntN(9))+")", "("+sub(check.List)+" + "+sub(check.List)+")", "["+"y IN "+sub(check.List)+" WHERE y IS NOT NULL | y]",
			sub(check.List)+"[1..]", "split("+sub(check.String)+", 'o')", "keys("+sub(check.Map)+")", "tail("+sub(check.List)+")", "labels("+sub(check.Node)+")", "reverse("+sub(check.List)+")")
	case check.Map:
		return pick(g, "{a: "+sub(g.scalar())+", b: "+sub(check.List)+"}", "properties("+sub(check.Node)+")")
	case check.Any:
		return pick(g, sub(check.Node)+"."+g.prop(), sub(check.Map)+".a", sub(check.List)+"["+sub(check.Int)+"]", "head("+sub(check.List)+")",
			"CASE WHEN "+sub(check.Bool)+" THEN "+sub(g.scalar())+" ELSE "+sub(g.scalar())+" END", "coalesce("+sub(check.Any)+", "+sub(g.scalar())+")")
	}
	return g.leaf(k)
}

func (g *generator) scalar() check.Kind {
	return pick(g, check.Any, check.Bool, check.Int, check.Float, check.String)
}

func (g *generator) leaf(k check.Kind) string {
	switch k {
	case check.Bool:
		return pick(g, "true", "false", "null")
	case check.Int:
		return pick(g, "0", "1", "7", "-3", "$n", "9223372036854775807")
	case check.Float:
		return pick(g, "0.5", "1e3", "-2.25")
	case check.String:
		return pick(g, "'host1'", "'a'", "''", "'ä\\'\"'", "$p")
	case check.List:
		return pick(g, "[]", "[1, 'a', null]", "$l", "[[1], {a: 2}]")
	case check.Map:
		return pick(g, "{}", "{a: 1}")
	}
	if name := g.known(k); name != "" {
		return name
	}
	return pick(g, "null", "1", "'a'")
}

// spoil damages a text a little.
func (g *generator) spoil(text string) string {
	words := strings.Fields(text)
	for range 1 + g.IntN(2) {
		i := g.IntN(len(words))
		switch g.IntN(4) {
		case 0:
			words[i] = ""
		case 1:
			words[i] += pick(g, ")", "(", "'", "]", "-", "$", "\\", "/*", ":", "`", "\"", ";")
		case 2:
			words[i], words[g.IntN(len(words))] = words[g.IntN(len(words))], words[i]
		default:
			words[i] = pick(g, "DELETE", "SET", "CREATE", "::text", "--", "UNION", "$$", "\u00a0", "e'", "0x", "pg_sleep(1)", "''")
		}
	}
	return strings.Join(words, " ")
}
