package syntax

import (
	"slices"
	"strings"
)

// Parse reads a question. Its error is a *Problem.
func Parse(source string) (*Query, error) {
	tokens, problem := lex(source)
	if problem != nil {
		return nil, problem
	}
	p := &parser{source: source, tokens: tokens}
	query, problem := p.whole()
	if problem != nil {
		return nil, problem
	}
	return query, nil
}

// parser walks over the tokens. Its methods panic with a *Problem, which whole
// recovers: a descent of twenty levels is unreadable with an error at each.
type parser struct {
	source      string
	tokens      []token
	at          int
	depth       int
	nodes, rels int
}

func (p *parser) whole() (q *Query, problem *Problem) {
	defer func() {
		if r := recover(); r != nil {
			known, ok := r.(*Problem)
			if !ok {
				panic(r)
			}
			q, problem = nil, known
		}
	}()
	return p.query(), nil
}

func (p *parser) fail(pos Pos, format string, args ...any) {
	panic(At(p.source, pos, format, args...))
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) ahead(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

func (t token) is(s string) bool { return t.kind == symbol && t.text == s }

func (t token) isWord(w string) bool { return t.kind == word && strings.EqualFold(t.text, w) }

func (p *parser) got(s string) bool {
	if p.peek().is(s) {
		p.at++
		return true
	}
	return false
}

// gotWords takes the keywords if all of them follow.
func (p *parser) gotWords(words ...string) bool {
	for i, w := range words {
		if !p.ahead(i).isWord(w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) want(s, where string) Pos {
	t := p.peek()
	if !p.got(s) {
		p.fail(t.pos, "%q is missing %s; found %s", s, where, describe(t))
	}
	return t.pos
}

func (p *parser) wantWord(w, where string) {
	if !p.gotWords(w) {
		p.fail(p.peek().pos, "%s is missing %s; found %s", w, where, describe(p.peek()))
	}
}

// describe names a token in an error. What the client wrote stands there as it
// was written, cut to a length.
func describe(t token) string {
	switch t.kind {
	case end:
		return "the end of the question"
	case text:
		return "a string"
	case parameter:
		return "a parameter"
	}
	if len(t.text) > 40 {
		return "a long name"
	}
	return `"` + t.text + `"`
}

// reserved words cannot be names unless they stand in backticks.
var reserved = []string{"MATCH", "OPTIONAL", "WHERE", "WITH", "UNWIND", "RETURN", "ORDER", "BY", "SKIP", "LIMIT", "DISTINCT", "AS", "AND", "OR", "XOR", "NOT", "IN",
	"STARTS", "ENDS", "CONTAINS", "IS", "NULL", "TRUE", "FALSE", "CASE", "WHEN", "THEN", "ELSE", "END", "UNION", "CREATE", "MERGE", "SET", "DELETE", "DETACH", "REMOVE"}

func (p *parser) name(what string) Name {
	t := p.next()
	switch {
	case t.kind == quotedWord, t.kind == word && !slices.Contains(reserved, strings.ToUpper(t.text)):
	case t.kind == word:
		p.fail(t.pos, "%s cannot be %s: it is a word of the language; write it in `backticks`", t.text, what)
	default:
		p.fail(t.pos, "%s is missing; found %s", what, describe(t))
	}
	if len(t.text) > maxName {
		p.fail(t.pos, "%s is longer than %d bytes", what, maxName)
	}
	return Name{t.pos, t.text}
}

// maxName bounds a name, in bytes.
const maxName = 128

// anyName is a name where keywords are names too: of properties, labels, types.
func (p *parser) anyName(what string) Name {
	if t := p.peek(); t.kind == word && len(t.text) <= maxName {
		p.at++
		return Name{t.pos, t.text}
	}
	return p.name(what)
}

// enter counts a level of recursion; each is left by leave.
func (p *parser) enter() {
	if p.depth++; p.depth > MaxDepth {
		p.fail(p.peek().pos, "this is nested more than %d levels deep", MaxDepth)
	}
}

func (p *parser) leave() { p.depth-- }
