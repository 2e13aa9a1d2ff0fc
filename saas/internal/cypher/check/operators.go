package check

import (
	"assimilation/saas/internal/cypher/syntax"
)

func (c *checker) unary(x *syntax.Unary) Type {
	if x.Op == "NOT" {
		c.condition(x.X, "NOT")
		return of(Bool)
	}
	t := c.expr(x.X)
	if !t.isNumber() {
		c.fail(x.X.At(), "only a number has a sign; this is %s", t)
	}
	return t
}

func (c *checker) binary(x *syntax.Binary) Type {
	switch x.Op {
	case "AND", "OR", "XOR":
		c.condition(x.X, x.Op)
		c.condition(x.Y, x.Op)
		return of(Bool)
	case "IN":
		c.expr(x.X)
		if t := c.expr(x.Y); t.Kind != List && t.Kind != Any && t.Kind != Null {
			c.fail(x.Y.At(), "IN needs a list; this is %s", t)
		}
		return of(Bool)
	case "STARTS WITH", "ENDS WITH", "CONTAINS", "=~":
		for _, side := range []syntax.Expr{x.X, x.Y} {
			if t := c.expr(side); t.Kind != String && t.Kind != Any && t.Kind != Null {
				c.fail(side.At(), "%s compares strings; this is %s", x.Op, t)
			}
		}
		if x.Op == "=~" {
			c.regex(x.Y)
		}
		return of(Bool)
	case "+":
		return c.plus(x)
	}
	a, b := c.expr(x.X), c.expr(x.Y)
	for _, side := range []syntax.Expr{x.X, x.Y} {
		if t := c.info.Types[side]; !t.isNumber() {
			c.fail(side.At(), "%s calculates with numbers; this is %s", x.Op, t)
		}
	}
	return numeric(x.Op, a, b)
}

// numeric is the type of a calculation.
func numeric(op string, a, b Type) Type {
	switch {
	case a.Kind == Null || b.Kind == Null:
		return of(Null)
	case op == "^":
		return of(Float)
	case a.Kind == Any || b.Kind == Any:
		return of(Any)
	case a.Kind == Int && b.Kind == Int:
		return of(Int)
	}
	return of(Float)
}

// plus adds numbers, and joins strings and lists.
func (c *checker) plus(x *syntax.Binary) Type {
	a, b := c.expr(x.X), c.expr(x.Y)
	switch {
	case a.Kind == List && b.Kind == List:
		return c.merged(x.Pos, a, b)
	case a.Kind == List && b.Kind == Any, b.Kind == List && a.Kind == Any:
		return c.merged(x.Pos, listOf(of(Any)), map[bool]Type{true: a, false: b}[a.Kind == List])
	case a.Kind == Null || b.Kind == Null:
		return of(Null)
	case a.Kind == List:
		return listOf(c.merged(x.Pos, *a.Elem, b))
	case b.Kind == List:
		return listOf(c.merged(x.Pos, *b.Elem, a))
	}
	for _, side := range []syntax.Expr{x.X, x.Y} {
		if t := c.info.Types[side]; !t.isNumber() && t.Kind != String {
			c.fail(side.At(), "+ adds numbers and joins strings and lists; this is %s", t)
		}
	}
	if a.Kind == String && b.Kind != Any || b.Kind == String && a.Kind != Any {
		return of(String)
	}
	if a.Kind == String || b.Kind == String {
		return of(Any)
	}
	return numeric("+", a, b)
}

func (c *checker) compare(x *syntax.Compare) Type {
	for _, o := range x.Operands {
		c.light(o)
	}
	for i, op := range x.Ops {
		c.comparable(x.Operands[i+1].At(), op, c.info.Types[x.Operands[i]], c.info.Types[x.Operands[i+1]])
	}
	return of(Bool)
}

// comparable refuses comparisons that can only be mistakes.
func (c *checker) comparable(pos syntax.Pos, op string, a, b Type) {
	if a.Kind == Path || b.Kind == Path {
		c.fail(pos, "paths are not compared; compare their nodes or length(p)")
	}
	if op != "=" && op != "<>" {
		for _, t := range []Type{a, b} {
			if t.Kind == Node || t.Kind == Rel || t.Kind == Map {
				c.fail(pos, "%s has no order; compare a property, as in n.name", t)
			}
		}
		return
	}
	isElement := func(t Type) bool { return t.Kind == Node || t.Kind == Rel }
	if a.Kind != b.Kind && (isElement(a) || isElement(b)) && a.Kind != Null && b.Kind != Null {
		c.fail(pos, "%s and %s are never equal; compare a property, as in n.name", a, b)
	}
}

// regex refuses patterns that are not constant, or not ours.
func (c *checker) regex(x syntax.Expr) {
	text, ok := "", false
	switch x := x.(type) {
	case *syntax.Literal:
		text, ok = x.Value.(string)
		ok = ok || x.Value == nil
	case *syntax.Parameter:
		text, ok = c.info.Parameters[x.Name].(string)
		ok = ok || c.info.Parameters[x.Name] == nil
	}
	if !ok {
		c.fail(x.At(), "a regular expression is a string or a parameter, not calculated")
	}
	if _, err := TranslateRegex(text); err != nil {
		c.fail(x.At(), "%s", err)
	}
}
