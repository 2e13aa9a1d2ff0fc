package check

import (
	"fmt"
	"slices"

	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/syntax"
)

// ends are the labels that each node of a pattern may have.
type ends = map[*syntax.Node][]cmdb.Label

func (c *checker) match(m *syntax.Match) {
	c.patterns(m.Paths, true)
	if m.Where != nil {
		c.condition(m.Where, "WHERE")
	}
}

// patterns binds the names of paths, or with binds false allows bound ones only.
func (c *checker) patterns(paths []*syntax.Path, binds bool) {
	possible := map[*Symbol][]cmdb.Label{}
	for _, path := range paths {
		for _, n := range path.Nodes {
			c.node(n, possible, binds)
		}
		for _, r := range path.Rels {
			c.rel(r, binds)
		}
	}
	c.narrow(paths, possible)
	for _, path := range paths {
		for _, n := range path.Nodes {
			s := c.info.Nodes[n]
			c.info.Ends[n] = possible[s]
			if c.info.New[n] {
				s.Type.Labels = possible[s]
			}
		}
		if path.Name.Text != "" {
			if !binds {
				c.fail(path.Name.Pos, "a pattern in a condition binds no names")
			}
			c.info.Paths[path] = c.bind(path.Name, of(Path))
		}
	}
	// Properties may speak of any name of the patterns.
	for _, path := range paths {
		for _, n := range path.Nodes {
			c.patternProps(n.Props, false)
			if n.Props != nil {
				c.info.Nodes[n].need()
			}
		}
		for _, r := range path.Rels {
			c.patternProps(r.Props, r.Many)
			if r.Props != nil {
				c.info.Rels[r].need()
			}
		}
	}
}

func (c *checker) patternProps(props syntax.Expr, constant bool) {
	if props == nil {
		return
	}
	m, ok := props.(*syntax.Map)
	if !ok {
		c.fail(props.At(), "a parameter cannot stand for all properties of a pattern; write {name: $value}")
	}
	for i, v := range m.Values {
		t := c.expr(v)
		if t.HasElement() {
			c.fail(v.At(), "the property %.60s cannot be %s", m.Keys[i].Text, t)
		}
		_, literal := v.(*syntax.Literal)
		if _, parameter := v.(*syntax.Parameter); constant && !literal && !parameter {
			c.fail(v.At(), "on a relationship of variable length a property is compared with a literal or a parameter only")
		}
	}
}

func (c *checker) node(n *syntax.Node, possible map[*Symbol][]cmdb.Label, binds bool) {
	s := c.scope[n.Name.Text]
	switch {
	case n.Name.Text == "":
		s = &Symbol{Type: of(Node)}
		c.info.New[n] = true
	case s == nil && !binds:
		c.lookup(&syntax.Variable{Pos: n.Name.Pos, Name: n.Name.Text})
	case s == nil:
		s = c.bind(n.Name, of(Node))
		c.info.New[n] = true
	case s.Type.Kind != Node:
		c.fail(n.Name.Pos, "%.60s is %s, not a node", n.Name.Text, s.Type)
	}
	c.info.Nodes[n] = s
	if _, seen := possible[s]; !seen {
		possible[s] = s.Type.Labels
		if c.info.New[n] {
			possible[s] = allLabels()
		}
	}
	for _, name := range n.Labels {
		before := possible[s]
		possible[s] = intersect(before, labels(c.label(name)))
		if len(before) > 0 && len(possible[s]) == 0 {
			c.hint(fmt.Sprintf("no node is %s and also %.60s: every node has one label", anyOf(before), name.Text))
		}
	}
}

func anyOf(all []cmdb.Label) string {
	var names []string
	for _, l := range all {
		names = append(names, string(l))
	}
	if len(names) > 3 {
		return "one of " + joined(names[:3]) + ", ..."
	}
	return joined(names)
}

