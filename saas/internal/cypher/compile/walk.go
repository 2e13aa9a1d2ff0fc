package compile

import (
	"fmt"
	"slices"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// walk adds a relationship of variable length: a recursive query from the end
// that is likely to be fewer nodes. No edge is walked twice on one way.
func (b *builder) walk(p *syntax.Path, i int) walked {
	r := p.Rels[i]
	s := b.info.Rels[r]
	start, stop := p.Nodes[i], p.Nodes[i+1]
	branches := slices.Clone(b.info.Branches[r])
	backwards := b.anchor(p, i+1) > b.anchor(p, i)
	if backwards {
		start, stop = stop, start
		for j := range branches {
			branches[j].Forward = !branches[j].Forward
		}
	}
	name, step := b.name("w"), b.name("e")
	full := s.Name != "" || p.Name.Text != ""
	var seed, next, extra string
	if full {
		rel := fmt.Sprintf("jsonb_build_array(cypher.relationship(%[1]s.id, %[1]s.type, %[1]s.start_id, %[1]s.end_id, %[1]s.properties))", step)
		seed, next, extra = ", '[]'::jsonb", ", w.rels || "+rel, ", rels"
		if backwards {
			next = ", " + rel + " || w.rels"
		}
	}
	conditions := []string{fmt.Sprintf("w.depth < %d", r.Max), step + ".id <> ALL (w.ids)"}
	if m, ok := r.Props.(*syntax.Map); ok {
		hop := value{t: check.Type{Kind: check.Rel}, element: &element{id: step + ".id", props: step + ".properties"}}
		for j, key := range m.Keys {
			conditions = append(conditions, b.compareTwo(b.property(hop, key.Text), "=", b.expr(m.Values[j])))
		}
	}
	b.from = append(b.from, b.limit(fmt.Sprintf(`LATERAL (WITH RECURSIVE w(node, ids, depth%[1]s) AS (`+
		`SELECT %[2]s, ARRAY[]::ag_catalog.graphid[], 0%[3]s UNION ALL `+
		`SELECT %[4]s.z, w.ids || %[4]s.id, w.depth + 1%[5]s FROM w CROSS JOIN LATERAL (%[6]s) AS %[4]s WHERE %[7]s) `+
		`SELECT * FROM w WHERE depth >= %[8]d) AS %[9]s`,
		extra, b.env[b.info.Nodes[start]].element.id, seed, step, next, b.edges(branches, "w.node"), strings.Join(conditions, " AND "), r.Min, name)))
	b.where = append(b.where, name+".node = "+b.env[b.info.Nodes[stop]].element.id)
	if full {
		b.env[s] = binding{sql: name + ".rels"}
	} else {
		b.env[s] = binding{sql: "NULL::jsonb"}
	}
	return walked{r, name + ".ids"}
}

// anchor tells how well a node is known: bound before, compared with a value, or
// next to such a node.
func (b *builder) anchor(p *syntax.Path, i int) int {
	best := 0
	for j, distance := i, 0; j >= 0; j, distance = j-1, distance+1 {
		best = max(best, b.standing(p.Nodes[j])-distance)
		if j == 0 || p.Rels[j-1].Many {
			break
		}
	}
	for j, distance := i, 0; j < len(p.Nodes); j, distance = j+1, distance+1 {
		best = max(best, b.standing(p.Nodes[j])-distance)
		if j == len(p.Rels) || p.Rels[j].Many {
			break
		}
	}
	return best
}

func (b *builder) standing(n *syntax.Node) int {
	switch {
	case !b.info.New[n]:
		return 100
	case n.Props != nil, b.compared(n.Name.Text):
		return 90
	case len(b.info.Ends[n]) == 1:
		return 50
	}
	return 30
}

// compared reports whether the question says somewhere that a property of the
// name equals a value.
func (b *builder) compared(name string) bool {
	if name == "" {
		return false
	}
	for _, clause := range b.info.Query.Clauses {
		if m, ok := clause.(*syntax.Match); ok && m.Where != nil && comparedIn(m.Where, name) {
			return true
		}
	}
	return false
}

func comparedIn(x syntax.Expr, name string) bool {
	switch x := x.(type) {
	case *syntax.Binary:
		return x.Op == "AND" && (comparedIn(x.X, name) || comparedIn(x.Y, name)) || x.Op == "IN" && isProperty(x.X, name)
	case *syntax.Compare:
		return slices.Equal(x.Ops, []string{"="}) && (isProperty(x.Operands[0], name) || isProperty(x.Operands[1], name))
	}
	return false
}

func isProperty(x syntax.Expr, name string) bool {
	p, ok := x.(*syntax.Property)
	if !ok {
		return false
	}
	v, ok := p.X.(*syntax.Variable)
	return ok && v.Name == name
}
