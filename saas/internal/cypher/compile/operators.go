package compile

import (
	"fmt"
	"slices"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

func (b *builder) unary(x *syntax.Unary, t check.Type) value {
	v := b.expr(x.X)
	switch {
	case x.Op == "NOT":
		return value{t: t, sql: "(NOT " + b.truth(v) + ")"}
	case v.t.Kind == check.Null:
		return v
	case x.Op == "+" && v.t.Kind == check.Any:
		return value{t: t, sql: "cypher.calc(" + v.sql + ", '+', '0')"}
	case x.Op == "+":
		return v
	case v.t.Kind == check.Any:
		return value{t: t, sql: "cypher.negative(" + v.sql + ")"}
	}
	return value{t: t, sql: "(- " + v.sql + ")"}
}

func (b *builder) binary(x *syntax.Binary, t check.Type) value {
	left, right := b.expr(x.X), b.expr(x.Y)
	switch x.Op {
	case "AND", "OR":
		return value{t: t, sql: "(" + b.truth(left) + " " + x.Op + " " + b.truth(right) + ")"}
	case "XOR":
		return value{t: t, sql: "(" + b.truth(left) + " <> " + b.truth(right) + ")"}
	case "IN":
		return value{t: t, sql: b.in(left, right)}
	case "STARTS WITH":
		return value{t: t, sql: fmt.Sprintf("starts_with(%s, %s)", b.textOrNull(left), b.textOrNull(right))}
	case "ENDS WITH":
		return value{t: t, sql: fmt.Sprintf("starts_with(reverse(%s), reverse(%s))", b.textOrNull(left), b.textOrNull(right))}
	case "CONTAINS":
		return value{t: t, sql: fmt.Sprintf("(strpos(%s, %s) > 0)", b.textOrNull(left), b.textOrNull(right))}
	case "=~":
		return value{t: t, sql: b.matches(left, right)}
	}
	if t.Kind == check.Null {
		return b.null()
	}
	if x.Op == "+" {
		return b.plus(left, right, t)
	}
	return b.calc(left, x.Op, right, t)
}

// textOrNull is a string, or null for a value that is none: the operators on
// strings have no answer about others.
func (b *builder) textOrNull(v value) string {
	switch v.t.Kind {
	case check.String:
		return v.sql
	case check.Null:
		return "NULL::text"
	}
	return "cypher.text_or_null(" + b.json(v) + ")"
}

func (b *builder) matches(left, right value) string {
	if right.t.Kind == check.Null {
		return "NULL::boolean"
	}
	pattern, err := check.TranslateRegex(right.constant.(string))
	if err != nil {
		b.fail(0, "%s", err) // the check has seen it
	}
	return fmt.Sprintf("(%s ~ %s)", b.textOrNull(left), b.arg(pattern, "text"))
}

func (b *builder) plus(left, right value, t check.Type) value {
	isText := func(v value) bool { return v.t.Kind == check.String }
	switch {
	case t.Kind == check.String:
		return value{t: t, sql: fmt.Sprintf("cypher.join(%s, %s)", b.asString(left), b.asString(right))}
	case t.Kind == check.List:
		return value{t: t, sql: fmt.Sprintf("cypher.append(%s, %s)", b.asList(left), b.asList(right))}
	case t.Kind == check.Any && !isText(left) && !isText(right) && left.t.Kind != check.Any && right.t.Kind != check.Any:
		return b.calc(left, "+", right, t)
	case t.Kind == check.Any:
		return value{t: t, sql: fmt.Sprintf("cypher.plus(%s, %s)", b.json(left), b.json(right))}
	}
	return b.calc(left, "+", right, t)
}

// asString is how a value is joined to a string.
func (b *builder) asString(v value) string {
	if v.t.Kind == check.String {
		return v.sql
	}
	return "cypher.string(" + b.json(v) + ")"
}

// asList is a list as it is, and any other value as a list of itself. What is
// an item or a list is known when it is answered only.
func (b *builder) asList(v value) string {
	switch v.t.Kind {
	case check.List:
		return v.sql
	case check.Any:
		return fmt.Sprintf("cypher.plus('[]'::jsonb, %s)", v.sql)
	}
	return fmt.Sprintf("cypher.list_of(VARIADIC ARRAY[%s])", b.json(v))
}

// calc is arithmetic: in SQL where the types are known.
func (b *builder) calc(left value, op string, right value, t check.Type) value {
	switch {
	case op == "^":
		return value{t: t, sql: fmt.Sprintf("power(%s, %s)", b.typed(left, check.Float, "^"), b.typed(right, check.Float, "^"))}
	case t.Kind == check.Int:
		return value{t: t, sql: fmt.Sprintf("(%s %s %s)", left.sql, op, right.sql)}
	case t.Kind == check.Float && op != "%":
		return value{t: t, sql: fmt.Sprintf("(%s %s %s)", b.typed(left, check.Float, op), op, b.typed(right, check.Float, op))}
	}
	sql := fmt.Sprintf("cypher.calc(%s, '%s', %s)", b.json(left), op, b.json(right))
	return b.unboxed(t, sql)
}

func (b *builder) compare(x *syntax.Compare) string {
	operands := make([]value, len(x.Operands))
	for i, o := range x.Operands {
		operands[i] = b.expr(o)
	}
	var parts []string
	for i, op := range x.Ops {
		parts = append(parts, b.compareTwo(operands[i], op, operands[i+1]))
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// compareTwo compares two values. Where one is a property and the other a
// constant or a property too they are compared as the graph has them, so that an
// index may serve.
func (b *builder) compareTwo(left value, op string, right value) string {
	equality := op == "=" || op == "<>"
	switch {
	case left.t.Kind == check.Null || right.t.Kind == check.Null:
		return "NULL::boolean"
	case (left.element == nil) != (right.element == nil):
		return "NULL::boolean" // the check lets no other value stand beside an element than a null, as [][0]
	case left.element != nil:
		return fmt.Sprintf("(%s %s %s)", left.id, op, right.id)
	case equality && left.raw != "" && right.raw != "":
		return fmt.Sprintf("(%s %s %s)", left.raw, op, right.raw)
	case equality && left.raw != "" && scalar(right):
		return fmt.Sprintf("(%s %s %s)", left.raw, op, b.arg(b.textOnce(right.constant, right.constant), "agtype"))
	case equality && right.raw != "" && scalar(left):
		return fmt.Sprintf("(%s %s %s)", right.raw, op, b.arg(b.textOnce(left.constant, left.constant), "agtype"))
	}
	switch {
	case left.raw != "" && constantNumber(right):
		return b.compareNumber(left, op, right)
	case right.raw != "" && constantNumber(left):
		return b.compareNumber(right, mirrored[op], left)
	}
	if sql, ok := b.compareNative(left, op, right); ok {
		return sql
	}
	l, r := b.json(left), b.json(right)
	switch op {
	case "=":
		return fmt.Sprintf("cypher.eq(%s, %s)", l, r)
	case "<>":
		return fmt.Sprintf("(NOT cypher.eq(%s, %s))", l, r)
	case "<":
		return fmt.Sprintf("cypher.less(%s, %s, false)", l, r)
	case "<=":
		return fmt.Sprintf("cypher.less(%s, %s, true)", l, r)
	case ">":
		return fmt.Sprintf("cypher.less(%s, %s, false)", r, l)
	}
	return fmt.Sprintf("cypher.less(%s, %s, true)", r, l)
}

// mirrored are the operators with their sides exchanged.
var mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}

func constantNumber(v value) bool {
	return v.isConst && (v.t.Kind == check.Int || v.t.Kind == check.Float)
}

// compareNumber compares a property with a number as the graph has it. In the
// order of agtype numbers come last, after booleans; with anything else a number
// has no order.
func (b *builder) compareNumber(property value, op string, number value) string {
	return fmt.Sprintf("CASE WHEN %[1]s > 'true'::ag_catalog.agtype THEN %[1]s %[2]s %[3]s END", property.raw, op, b.arg(jsonText(number.constant), "agtype"))
}

func scalar(v value) bool {
	return v.isConst && slices.Contains([]check.Kind{check.Bool, check.Int, check.Float, check.String}, v.t.Kind)
}

// compareNative compares values whose types are both known.
func (b *builder) compareNative(left value, op string, right value) (string, bool) {
	number := func(k check.Kind) bool { return k == check.Int || k == check.Float }
	l, r := left.t.Kind, right.t.Kind
	_, lKnown := sqlTypes[l]
	_, rKnown := sqlTypes[r]
	switch {
	case !lKnown || !rKnown:
		return "", false
	case l == check.String && r == check.String && op != "=" && op != "<>":
		return fmt.Sprintf(`(%s COLLATE "C" %s %s COLLATE "C")`, left.sql, op, right.sql), true
	case l == r:
		return fmt.Sprintf("(%s %s %s)", left.sql, op, right.sql), true
	case number(l) && number(r):
		return fmt.Sprintf("((%s)::numeric %s (%s)::numeric)", left.sql, op, right.sql), true
	}
	return "", false
}

// in looks a value up in a list.
func (b *builder) in(left, right value) string {
	items, constant := right.constant.([]any)
	if left.raw != "" && right.isConst && constant && len(items) > 0 && len(items) <= 1000 {
		var parts []string
		for _, item := range items {
			if !scalar(b.constantOf(item)) {
				parts = nil
				break
			}
			parts = append(parts, b.arg(jsonText(item), "agtype"))
		}
		if parts != nil {
			return fmt.Sprintf("(%s = ANY (ARRAY[%s]))", left.raw, strings.Join(parts, ", "))
		}
	}
	if right.t.Kind == check.Null {
		return "NULL::boolean"
	}
	return fmt.Sprintf("cypher.contained(%s, %s)", b.json(left), b.typed(right, check.List, "IN"))
}

func (b *builder) constantOf(v any) value {
	c := value{isConst: true, constant: v}
	switch v.(type) {
	case bool:
		c.t.Kind = check.Bool
	case int64:
		c.t.Kind = check.Int
	case float64:
		c.t.Kind = check.Float
	case string:
		c.t.Kind = check.String
	}
	return c
}