func (c *checker) rel(r *syntax.Rel, binds bool) {
	t := Type{Kind: Rel}
	for _, name := range r.Types {
		t.Edges = union(t.Edges, []cmdb.EdgeType{c.edge(name)})
	}
	if len(r.Types) == 0 {
		t.Edges = allEdges()
	}
	whole := t
	if r.Many {
		t = listOf(t)
	}
	if !binds && r.Name.Text != "" {
		c.fail(r.Name.Pos, "a pattern in a condition binds no names")
	}
	c.info.Rels[r] = c.bind(r.Name, t)
	for _, e := range edgesNamed(whole.Edges) {
		if r.Direction != syntax.Left {
			c.info.Branches[r] = append(c.info.Branches[r], Branch{e, true})
		}
		if r.Direction != syntax.Right {
			c.info.Branches[r] = append(c.info.Branches[r], Branch{e, false})
		}
	}
}

// narrow takes away what no edge of the schema allows, until nothing changes.
func (c *checker) narrow(paths []*syntax.Path, possible map[*Symbol][]cmdb.Label) {
	for changed := true; changed; {
		changed = false
		for _, path := range paths {
			for i, r := range path.Rels {
				left, right := c.info.Nodes[path.Nodes[i]], c.info.Nodes[path.Nodes[i+1]]
				before := len(c.info.Branches[r]) + len(possible[left]) + len(possible[right])
				c.narrowRel(r, left, right, possible)
				if len(c.info.Branches[r])+len(possible[left])+len(possible[right]) != before {
					changed = true
				}
			}
		}
	}
	for _, path := range paths {
		for i, r := range path.Rels {
			if len(c.info.Branches[r]) == 0 && (!r.Many || r.Min > 0) {
				c.hint(c.impossible(path, i))
			}
		}
	}
}

func (c *checker) narrowRel(r *syntax.Rel, left, right *Symbol, possible map[*Symbol][]cmdb.Label) {
	if r.Many {
		c.info.Branches[r] = walkable(c.info.Branches[r], possible[left], possible[right])
		if r.Min == 0 {
			return
		}
		var starts, stops []cmdb.Label
		for _, b := range c.info.Branches[r] {
			from, to := b.Ends()
			starts, stops = union(starts, labels(from)), union(stops, labels(to))
		}
		possible[left], possible[right] = intersect(possible[left], starts), intersect(possible[right], stops)
		return
	}
	var kept []Branch
	var starts, stops []cmdb.Label
	for _, b := range c.info.Branches[r] {
		from, to := b.Ends()
		if slices.Contains(possible[left], from) && slices.Contains(possible[right], to) && (left != right || from == to) {
			kept = append(kept, b)
			starts, stops = union(starts, labels(from)), union(stops, labels(to))
		}
	}
	c.info.Branches[r] = kept
	possible[left] = intersect(possible[left], starts)
	possible[right] = intersect(possible[right], stops)
}

// walkable keeps the branches that a walk from one of the labels to another can
// use at all.
func walkable(branches []Branch, from, to []cmdb.Label) []Branch {
	reach := func(start []cmdb.Label, back bool) []cmdb.Label {
		seen := slices.Clone(start)
		for grown := true; grown; {
			grown = false
			for _, b := range branches {
				a, z := b.Ends()
				if back {
					a, z = z, a
				}
				if slices.Contains(seen, a) && !slices.Contains(seen, z) {
					seen, grown = append(seen, z), true
				}
			}
		}
		return seen
	}
	ahead, behind := reach(from, false), reach(to, true)
	return slices.DeleteFunc(slices.Clone(branches), func(b Branch) bool {
		a, z := b.Ends()
		return !slices.Contains(ahead, a) || !slices.Contains(behind, z)
	})
}

// impossible says why a relationship of a pattern matches nothing.
func (c *checker) impossible(path *syntax.Path, i int) string {
	r := path.Rels[i]
	if len(r.Types) != 1 {
		return "no relationship of the graph leads there; docs/graph.md shows which do"
	}
	for _, e := range edgesNamed(c.relType(r).Edges) {
		return fmt.Sprintf("%s leads from %s to %s: this pattern matches nothing", e.Type, e.From, e.To)
	}
	return ""
}

func (c *checker) relType(r *syntax.Rel) Type {
	if t := c.info.Rels[r].Type; t.Kind == List {
		return *t.Elem
	}
	return c.info.Rels[r].Type
}
