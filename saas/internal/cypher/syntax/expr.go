package syntax

import (
	"math"
	"strconv"
	"strings"
)

// The levels, from the loosest: OR, XOR, AND, NOT, comparison, then IS NULL, IN
// and the string operators, then + -, * / %, ^, sign, then what is within.

func (p *parser) expr() Expr {
	p.enter()
	defer p.leave()
	return p.binary(p.xor, "OR")
}

func (p *parser) xor() Expr { return p.binary(p.and, "XOR") }
func (p *parser) and() Expr { return p.binary(p.not, "AND") }

// binary reads operands that words or symbols join, from left to right.
func (p *parser) binary(operand func() Expr, ops ...string) Expr {
	x := operand()
	for count := 0; ; count++ {
		op, pos, ok := p.operator(ops)
		if !ok {
			return x
		}
		if count == maxChain {
			p.fail(pos, "more than %d operators stand in one row", maxChain)
		}
		x = &Binary{pos, op, x, operand()}
	}
}

// maxChain bounds a + b + c ...: the tree of it is as deep as it is long.
const maxChain = 100

func (p *parser) operator(ops []string) (string, Pos, bool) {
	t := p.peek()
	for _, op := range ops {
		if t.is(op) || t.isWord(op) {
			p.at++
			return op, t.pos, true
		}
	}
	return "", 0, false
}

func (p *parser) not() Expr {
	t := p.peek()
	if !p.gotWords("NOT") {
		return p.compare()
	}
	p.enter()
	defer p.leave()
	return &Unary{t.pos, "NOT", p.not()}
}

func (p *parser) compare() Expr {
	c := &Compare{Operands: []Expr{p.tests()}}
	for {
		op, pos, ok := p.operator([]string{"=", "<>", "<=", ">=", "<", ">"})
		if !ok {
			break
		}
		if len(c.Ops) == 0 {
			c.Pos = pos
		}
		if len(c.Ops) == 8 {
			p.fail(pos, "more than 8 comparisons stand in one row")
		}
		c.Ops = append(c.Ops, op)
		c.Operands = append(c.Operands, p.tests())
	}
	if t := p.peek(); t.is("!") && p.ahead(1).is("=") {
		p.fail(t.pos, "unequal is written <>")
	}
	if len(c.Ops) == 0 {
		return c.Operands[0]
	}
	return c
}

func (p *parser) sum() Expr {
	if t := p.peek(); t.is("||") {
		p.fail(t.pos, "strings and lists are joined by +")
	}
	return p.binary(p.product, "+", "-")
}

func (p *parser) product() Expr { return p.binary(p.power, "*", "/", "%") }
func (p *parser) power() Expr   { return p.binary(p.sign, "^") }

func (p *parser) sign() Expr {
	t := p.peek()
	if !p.got("-") && !p.got("+") {
		return p.postfix(p.atom())
	}
	// The least whole number has no positive twin.
	if next := p.peek(); t.is("-") && next.kind == integer && next.text == "9223372036854775808" {
		p.at++
		return p.postfix(&Literal{t.pos, int64(math.MinInt64)})
	}
	p.enter()
	defer p.leave()
	return &Unary{t.pos, t.text, p.sign()}
}

// tests reads IS NULL, IN, STARTS WITH, ENDS WITH, CONTAINS and =~ after an
// operand.
func (p *parser) tests() Expr {
	x := p.sum()
	for count := 0; ; count++ {
		t := p.peek()
		if count == maxChain {
			p.fail(t.pos, "more than %d operators stand in one row", maxChain)
		}
		switch {
		case p.gotWords("IS", "NULL"):
			x = &IsNull{t.pos, x, false}
		case p.gotWords("IS", "NOT", "NULL"):
			x = &IsNull{t.pos, x, true}
		case p.gotWords("IN"):
			x = &Binary{t.pos, "IN", x, p.sum()}
		case p.gotWords("STARTS", "WITH"):
			x = &Binary{t.pos, "STARTS WITH", x, p.sum()}
		case p.gotWords("ENDS", "WITH"):
			x = &Binary{t.pos, "ENDS WITH", x, p.sum()}
		case p.gotWords("CONTAINS"):
			x = &Binary{t.pos, "CONTAINS", x, p.sum()}
		case p.got("=~"):
			x = &Binary{t.pos, "=~", x, p.sum()}
		default:
			return x
		}
	}
}

