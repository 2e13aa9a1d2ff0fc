package syntax

import "strconv"

func (p *parser) namedPath() *Path {
	var name Name
	t := p.peek()
	if (t.kind == word || t.kind == quotedWord) && p.ahead(1).is("=") {
		name = p.name("the name of the path")
		p.want("=", "after the name of the path")
	}
	if t := p.peek(); t.isWord("shortestPath") || t.isWord("allShortestPaths") {
		p.fail(t.pos, "%s is not part of the language; use a pattern of variable length, ORDER BY length(p) and LIMIT 1", t.text)
	}
	path := p.path()
	path.Name = name
	return path
}

func (p *parser) path() *Path {
	path := &Path{Pos: p.peek().pos, Nodes: []*Node{p.node()}}
	for t := p.peek(); t.is("-") || t.is("<"); t = p.peek() {
		path.Rels = append(path.Rels, p.rel())
		path.Nodes = append(path.Nodes, p.node())
	}
	return path
}

func (p *parser) node() *Node {
	n := &Node{Pos: p.want("(", "where a node (n:Label) is expected")}
	if p.nodes++; p.nodes > MaxNodes {
		p.fail(n.Pos, "this is node %d of the question's patterns; at most %d are answered", p.nodes, MaxNodes)
	}
	if t := p.peek(); t.kind == word || t.kind == quotedWord {
		n.Name = p.name("the name of the node")
	}
	n.Labels = p.labels("the label of the node")
	n.Props = p.props()
	p.want(")", "to end the node")
	return n
}

func (p *parser) labels(what string) (all []Name) {
	for p.got(":") {
		all = append(all, p.anyName(what))
		if t := p.peek(); t.is("|") || t.is("&") || t.is("!") {
			p.fail(t.pos, "labels are not combined with %s; write WHERE n:A OR n:B", t.text)
		}
	}
	return all
}

// props reads {name: value} or a parameter that holds such a map.
func (p *parser) props() Expr {
	t := p.peek()
	switch {
	case t.is("{"):
		return p.mapLiteral()
	case t.kind == parameter:
		p.at++
		return &Parameter{t.pos, t.text}
	}
	return nil
}

func (p *parser) rel() *Rel {
	r := &Rel{Pos: p.peek().pos, Min: 1, Max: 1}
	if p.rels++; p.rels > MaxRelations {
		p.fail(r.Pos, "this is relationship %d of the question's patterns; at most %d are answered", p.rels, MaxRelations)
	}
	left := p.got("<")
	p.want("-", "where a relationship -[:TYPE]-> is expected")
	if p.got("[") {
		if t := p.peek(); t.kind == word || t.kind == quotedWord {
			r.Name = p.name("the name of the relationship")
		}
		if p.got(":") {
			r.Types = append(r.Types, p.anyName("the type of the relationship"))
			for p.got("|") {
				p.got(":")
				r.Types = append(r.Types, p.anyName("the type of the relationship"))
			}
		}
		if star := p.peek().pos; p.got("*") {
			p.hops(r, star)
		}
		r.Props = p.props()
		p.want("]", "to end the relationship")
	}
	p.want("-", "after the relationship")
	right := p.got(">")
	switch {
	case left && !right:
		r.Direction = Left
	case right && !left:
		r.Direction = Right
	}
	return r
}

// hops reads what follows the *: nothing, n, n.., ..m or n..m.
func (p *parser) hops(r *Rel, star Pos) {
	r.Many, r.Max = true, MaxHops
	number := func() (int, bool) {
		t := p.peek()
		if t.kind != integer {
			return 0, false
		}
		p.at++
		n, err := strconv.Atoi(t.text)
		if err != nil || n > MaxHops {
			p.fail(t.pos, "%s hops are too many; at most %d are walked", describe(t), MaxHops)
		}
		return n, true
	}
	n, low := number()
	if low {
		r.Min = n
	}
	if !p.got("..") {
		if low {
			r.Max = n
			return
		}
		p.fail(star, "say how far to walk, at most %d hops: *1..%d", MaxHops, MaxHops)
	}
	m, high := number()
	if !high {
		p.fail(star, "say how far to walk, at most %d hops: *%d..%d", MaxHops, r.Min, MaxHops)
	}
	if m < r.Min {
		p.fail(star, "*%d..%d is an empty range of hops", r.Min, m)
	}
	r.Max = m
}

// patternAhead reports whether the parenthesis that comes next begins a
// pattern: a node, and then a dash that leads on.
func (p *parser) patternAhead() bool {
	i, open := 0, 0
	for ; ; i++ {
		t := p.ahead(i)
		if t.kind == end || i > maxNodeTokens {
			return false
		}
		if t.is("(") || t.is("{") || t.is("[") {
			open++
		}
		if t.is(")") || t.is("}") || t.is("]") {
			if open--; open == 0 {
				break
			}
		}
	}
	// What stands between must be able to be a node.
	first := p.ahead(1)
	plain := first.is(")") || first.is(":") || first.is("{") || first.kind == parameter && p.ahead(2).is(")")
	if first.kind == word || first.kind == quotedWord {
		second := p.ahead(2)
		plain = second.is(")") || second.is(":") || second.is("{")
	}
	if !plain {
		return false
	}
	a, b, c := p.ahead(i+1), p.ahead(i+2), p.ahead(i+3)
	if a.is("-") {
		return b.is("[") || b.is("-") && (c.is("(") || c.is(">"))
	}
	return a.is("<") && a.glue && b.is("-") && (c.is("[") || c.is("-"))
}

// maxNodeTokens is how far patternAhead looks for the node's end.
const maxNodeTokens = 200
