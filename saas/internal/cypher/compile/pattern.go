package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// match joins the patterns; what is optional is a subquery of its own, so that
// its conditions decide before the row without it is added.
func (b *builder) match(m *syntax.Match) {
	if !m.Optional {
		b.patterns(m.Paths)
		if m.Where != nil {
			b.where = append(b.where, b.condition(m.Where))
		}
		return
	}
	outer := b.source
	b.source = source{}
	before := map[*check.Symbol]bool{}
	for s := range b.env {
		before[s] = true
	}
	b.patterns(m.Paths)
	if m.Where != nil {
		b.where = append(b.where, b.condition(m.Where))
	}
	name := b.name("o")
	var columns []string
	for _, s := range b.bindings() {
		if !before[s] {
			b.env[s] = b.export(s.Type, s, b.env[s], name, &columns)
		}
	}
	sub := fmt.Sprintf("LATERAL (SELECT %s%s) AS %s", strings.Join(append(columns, "true AS found"), ", "), b.source.sql(), name)
	b.source = outer
	if len(b.from) == 0 {
		b.from = append(b.from, "(SELECT) AS "+b.name("one"))
	}
	b.from[len(b.from)-1] += " LEFT JOIN " + b.limit(sub) + " ON true"
}

// bindings are the symbols of the environment, in the order of their names in
// SQL, so that the same question is always the same statement.
func (b *builder) bindings() []*check.Symbol {
	var all []*check.Symbol
	for s := range b.env {
		all = append(all, s)
	}
	key := func(s *check.Symbol) string {
		e := b.env[s]
		if e.element != nil {
			return s.Name + " " + e.element.id
		}
		return s.Name + " " + e.sql
	}
	slices.SortFunc(all, func(x, y *check.Symbol) int { return strings.Compare(key(x), key(y)) })
	return all
}

// walked is a relationship as it was joined.
type walked struct {
	rel *syntax.Rel
	ids string // the SQL of its id, or of the ids of its hops
}

// patterns joins all paths of one MATCH.
func (b *builder) patterns(paths []*syntax.Path) {
	var found []walked
	for _, p := range paths {
		for i, r := range p.Rels {
			if !r.Many {
				found = append(found, b.join(p, i))
			}
		}
	}
	for _, p := range paths {
		for _, n := range p.Nodes {
			b.joinNode(n, len(p.Rels) == 0)
		}
	}
	for _, p := range paths {
		for i, r := range p.Rels {
			if r.Many {
				found = append(found, b.walk(p, i))
			}
		}
	}
	b.distinct(found)
	for _, p := range paths {
		if s := b.info.Paths[p]; s != nil {
			b.env[s] = binding{path: b.pathOf(p)}
		}
	}
	// A property may be compared with what speaks of any of the paths.
	for _, p := range paths {
		b.properties(p)
	}
}

// join adds the edge table of a relationship of length one.
func (b *builder) join(p *syntax.Path, i int) walked {
	r := p.Rels[i]
	s := b.info.Rels[r]
	branches := b.info.Branches[r]
	name := b.name("e")
	e := &element{id: name + ".id", label: name + ".type", props: name + ".properties", start: name + ".start_id", end: name + ".end_id"}
	left, right := name+".a", name+".z"
	leftLabel, rightLabel := name+".al", name+".zl"
	if len(branches) == 1 {
		edge := branches[0]
		b.from = append(b.from, b.table(string(edge.Edge.Type))+" AS "+name)
		e.label = literal(string(edge.Edge.Type))
		left, right = e.start, e.end
		if !edge.Forward {
			left, right = right, left
		}
		from, to := edge.Ends()
		leftLabel, rightLabel = literal(string(from)), literal(string(to))
	} else {
		b.from = append(b.from, "("+b.edges(branches, "")+") AS "+name)
	}
	b.env[s] = binding{element: e}
	b.meet(p.Nodes[i], left, leftLabel)
	b.meet(p.Nodes[i+1], right, rightLabel)
	return walked{r, e.id}
}

// literal quotes a name of cmdb.
func literal(name string) string { return "'" + name + "'::text" }

// What is read where the schema allows nothing.
const (
	noVertex = "SELECT NULL::ag_catalog.graphid AS id, NULL::ag_catalog.agtype AS properties, NULL::text AS label WHERE false"
	noEdge   = "SELECT NULL::ag_catalog.graphid AS id, NULL::ag_catalog.graphid AS start_id, NULL::ag_catalog.graphid AS end_id, NULL::ag_catalog.agtype AS properties, " +
		"NULL::text AS type, NULL::ag_catalog.graphid AS a, NULL::ag_catalog.graphid AS z, NULL::text AS al, NULL::text AS zl WHERE false"
)