// postfix reads .name, [i], [a..b] and :Label after an operand.
func (p *parser) postfix(x Expr) Expr {
	for count := 0; ; count++ {
		t := p.peek()
		if count == maxChain {
			p.fail(t.pos, "more than %d of these stand in one row", maxChain)
		}
		switch {
		case p.got("."):
			name := p.anyName("the name of a property")
			x = &Property{name.Pos, x, name.Text}
		case t.is(":"):
			x = &HasLabel{t.pos, x, p.labels("the label")}
		case p.got("["):
			x = p.subscript(x, t.pos)
		default:
			return x
		}
	}
}

func (p *parser) subscript(x Expr, pos Pos) Expr {
	if p.got("..") {
		s := &Slice{Pos: pos, X: x}
		if !p.peek().is("]") {
			s.To = p.expr()
		}
		p.want("]", "to end the range")
		return s
	}
	i := p.expr()
	if !p.got("..") {
		p.want("]", "to end the index")
		return &Index{pos, x, i}
	}
	s := &Slice{Pos: pos, X: x, From: i}
	if !p.peek().is("]") {
		s.To = p.expr()
	}
	p.want("]", "to end the range")
	return s
}

func (p *parser) atom() Expr {
	t := p.peek()
	switch t.kind {
	case integer:
		p.at++
		n, err := strconv.ParseInt(t.text, decimalUnlessPrefixed(t.text), 64)
		if err != nil {
			p.fail(t.pos, "%.40s is no whole number of 64 bits", t.text)
		}
		return &Literal{t.pos, n}
	case float:
		p.at++
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.fail(t.pos, "%.40s is no number of 64 bits", t.text)
		}
		return &Literal{t.pos, f}
	case text:
		p.at++
		return &Literal{t.pos, t.text}
	case parameter:
		p.at++
		return &Parameter{t.pos, t.text}
	case symbol:
		return p.bracketed(t)
	case word:
		if x := p.keyword(t); x != nil {
			return x
		}
	case end:
		p.fail(t.pos, "an expression is missing; found %s", describe(t))
	}
	name := p.name("an expression")
	if t.kind == word && p.peek().is("(") {
		return p.call(name)
	}
	if t.kind == word && p.peek().is(".") {
		if pos, full, ok := p.qualifiedCall(name); ok {
			p.fail(pos, "%.60s is no function of the language: names with dots are procedures of other products", full)
		}
	}
	return &Variable{name.Pos, name.Text}
}

func decimalUnlessPrefixed(s string) int {
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0o") {
		return 0
	}
	return 10
}

func (p *parser) bracketed(t token) Expr {
	switch t.text {
	case "(":
		if p.patternAhead() {
			return p.exists()
		}
		p.at++
		x := p.expr()
		p.want(")", "to end what the parenthesis began")
		return x
	case "[":
		return p.listLiteral()
	case "{":
		return p.mapLiteral()
	}
	p.fail(t.pos, "an expression is missing; found %s", describe(t))
	return nil
}

func (p *parser) exists() Expr {
	return &Exists{p.peek().pos, p.path()}
}

// qualifiedCall sees a.b.c( ahead.
func (p *parser) qualifiedCall(first Name) (Pos, string, bool) {
	full := first.Text
	for i := 0; p.ahead(i).is(".") && p.ahead(i+1).kind == word; i += 2 {
		full += "." + p.ahead(i+1).text
		if p.ahead(i + 2).is("(") {
			return first.Pos, full, true
		}
	}
	return 0, "", false
}
