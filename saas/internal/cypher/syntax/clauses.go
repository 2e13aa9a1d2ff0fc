package syntax

import "strings"

// refused are clauses of Cypher that are not of this language, and why.
var refused = map[string]string{
	"CREATE":     "questions only read; the graph is written by what hosts report",
	"MERGE":      "questions only read; the graph is written by what hosts report",
	"SET":        "questions only read; the graph is written by what hosts report",
	"REMOVE":     "questions only read; the graph is written by what hosts report",
	"DELETE":     "questions only read; an element goes when its host no longer reports it",
	"DETACH":     "questions only read; an element goes when its host no longer reports it",
	"FOREACH":    "it is for writing, and questions only read",
	"DROP":       "questions only read; labels and indexes are the service's",
	"ALTER":      "questions only read; labels and indexes are the service's",
	"GRANT":      "rights are given on the account page",
	"DENY":       "rights are given on the account page",
	"REVOKE":     "rights are given on the account page",
	"CALL":       "there are no procedures and no subqueries",
	"YIELD":      "there are no procedures",
	"LOAD":       "files are not read",
	"USE":        "a question sees the graph of its tenant, and no other",
	"UNION":      "ask two questions, or use OR and IN",
	"EXPLAIN":    "ask for it with the option explain",
	"PROFILE":    "ask for the plan with the option explain",
	"SHOW":       "docs/graph.md lists labels and types",
	"START":      "say where to start with MATCH",
	"USING":      "the planner chooses indexes by itself",
	"PERIODIC":   "questions only read",
	"COPY":       "this is SQL; questions are asked in Cypher",
	"SELECT":     "this is SQL; questions are asked in Cypher",
	"INSERT":     "this is SQL; questions are asked in Cypher",
	"UPDATE":     "this is SQL; questions are asked in Cypher",
	"TRUNCATE":   "this is SQL; questions are asked in Cypher",
	"BEGIN":      "a question is its own transaction",
	"COMMIT":     "a question is its own transaction",
	"ROLLBACK":   "a question is its own transaction",
	"CONSTRAINT": "questions only read",
	"TERMINATE":  "questions only read",
	"FINISH":     "a question ends with RETURN",
	"LET":        "use WITH",
	"FILTER":     "use WITH and WHERE",
}

func (p *parser) query() *Query {
	q := &Query{Source: p.source}
	if p.peek().kind == end {
		p.fail(0, "the question is empty; begin with MATCH (n:Label) RETURN n")
	}
	for {
		t := p.peek()
		if len(q.Clauses) == MaxClauses {
			p.fail(t.pos, "this is clause %d; at most %d are answered", MaxClauses+1, MaxClauses)
		}
		switch {
		case p.gotWords("MATCH"):
			q.Clauses = append(q.Clauses, p.match(t.pos, false))
		case p.gotWords("OPTIONAL", "MATCH"):
			q.Clauses = append(q.Clauses, p.match(t.pos, true))
		case p.gotWords("UNWIND"):
			u := &Unwind{Pos: t.pos, List: p.expr()}
			p.wantWord("AS", "after the list of UNWIND")
			u.As = p.name("the name of the list's items")
			q.Clauses = append(q.Clauses, u)
		case p.gotWords("WITH"):
			q.Clauses = append(q.Clauses, p.projection(t.pos, false))
		case p.gotWords("RETURN"):
			q.Clauses = append(q.Clauses, p.projection(t.pos, true))
			p.got(";")
			p.wantEnd()
			return q
		default:
			p.noClause(t)
		}
	}
}

func (p *parser) wantEnd() {
	t := p.peek()
	if t.kind == end {
		return
	}
	if t.kind == word && refused[strings.ToUpper(t.text)] != "" {
		p.noClause(t)
	}
	p.fail(t.pos, "nothing can follow RETURN but ORDER BY, SKIP and LIMIT; found %s", describe(t))
}

// noClause says what is wrong where a clause was expected.
func (p *parser) noClause(t token) {
	if t.kind == end {
		p.fail(t.pos, "the question has no RETURN: say what it shall answer with")
	}
	name := strings.ToUpper(t.text)
	if why := refused[name]; t.kind == word && why != "" {
		p.fail(t.pos, "%s is refused: %s", name, why)
	}
	if near := Nearest(name, []string{"MATCH", "OPTIONAL MATCH", "UNWIND", "WITH", "RETURN", "WHERE"}); t.kind == word && near != "" && near != name {
		p.fail(t.pos, "%s is no clause; is %s meant?", describe(t), near)
	}
	if t.isWord("WHERE") {
		p.fail(t.pos, "WHERE belongs to a MATCH or WITH right before it")
	}
	p.fail(t.pos, "a clause (MATCH, OPTIONAL MATCH, UNWIND, WITH or RETURN) is expected; found %s", describe(t))
}

func (p *parser) match(pos Pos, optional bool) *Match {
	m := &Match{Pos: pos, Optional: optional}
	for {
		m.Paths = append(m.Paths, p.namedPath())
		if !p.got(",") {
			break
		}
	}
	if p.gotWords("WHERE") {
		m.Where = p.expr()
	}
	return m
}

func (p *parser) projection(pos Pos, returns bool) *Projection {
	c := &Projection{Pos: pos, Return: returns, Distinct: p.gotWords("DISTINCT")}
	if p.got("*") {
		c.All = true
	}
	for !c.All || p.got(",") {
		c.Items = append(c.Items, p.item())
		if !c.All && !p.got(",") {
			break
		}
	}
	if p.gotWords("ORDER") {
		p.wantWord("BY", "after ORDER")
		for {
			s := &Sort{Expr: p.expr()}
			if p.gotWords("DESC") || p.gotWords("DESCENDING") {
				s.Descending = true
			} else if !p.gotWords("ASC") {
				p.gotWords("ASCENDING")
			}
			c.Order = append(c.Order, s)
			if !p.got(",") {
				break
			}
		}
	}
	if p.gotWords("SKIP") || p.gotWords("OFFSET") {
		c.Skip = p.expr()
	}
	if p.gotWords("LIMIT") {
		c.Limit = p.expr()
	}
	if !returns && p.gotWords("WHERE") {
		c.Where = p.expr()
	}
	return c
}

func (p *parser) item() *Item {
	first := p.peek()
	x := p.expr()
	last := p.peek().pos
	if p.gotWords("AS") {
		return &Item{Expr: x, As: p.name("the name of the column")}
	}
	as := strings.TrimSpace(p.source[first.pos:last])
	if v, ok := x.(*Variable); ok {
		as = v.Name // without backticks
	}
	return &Item{Expr: x, As: Name{first.pos, as}, Bare: true}
}
