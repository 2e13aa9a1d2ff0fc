package compile

import (
	"fmt"
	"strings"

	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
	"assimilation/tenancy/store"
)

// expr writes an expression.
func (b *builder) expr(x syntax.Expr) value {
	if b.known != nil {
		if v, ok := b.known[syntax.Canon(x)]; ok {
			return v
		}
	}
	v := b.write(x)
	b.limit(v.sql)
	return v
}

func (b *builder) write(x syntax.Expr) value {
	t := b.info.Types[x]
	switch x := x.(type) {
	case *syntax.Literal:
		return b.constantValue(x.Value, t)
	case *syntax.Parameter:
		return b.parameter(x.Name, t)
	case *syntax.Variable:
		s := b.info.Variables[x]
		bound := b.env[s]
		return value{t: s.Type, sql: bound.sql, element: bound.element, path: bound.path}
	case *syntax.Property:
		return b.property(b.expr(x.X), x.Name)
	case *syntax.Index:
		return b.index(x, t)
	case *syntax.Slice:
		return b.slice(x, t)
	case *syntax.List:
		return b.list(x, t)
	case *syntax.Map:
		return value{t: t, sql: b.mapOf(x)}
	case *syntax.Unary:
		return b.unary(x, t)
	case *syntax.Binary:
		return b.binary(x, t)
	case *syntax.Compare:
		return value{t: t, sql: b.compare(x)}
	case *syntax.IsNull:
		return value{t: t, sql: fmt.Sprintf("(%s IS %sNULL)", b.presence(b.expr(x.X)), map[bool]string{true: "NOT "}[x.Not])}
	case *syntax.HasLabel:
		return value{t: t, sql: b.hasLabel(x)}
	case *syntax.Call:
		return b.call(x, t)
	case *syntax.Case:
		return b.caseOf(x, t)
	case *syntax.Comprehension:
		return b.comprehension(x, t)
	case *syntax.Exists:
		return value{t: t, sql: b.exists(x)}
	}
	b.fail(x.At(), "this expression is not understood")
	return value{}
}

// presence is the SQL of something that is null when the value is.
func (b *builder) presence(v value) string {
	switch {
	case v.element != nil:
		return v.element.id
	case v.path != nil && v.path.whole == "":
		return v.path.id
	case v.path != nil:
		return v.path.whole
	}
	return "(" + v.sql + ")"
}

// condition is an expression as a boolean.
func (b *builder) condition(x syntax.Expr) string {
	return b.truth(b.expr(x))
}

func (b *builder) truth(v value) string { return b.typed(v, check.Bool, "a condition") }

// indexed are the properties that indexes are over. Only the very expression of
// the index is found, so their names stand in the SQL; they are cmdb's.
var indexed = func() map[string]bool {
	names := map[string]bool{store.KeyProperty: true}
	for _, v := range cmdb.Vertices {
		for _, p := range v.Index {
			names[p] = true
		}
	}
	return names
}()

func (b *builder) property(of value, name string) value {
	any := check.Type{Kind: check.Any}
	switch of.t.Kind {
	case check.Node, check.Rel:
		if of.element.whole != "" {
			return value{t: any, sql: fmt.Sprintf("nullif(%s -> %s, 'null')", of.element.props, b.arg(name, "text"))}
		}
		raw := fmt.Sprintf("ag_catalog.agtype_access_operator(VARIADIC ARRAY[%s, %s])", of.element.props, b.arg(jsonText(name), "agtype"))
		if indexed[name] {
			raw = store.Access(of.element.props, name)
		}
		return value{t: any, sql: "cypher.value(" + raw + ")", raw: raw}
	case check.Null:
		return b.null()
	case check.Map:
		if of.t.Fields == nil {
			break
		}
		field, ok := of.t.Fields[name]
		if !ok {
			return b.null()
		}
		return b.unboxed(field, fmt.Sprintf("nullif(%s -> %s, 'null')", of.sql, b.arg(name, "text")))
	}
	return value{t: any, sql: fmt.Sprintf("cypher.prop(%s, %s)", b.json(of), b.arg(name, "text"))}
}

func (b *builder) index(x *syntax.Index, t check.Type) value {
	of, i := b.expr(x.X), b.expr(x.I)
	if of.t.Kind == check.Null || i.t.Kind == check.Null {
		return b.typedNull(t)
	}
	if of.t.Kind == check.Map && i.isConst {
		return b.property(of, i.constant.(string))
	}
	whole := b.json(of)
	if of.element != nil {
		whole = of.element.properties()
	}
	return b.unboxed(t, fmt.Sprintf("cypher.item(%s, %s)", whole, b.json(i)))
}

// typedNull is null in the form of a type.
func (b *builder) typedNull(t check.Type) value { return b.unboxed(t, "NULL::jsonb") }

// properties are those of an element as jsonb.
func (e *element) properties() string {
	if e.whole != "" {
		return e.props
	}
	return "cypher.value(" + e.props + ")"
}

func (b *builder) slice(x *syntax.Slice, t check.Type) value {
	first, after := "0::bigint", "2147483647::bigint"
	if x.From != nil {
		first = b.typed(b.expr(x.From), check.Int, "a range of items")
	}
	if x.To != nil {
		after = b.typed(b.expr(x.To), check.Int, "a range of items")
	}
	return value{t: t, sql: fmt.Sprintf("cypher.slice(%s, %s, %s)", b.json(b.expr(x.X)), first, after)}
}

