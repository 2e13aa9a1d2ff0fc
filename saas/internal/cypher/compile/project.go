package compile

import (
	"fmt"
	"slices"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// with makes what was read so far a subquery of the columns that go on.
func (b *builder) with(p *syntax.Projection) {
	values := b.columns(p)
	columns := b.info.Projections[p].List
	name := b.name("q")
	var list []string
	next := map[*check.Symbol]binding{}
	for i, col := range columns {
		next[col.Symbol] = b.export(values[i].t, col.Symbol, binding{values[i].sql, values[i].element, values[i].path}, name, &list)
	}
	if len(list) == 0 {
		list = []string{"true AS row"}
	}
	rest := b.rest(p, values, -1)
	sub := "SELECT " + strings.Join(list, ", ") + b.source.sql() + rest
	if b.computes(columns) && b.info.Projections[p].Skip == 0 {
		sub += " OFFSET 0"
	}
	b.limit(sub)
	b.source = source{from: []string{"(" + sub + ") AS " + name}}
	b.env, b.known = next, nil
	if p.Where != nil {
		b.where = append(b.where, b.condition(p.Where))
	}
}

// computes reports whether a column is more than a name or a property. The
// planner would put the expression wherever the column is used, and again in
// the next WITH: twenty of WITH x + x AS x were a million of additions to plan,
// which no timeout ends. OFFSET 0 keeps it from that. A large parameter it would
// copy to each place.
func (b *builder) computes(columns []check.Column) bool {
	return slices.ContainsFunc(columns, func(col check.Column) bool {
		switch x := col.Expr.(type) {
		case nil, *syntax.Variable, *syntax.Literal:
			return false
		case *syntax.Parameter:
			switch v := b.info.Parameters[x.Name].(type) {
			case string:
				return len(v) > smallString
			case []any, map[string]any:
				return true
			}
			return false
		case *syntax.Property:
			_, direct := x.X.(*syntax.Variable)
			return !direct
		}
		return true
	})
}

// smallString is one that the planner may copy, in bytes.
const smallString = 1 << 10

// export adds the columns that a symbol needs to a subquery's list, and returns
// how they are spoken of outside it.
func (b *builder) export(t check.Type, s *check.Symbol, bound binding, name string, list *[]string) binding {
	add := func(sql string) string {
		column := fmt.Sprintf("c%d", len(*list)+1)
		*list = append(*list, sql+" AS "+column)
		return name + "." + column
	}
	switch {
	case bound.element != nil && bound.element.whole != "":
		return b.fromJSON(t, add(bound.element.whole))
	case bound.element != nil:
		e := &element{id: add(bound.element.id), label: add(bound.element.label)}
		if bound.element.start != "" {
			e.start, e.end = add(bound.element.start), add(bound.element.end)
		}
		if s.Whole && bound.element.props != "" {
			e.props = add(bound.element.props)
		}
		return binding{element: e}
	case bound.path != nil && bound.path.whole == "" && (bound.path.many() || !s.Whole):
		return binding{path: bound.path.exported(add)}
	case bound.path != nil:
		return binding{path: &path{whole: add(b.pathJSON(bound.path))}}
	}
	return binding{sql: add(bound.sql)}
}

// columns computes the columns of a projection. One that aggregates or makes
// rows distinct becomes a subquery that groups, and its columns are of that.
func (b *builder) columns(p *syntax.Projection) []value {
	columns := b.info.Projections[p]
	if columns.Aggregates || p.Distinct {
		b.group(p, columns)
	}
	values := make([]value, len(columns.List))
	for i, col := range columns.List {
		values[i] = b.column(col)
	}
	return values
}

func (b *builder) column(col check.Column) value {
	if col.Expr == nil {
		bound := b.env[col.Symbol.Origin]
		return value{t: col.Symbol.Type, sql: bound.sql, element: bound.element, path: bound.path}
	}
	v := b.expr(col.Expr)
	if v.t.Kind == check.Null {
		v = b.typedNull(v.t)
	}
	return v
}

// group makes what was read a subquery with one row for each group: the keys,
// which are the columns without an aggregate, and the aggregates.
func (b *builder) group(p *syntax.Projection, columns *check.Columns) {
	b.weigh(columns)
	name := b.name("g")
	var list, keys []string
	known := map[string]value{}
	next := map[*check.Symbol]binding{}
	for _, col := range columns.List {
		if col.Aggregates {
			continue
		}
		// Two columns may be one name's; it is a key once, with all that either needs.
		s := col.Symbol
		if origin := s.Origin; origin != nil {
			s = origin
		}
		if _, done := next[s]; done {
			continue
		}
		v := b.column(col)
		bound := b.exportKey(v, s, name, &list, &keys)
		if s != col.Symbol {
			next[s] = bound
		}
		if col.Expr != nil {
			known[syntax.Canon(col.Expr)] = value{t: v.t, sql: bound.sql, element: bound.element, path: bound.path}
		}
	}
	for _, col := range columns.List {
		if col.Aggregates {
			b.exportAggregates(col.Expr, name, &list, known)
		}
	}
	for _, key := range p.Order {
		if columns.Aggregates {
			b.exportAggregates(key.Expr, name, &list, known)
		}
	}
	if len(list) == 0 {
		list = []string{"true AS row"}
	}
	sub := "SELECT " + strings.Join(list, ", ") + b.source.sql()
	if len(keys) > 0 {
		sub += " GROUP BY " + strings.Join(keys, ", ")
	}
	b.limit(sub)
	b.source = source{from: []string{"(" + sub + ") AS " + name}}
	b.env, b.known = next, known
}

// exportKey groups by a value; an element by its id alone.
func (b *builder) exportKey(v value, s *check.Symbol, name string, list, keys *[]string) binding {
	before := len(*list)
	bound := b.export(v.t, s, binding{v.sql, v.element, v.path}, name, list)
	for i := before; i < len(*list); i++ {
		sql, column, _ := cutLast((*list)[i], " AS ")
		switch {
		case v.element != nil && v.element.whole == "" && i > before:
			(*list)[i] = "any_value(" + sql + ") AS " + column
		default:
			*keys = append(*keys, sql)
		}
	}
	return bound
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

func (b *builder) exportAggregates(x syntax.Expr, name string, list *[]string, known map[string]value) {
	call, ok := x.(*syntax.Call)
	if !ok || b.info.Calls[call] == nil || !b.info.Calls[call].Aggregate {
		for _, child := range syntax.Children(x) {
			b.exportAggregates(child, name, list, known)
		}
		return
	}
	canon := syntax.Canon(x)
	if _, ok := known[canon]; ok {
		return
	}
	v := b.expr(call)
	column := fmt.Sprintf("c%d", len(*list)+1)
	sql := v.sql
	if v.element != nil {
		sql = v.element.whole
	}
	*list = append(*list, sql+" AS "+column)
	known[canon] = b.carriedAs(v, name+"."+column)
}

// carriedAs is the value where a subquery hands it on.
func (b *builder) carriedAs(v value, sql string) value {
	if v.element != nil {
		return b.unboxed(v.t, sql)
	}
	return value{t: v.t, sql: sql}
}

// weigh bounds what collect gathers: rows are weighed before they are grouped,
// for Postgres keeps the whole list in memory.
func (b *builder) weigh(columns *check.Columns) {
	var weights []string
	for _, col := range columns.List {
		if col.Expr != nil && col.Aggregates {
			b.weights(col.Expr, &weights)
		}
	}
	if len(weights) == 0 {
		return
	}
	name := b.name("q")
	var list []string
	next := map[*check.Symbol]binding{}
	for _, s := range b.bindings() {
		next[s] = b.export(s.Type, s, b.env[s], name, &list)
	}
	weight := fmt.Sprintf("sum(64 + %s) OVER (ROWS UNBOUNDED PRECEDING) AS weight", strings.Join(weights, " + "))
	b.source = source{from: []string{"(SELECT " + strings.Join(append(list, weight), ", ") + b.source.sql() + ") AS " + name}, where: []string{"(" + name + ".weight <= 65536 OR cypher.within(" + name + ".weight))"}}
	b.env = next
}

func (b *builder) weights(x syntax.Expr, all *[]string) {
	if call, ok := x.(*syntax.Call); ok && b.info.Calls[call].Name == "collect" {
		v := b.expr(call.Args[0])
		what := b.presence(v)
		switch {
		case v.element != nil && v.element.whole != "":
			what = v.element.whole
		case v.element != nil:
			what = v.element.props
		case v.path != nil:
			what = b.pathJSON(v.path)
		}
		*all = append(*all, "coalesce(pg_column_size("+what+"), 0)")
		return
	}
	for _, child := range syntax.Children(x) {
		b.weights(child, all)
	}
}

// answer is the whole statement: each column as JSON text, and no row that is
// larger than MaxRow.
func (b *builder) answer(p *syntax.Projection, rows int) string {
	values := b.columns(p)
	var list, shown, sizes []string
	for i, v := range values {
		list = append(list, fmt.Sprintf("%s AS c%d", b.text(v), i+1))
		shown = append(shown, fmt.Sprintf("CASE WHEN w.weight <= %d THEN r.c%d END", MaxRow, i+1))
		sizes = append(sizes, fmt.Sprintf("coalesce(octet_length(r.c%d), 0)", i+1))
	}
	rest := b.rest(p, values, int64(rows))
	inner := "SELECT " + strings.Join(list, ", ") + b.source.sql() + rest
	return b.limit(fmt.Sprintf("SELECT %s, w.weight > %d FROM (%s) AS r CROSS JOIN LATERAL (SELECT %s AS weight OFFSET 0) AS w",
		strings.Join(shown, ", "), MaxRow, inner, strings.Join(sizes, " + ")))
}

// text is a value as JSON text.
func (b *builder) text(v value) string {
	switch v.t.Kind {
	case check.Int, check.Bool:
		return "(" + v.sql + ")::text"
	}
	return "(" + b.json(v) + ")::text"
}
