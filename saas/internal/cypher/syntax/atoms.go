package syntax

import "strings"

// keyword reads what begins with a word of the language; nil: it is a name.
func (p *parser) keyword(t token) Expr {
	switch strings.ToUpper(t.text) {
	case "NULL":
		p.at++
		return &Literal{t.pos, nil}
	case "TRUE", "FALSE":
		p.at++
		return &Literal{t.pos, strings.EqualFold(t.text, "true")}
	case "CASE":
		return p.caseOf()
	case "EXISTS":
		switch {
		case p.ahead(1).is("{"):
			p.fail(t.pos, "EXISTS { } is not part of the language; write the pattern itself: WHERE (a)-[:TYPE]->()")
		case p.ahead(1).is("("):
			return p.existsCall()
		}
	case "COUNT", "COLLECT":
		if p.ahead(1).is("{") {
			p.fail(t.pos, "there are no subqueries; use MATCH and %s()", strings.ToLower(t.text))
		}
	case "ALL", "ANY", "NONE", "SINGLE":
		if p.ahead(1).is("(") {
			return p.quantifier()
		}
	case "FILTER", "EXTRACT", "REDUCE":
		if p.ahead(1).is("(") {
			p.fail(t.pos, "%s is not part of the language; use a list comprehension: [x IN list WHERE x > 1 | x * 2]", t.text)
		}
	case "SHORTESTPATH", "ALLSHORTESTPATHS":
		if p.ahead(1).is("(") {
			p.fail(t.pos, "%s is not part of the language; use a pattern of variable length, ORDER BY length(p) and LIMIT 1", t.text)
		}
	}
	return nil
}

// existsCall reads exists(pattern) and exists(x.name).
func (p *parser) existsCall() Expr {
	t := p.next()
	p.want("(", "after exists")
	var x Expr
	if p.peek().is("(") && p.patternAhead() {
		x = p.exists()
	} else {
		x = &IsNull{t.pos, p.expr(), true}
	}
	p.want(")", "to end exists(")
	return x
}

func (p *parser) call(name Name) Expr {
	c := &Call{Pos: name.Pos, Name: name.Text}
	p.want("(", "after the name of the function")
	if p.got("*") {
		c.Star = true
		p.want(")", "after the *")
		return c
	}
	c.Distinct = p.gotWords("DISTINCT")
	for !p.peek().is(")") {
		c.Args = append(c.Args, p.expr())
		if len(c.Args) > maxItems {
			p.fail(c.Pos, "more than %d arguments", maxItems)
		}
		if !p.got(",") {
			break
		}
	}
	p.want(")", "to end the arguments of "+describeName(name.Text))
	return c
}

func describeName(s string) string {
	if len(s) > 40 {
		return "the function"
	}
	return s + "()"
}

// maxItems bounds the items that are written in a list, map or call.
const maxItems = 1000

func (p *parser) listLiteral() Expr {
	pos := p.want("[", "")
	if t := p.peek(); (t.kind == word || t.kind == quotedWord) && p.ahead(1).isWord("IN") {
		c := &Comprehension{Pos: pos, As: p.name("the name of the list's items")}
		p.at++ // IN
		c.List = p.expr()
		if p.gotWords("WHERE") {
			c.Where = p.expr()
		}
		if p.got("|") {
			c.Yield = p.expr()
		}
		p.want("]", "to end the list comprehension")
		return c
	}
	l := &List{Pos: pos}
	if p.peek().is("(") && p.patternAhead() {
		p.fail(p.peek().pos, "pattern comprehensions are not part of the language; use MATCH and collect()")
	}
	for !p.peek().is("]") {
		l.Items = append(l.Items, p.expr())
		if len(l.Items) > maxItems {
			p.fail(l.Pos, "more than %d items in a list; pass it as a parameter", maxItems)
		}
		if !p.got(",") {
			break
		}
	}
	p.want("]", "to end the list")
	return l
}

func (p *parser) quantifier() Expr {
	t := p.next()
	c := &Comprehension{Pos: t.pos, Quantifier: strings.ToLower(t.text)}
	p.want("(", "after "+t.text)
	c.As = p.name("the name of the list's items")
	p.wantWord("IN", "after the name")
	c.List = p.expr()
	p.wantWord("WHERE", "in "+strings.ToLower(t.text)+"(x IN list WHERE condition)")
	c.Where = p.expr()
	p.want(")", "to end "+strings.ToLower(t.text)+"(")
	return c
}

func (p *parser) mapLiteral() Expr {
	m := &Map{Pos: p.want("{", "")}
	for !p.peek().is("}") {
		key := p.anyName("the name of a property")
		for _, k := range m.Keys {
			if k.Text == key.Text {
				p.fail(key.Pos, "%s is in this map already", describe(token{kind: word, text: key.Text}))
			}
		}
		if len(m.Keys) == maxKeys {
			p.fail(key.Pos, "more than %d names in a map", maxKeys)
		}
		p.want(":", "after the name of a property")
		m.Keys = append(m.Keys, key)
		m.Values = append(m.Values, p.expr())
		if !p.got(",") {
			break
		}
	}
	p.want("}", "to end the map")
	return m
}

// maxKeys bounds a map that is written: jsonb_build_object takes 100 arguments.
const maxKeys = 50

func (p *parser) caseOf() Expr {
	c := &Case{Pos: p.next().pos}
	if !p.peek().isWord("WHEN") {
		c.Test = p.expr()
	}
	for p.gotWords("WHEN") {
		if len(c.Whens) == maxWhens {
			p.fail(c.Pos, "more than %d branches in one CASE", maxWhens)
		}
		w := When{If: p.expr()}
		p.wantWord("THEN", "after WHEN")
		w.Then = p.expr()
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		p.fail(p.peek().pos, "WHEN is missing in CASE; found %s", describe(p.peek()))
	}
	if p.gotWords("ELSE") {
		c.Else = p.expr()
	}
	p.wantWord("END", "to end CASE")
	return c
}

// maxWhens bounds the branches of a CASE.
const maxWhens = 100