// edges is a query of all that the branches lead over, from a to z; at is the
// SQL of where it starts, if that is known.
func (b *builder) edges(branches []check.Branch, at string) string {
	var parts []string
	for _, branch := range branches {
		a, z := "start_id", "end_id"
		if !branch.Forward {
			a, z = z, a
		}
		from, to := branch.Ends()
		part := fmt.Sprintf("SELECT id, start_id, end_id, properties, %s AS type, %s AS a, %s AS z, %s AS al, %s AS zl FROM %s",
			literal(string(branch.Edge.Type)), a, z, literal(string(from)), literal(string(to)), b.table(string(branch.Edge.Type)))
		if at != "" {
			part += " WHERE " + a + " = " + at
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return noEdge
	}
	return strings.Join(parts, " UNION ALL ")
}

// meet says that a node is where an edge ends: it binds the node, or asks that
// it be the same.
func (b *builder) meet(n *syntax.Node, id, label string) {
	s := b.info.Nodes[n]
	if known, ok := b.env[s]; ok {
		b.where = append(b.where, known.element.id+" = "+id)
		return
	}
	b.env[s] = binding{element: &element{id: id, label: label}}
}

// joinNode adds the node's table where the edges do not tell enough.
func (b *builder) joinNode(n *syntax.Node, alone bool) {
	s := b.info.Nodes[n]
	known, bound := b.env[s]
	if !b.info.New[n] {
		if bound && alone {
			b.where = append(b.where, known.element.id+" IS NOT NULL")
		}
		for _, l := range n.Labels {
			if bound && known.element.label != literal(l.Text) {
				b.where = append(b.where, known.element.label+" = "+literal(l.Text))
			}
		}
		return
	}
	if bound && (known.element.props != "" || !s.Whole) {
		return
	}
	name := b.name("n")
	e := &element{id: name + ".id", props: name + ".properties"}
	var from string
	from, e.label = b.vertices(s.Type.Labels, name)
	b.from = append(b.from, from)
	if bound {
		b.where = append(b.where, e.id+" = "+known.element.id)
	}
	b.env[s] = binding{element: e}
}

// vertices is what to read nodes of these labels from, and their label.
func (b *builder) vertices(labels []cmdb.Label, name string) (from, label string) {
	if len(labels) == 1 {
		return b.table(string(labels[0])) + " AS " + name, literal(string(labels[0]))
	}
	var parts []string
	for _, l := range labels {
		parts = append(parts, fmt.Sprintf("SELECT id, properties, %s AS label FROM %s", literal(string(l)), b.table(string(l))))
	}
	if len(parts) == 0 {
		parts = []string{noVertex}
	}
	return "(" + strings.Join(parts, " UNION ALL ") + ") AS " + name, name + ".label"
}

// distinct asks that no relationship of a MATCH is walked twice.
func (b *builder) distinct(found []walked) {
	for i, x := range found {
		for _, y := range found[:i] {
			if !overlap(x.typesOf(b), y.typesOf(b)) {
				continue
			}
			switch {
			case !x.rel.Many && !y.rel.Many:
				b.where = append(b.where, x.ids+" <> "+y.ids)
			case x.rel.Many && y.rel.Many:
				b.where = append(b.where, fmt.Sprintf("NOT %s && %s", x.ids, y.ids))
			case x.rel.Many:
				b.where = append(b.where, fmt.Sprintf("%s <> ALL (%s)", y.ids, x.ids))
			default:
				b.where = append(b.where, fmt.Sprintf("%s <> ALL (%s)", x.ids, y.ids))
			}
		}
	}
}

// typesOf are the types that are left after narrowing.
func (w walked) typesOf(b *builder) []cmdb.EdgeType {
	var all []cmdb.EdgeType
	for _, branch := range b.info.Branches[w.rel] {
		all = append(all, branch.Edge.Type)
	}
	return all
}

func overlap(a, b []cmdb.EdgeType) bool {
	return slices.ContainsFunc(a, func(t cmdb.EdgeType) bool { return slices.Contains(b, t) })
}

// properties compares those that stand in a pattern.
func (b *builder) properties(p *syntax.Path) {
	for _, n := range p.Nodes {
		if m, ok := n.Props.(*syntax.Map); ok {
			b.compareProperties(value{t: check.Type{Kind: check.Node}, element: b.env[b.info.Nodes[n]].element}, m)
		}
	}
	for _, r := range p.Rels {
		if m, ok := r.Props.(*syntax.Map); ok && !r.Many {
			b.compareProperties(value{t: check.Type{Kind: check.Rel}, element: b.env[b.info.Rels[r]].element}, m)
		}
	}
}

func (b *builder) compareProperties(of value, m *syntax.Map) {
	for i, key := range m.Keys {
		b.where = append(b.where, b.compareTwo(b.property(of, key.Text), "=", b.expr(m.Values[i])))
	}
}

// exists is a pattern as a condition.
func (b *builder) exists(x *syntax.Exists) string {
	outer, env := b.source, b.env
	b.source, b.env = source{}, maps.Clone(env)
	b.patterns([]*syntax.Path{x.Path})
	sql := "EXISTS (SELECT" + b.source.sql() + ")"
	b.source, b.env = outer, env
	return sql
}
