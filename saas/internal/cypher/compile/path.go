package compile

import (
	"fmt"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// path is how the SQL speaks of a path: its parts, or where it was handed on as
// a value, jsonb of nodes and relationships in turn.
type path struct {
	nodes []*element
	rels  []pathRel
	whole string
	// id is the SQL of something that is null when the path is.
	id string
}

// pathRel is one relationship of a path, or the list of a walk.
type pathRel struct {
	*element
	list string // jsonb
}

func (b *builder) pathOf(p *syntax.Path) *path {
	result := &path{}
	for _, n := range p.Nodes {
		result.nodes = append(result.nodes, b.env[b.info.Nodes[n]].element)
	}
	for _, r := range p.Rels {
		bound := b.env[b.info.Rels[r]]
		result.rels = append(result.rels, pathRel{bound.element, bound.sql})
	}
	result.id = result.nodes[0].id
	return result
}

// exported hands the parts on one by one, through columns that add makes.
func (p *path) exported(add func(sql string) string) *path {
	part := func(e *element) *element {
		out := &element{id: add(e.id), label: add(e.label)}
		if e.start != "" {
			out.start, out.end = add(e.start), add(e.end)
		}
		if e.props != "" {
			out.props = add(e.props)
		}
		return out
	}
	result := &path{}
	for _, n := range p.nodes {
		result.nodes = append(result.nodes, part(n))
	}
	for _, r := range p.rels {
		if r.element == nil {
			result.rels = append(result.rels, pathRel{list: add(r.list)})
		} else {
			result.rels = append(result.rels, pathRel{element: part(r.element)})
		}
	}
	result.id = result.nodes[0].id
	return result
}

// many reports whether a part of the path is of variable length.
func (p *path) many() bool {
	for _, r := range p.rels {
		if r.element == nil {
			return true
		}
	}
	return false
}

// pathJSON is the path as a value.
func (b *builder) pathJSON(p *path) string {
	if p.whole != "" {
		return p.whole
	}
	if p.many() {
		b.fail(0, "a path of variable length is not shown whole; use relationships(p), length(p) or its nodes by name")
	}
	parts := []string{p.nodes[0].json(check.Node)}
	for i, r := range p.rels {
		parts = append(parts, r.element.json(check.Rel), p.nodes[i+1].json(check.Node))
	}
	return p.orNull("jsonb_build_array(" + strings.Join(parts, ", ") + ")")
}

func (p *path) orNull(sql string) string {
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN %s END", p.id, sql)
}

func (b *builder) pathLength(p *path) string {
	if p.whole != "" {
		return fmt.Sprintf("((jsonb_array_length(%s) - 1) / 2)::bigint", p.whole)
	}
	fixed := 0
	parts := []string{}
	for _, r := range p.rels {
		if r.element != nil {
			fixed++
		} else {
			parts = append(parts, "jsonb_array_length("+r.list+")")
		}
	}
	return p.orNull(fmt.Sprintf("(%s)::bigint", strings.Join(append(parts, fmt.Sprint(fixed)), " + ")))
}

func (b *builder) pathRels(p *path) string {
	if p.whole != "" {
		return "cypher.every_other(" + p.whole + ", 2)"
	}
	parts := []string{"'[]'::jsonb"}
	for _, r := range p.rels {
		if r.element != nil {
			parts = append(parts, "jsonb_build_array("+r.element.json(check.Rel)+")")
		} else {
			parts = append(parts, r.list)
		}
	}
	return p.orNull(strings.Join(parts, " || "))
}

func (b *builder) pathNodes(pos syntax.Pos, p *path) string {
	if p.whole != "" {
		return "cypher.every_other(" + p.whole + ", 1)"
	}
	if p.many() {
		b.fail(pos, "the nodes of a path of variable length are not listed; use its nodes by name, or relationships(p)")
	}
	var parts []string
	for _, n := range p.nodes {
		parts = append(parts, n.json(check.Node))
	}
	return p.orNull("jsonb_build_array(" + strings.Join(parts, ", ") + ")")
}
