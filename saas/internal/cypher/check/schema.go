package check

import (
	"slices"

	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/syntax"
)

func labels(all ...cmdb.Label) []cmdb.Label { return all }

func allLabels() (all []cmdb.Label) {
	for _, v := range cmdb.Vertices {
		all = append(all, v.Label)
	}
	return all
}

func allEdges() (all []cmdb.EdgeType) {
	for _, e := range cmdb.Edges {
		all = append(all, e.Type)
	}
	return all
}

func edgesNamed(types []cmdb.EdgeType) (all []cmdb.EdgeSpec) {
	for _, e := range cmdb.Edges {
		if slices.Contains(types, e.Type) {
			all = append(all, e)
		}
	}
	return all
}

// label resolves a label that was written.
func (c *checker) label(n syntax.Name) cmdb.Label {
	if slices.Contains(allLabels(), cmdb.Label(n.Text)) {
		return cmdb.Label(n.Text)
	}
	var names []string
	for _, l := range allLabels() {
		names = append(names, string(l))
	}
	c.failName(n, "label", names)
	return ""
}

// edge resolves a type that was written.
func (c *checker) edge(n syntax.Name) cmdb.EdgeType {
	if slices.Contains(allEdges(), cmdb.EdgeType(n.Text)) {
		return cmdb.EdgeType(n.Text)
	}
	var names []string
	for _, e := range allEdges() {
		names = append(names, string(e))
	}
	c.failName(n, "relationship type", names)
	return ""
}

func (c *checker) failName(n syntax.Name, what string, names []string) {
	if near := syntax.Nearest(n.Text, names); near != "" {
		c.fail(n.Pos, "there is no %s %.60s; is %s meant?", what, n.Text, near)
	}
	slices.Sort(names)
	c.fail(n.Pos, "there is no %s %.60s; there are %s", what, n.Text, joined(names))
}