// list is a constant if all its items are, so that an index may serve what is
// looked up in it.
func (b *builder) list(x *syntax.List, t check.Type) value {
	if len(x.Items) == 0 {
		return value{t: t, sql: "'[]'::jsonb"}
	}
	items, constants := make([]string, len(x.Items)), make([]any, len(x.Items))
	constant := true
	for i, item := range x.Items {
		v := b.expr(item)
		items[i], constants[i] = b.json(v), v.constant
		constant = constant && (v.isConst || v.t.Kind == check.Null)
	}
	if constant {
		return value{t: t, constant: constants, isConst: true, sql: b.arg(jsonText(constants), "jsonb")}
	}
	return value{t: t, sql: "cypher.list_of(VARIADIC ARRAY[" + strings.Join(items, ", ") + "])"}
}

func (b *builder) mapOf(x *syntax.Map) string {
	if len(x.Keys) == 0 {
		return "'{}'::jsonb"
	}
	var names, items []string
	for i, key := range x.Keys {
		names = append(names, b.arg(key.Text, "text"))
		items = append(items, b.json(b.expr(x.Values[i])))
	}
	return fmt.Sprintf("cypher.map_of(ARRAY[%s], ARRAY[%s])", strings.Join(names, ", "), strings.Join(items, ", "))
}

func (b *builder) hasLabel(x *syntax.HasLabel) string {
	e := b.expr(x.X).element
	var parts []string
	for _, l := range x.Labels {
		parts = append(parts, e.label+" = "+literal(l.Text))
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

func (b *builder) caseOf(x *syntax.Case, t check.Type) value {
	var sql strings.Builder
	sql.WriteString("CASE")
	var test value
	if x.Test != nil {
		test = b.expr(x.Test)
	}
	for _, w := range x.Whens {
		condition := ""
		if x.Test != nil {
			condition = b.compareTwo(test, "=", b.expr(w.If))
		} else {
			condition = b.condition(w.If)
		}
		sql.WriteString(" WHEN " + condition + " THEN " + b.as(b.expr(w.Then), t))
		b.limit(sql.String())
	}
	if x.Else != nil {
		sql.WriteString(" ELSE " + b.as(b.expr(x.Else), t))
	}
	return b.carried(t, sql.String()+" END")
}

// as is the value in the form in which values of type t stand beside others:
// elements as jsonb.
func (b *builder) as(v value, t check.Type) string {
	if _, native := sqlTypes[t.Kind]; native {
		return b.typed(v, t.Kind, "a branch")
	}
	return b.json(v)
}

// carried reads back what as made.
func (b *builder) carried(t check.Type, sql string) value {
	if _, native := sqlTypes[t.Kind]; native {
		return value{t: t, sql: sql}
	}
	return b.unboxed(t, "("+sql+")")
}

// comprehension walks over a list. What it gathers is weighed.
func (b *builder) comprehension(x *syntax.Comprehension, t check.Type) value {
	list := b.typed(b.expr(x.List), check.List, "a list comprehension")
	name := b.name("u")
	s := b.info.Items[x]
	b.env[s] = b.fromJSON(s.Type, fmt.Sprintf("nullif(%s.item, 'null')", name))
	known := b.known
	b.known = nil // the item's name may mean something else outside
	defer func() {
		b.known = known
		delete(b.env, s)
	}()
	elements := fmt.Sprintf("jsonb_array_elements(%s) WITH ORDINALITY AS %s(item, i)", list, name)
	where := "true"
	if x.Where != nil {
		where = b.condition(x.Where)
	}
	present := fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN ", list)
	if x.Quantifier != "" {
		over := fmt.Sprintf("(SELECT %s AS c FROM %s) AS %s", where, elements, b.name("c"))
		return value{t: t, sql: present + "(SELECT " + quantifiers[x.Quantifier] + " FROM " + over + ") END"}
	}
	yield := fmt.Sprintf("%s.item", name)
	if x.Yield != nil {
		yield = b.json(b.expr(x.Yield))
	}
	return value{t: t, sql: fmt.Sprintf("%s(SELECT coalesce(jsonb_agg(y ORDER BY i), '[]') FROM (SELECT y, i, sum(64 + coalesce(pg_column_size(y), 0)) OVER (ROWS UNBOUNDED PRECEDING) AS weight FROM (SELECT %s AS y, i FROM %s WHERE %s) AS %s) AS %s WHERE weight <= 65536 OR cypher.within(weight)) END",
		present, yield, elements, where, b.name("c"), b.name("c"))}
}

// quantifiers decide over the conditions c of all items; a null among them leaves
// open what the others do not decide.
var quantifiers = map[string]string{
	"all":    "CASE WHEN bool_or(NOT c) THEN false WHEN count(*) > count(c) THEN NULL ELSE true END",
	"any":    "CASE WHEN bool_or(c) THEN true WHEN count(*) > count(c) THEN NULL ELSE false END",
	"none":   "CASE WHEN bool_or(c) THEN false WHEN count(*) > count(c) THEN NULL ELSE true END",
	"single": "CASE WHEN count(*) FILTER (WHERE c) > 1 THEN false WHEN count(*) > count(c) THEN NULL ELSE count(*) FILTER (WHERE c) = 1 END",
}
