package check

import (
	"maps"
	"slices"

	"assimilation/saas/internal/cypher/syntax"
)

// projection checks WITH and RETURN: the names before it end, those of its
// columns begin.
func (c *checker) projection(p *syntax.Projection) {
	columns := &Columns{Limit: -1}
	c.info.Projections[p] = columns
	after := map[string]*Symbol{}
	add := func(name syntax.Name, col Column) {
		if after[name.Text] != nil {
			c.fail(name.Pos, "two columns are named %.60s; name one of them with AS", name.Text)
		}
		col.Symbol.Name = name.Text
		if p.Return {
			col.Symbol.need()
		}
		after[name.Text] = col.Symbol
		columns.List = append(columns.List, col)
	}
	if p.All {
		if len(c.scope) == 0 {
			c.fail(p.Pos, "there is nothing for * to stand for: no name is bound")
		}
		for _, name := range slices.Sorted(maps.Keys(c.scope)) {
			s := c.scope[name]
			add(syntax.Name{Pos: p.Pos, Text: name}, Column{Symbol: &Symbol{Type: s.Type, Origin: s}})
		}
	}
	c.aggregates = true
	for _, item := range p.Items {
		if item.Bare && !p.Return {
			if _, ok := item.Expr.(*syntax.Variable); !ok {
				c.fail(item.As.Pos, "WITH needs a name for this: add AS name")
			}
		}
		add(item.As, c.column(item, p))
	}
	c.aggregates = false
	columns.Aggregates = slices.ContainsFunc(columns.List, func(col Column) bool { return col.Aggregates })
	if columns.Aggregates {
		c.checkGroups(columns)
	}
	c.order(p, columns, after)
	columns.Skip = c.amount(p.Skip, "SKIP", 0)
	columns.Limit = c.amount(p.Limit, "LIMIT", -1)
	c.scope = after
	if p.Where != nil {
		c.condition(p.Where, "WHERE")
	}
}

func (c *checker) column(item *syntax.Item, p *syntax.Projection) Column {
	if v, ok := item.Expr.(*syntax.Variable); ok {
		t := c.typeOf(v, !p.Return)
		return Column{Symbol: &Symbol{Type: t, Origin: c.info.Variables[v]}, Expr: v}
	}
	t := c.expr(item.Expr)
	if t.Kind == Null {
		t = of(Any)
	}
	return Column{Symbol: &Symbol{Type: t}, Expr: item.Expr, Aggregates: c.hasAggregate(item.Expr)}
}

func (c *checker) hasAggregate(x syntax.Expr) bool {
	if call, ok := x.(*syntax.Call); ok && c.info.Calls[call].Aggregate {
		return true
	}
	return slices.ContainsFunc(syntax.Children(x), c.hasAggregate)
}

// checkGroups sees that beside an aggregate only what is grouped by is used.
func (c *checker) checkGroups(columns *Columns) {
	keys := map[string]bool{}
	for _, col := range columns.List {
		if col.Expr != nil && !col.Aggregates {
			keys[syntax.Canon(col.Expr)] = true
		}
	}
	for _, col := range columns.List {
		if col.Aggregates {
			c.checkGrouped(col.Expr, keys)
		}
	}
}

func (c *checker) checkGrouped(x syntax.Expr, keys map[string]bool) {
	if keys[syntax.Canon(x)] {
		return
	}
	switch x := x.(type) {
	case *syntax.Call:
		if c.info.Calls[x].Aggregate {
			return
		}
	case *syntax.Variable:
		c.fail(x.Pos, "%.60s stands beside an aggregate and is no column of its own: add it as a column, or use WITH before", x.Name)
	case *syntax.Comprehension, *syntax.Exists:
		c.fail(x.At(), "this stands beside an aggregate and is no column of its own: use WITH between them")
	}
	for _, child := range syntax.Children(x) {
		c.checkGrouped(child, keys)
	}
}

// order checks ORDER BY, which sees the columns, and where rows are neither
// grouped nor made distinct also the names before.
func (c *checker) order(p *syntax.Projection, columns *Columns, after map[string]*Symbol) {
	before := c.scope
	grouped := columns.Aggregates || p.Distinct
	c.scope = maps.Clone(after)
	if !grouped {
		for name, s := range before {
			if after[name] == nil {
				c.scope[name] = s
			}
		}
	}
	for _, key := range p.Order {
		column := slices.IndexFunc(columns.List, func(col Column) bool {
			return col.Expr != nil && syntax.Canon(col.Expr) == syntax.Canon(key.Expr)
		})
		if v, ok := key.Expr.(*syntax.Variable); ok && after[v.Name] != nil {
			column = slices.IndexFunc(columns.List, func(col Column) bool { return col.Symbol.Name == v.Name })
		}
		var t Type
		if column >= 0 {
			t = columns.List[column].Symbol.Type
		} else {
			if grouped {
				c.sayGrouped(key.Expr, before)
			}
			t = c.expr(key.Expr)
		}
		if t.Kind == Path || t.Kind == Map || t.HasElement() && t.Kind == List {
			c.fail(key.Expr.At(), "rows are not ordered by %s", t)
		}
		columns.Sorts = append(columns.Sorts, column)
	}
	c.scope = before
}

// sayGrouped explains why a name that was bound cannot be used any more.
func (c *checker) sayGrouped(x syntax.Expr, before map[string]*Symbol) {
	if v, ok := x.(*syntax.Variable); ok && c.scope[v.Name] == nil && before[v.Name] != nil {
		c.fail(v.Pos, "rows are grouped here: order by a column of the answer; %.60s is none", v.Name)
	}
	for _, child := range syntax.Children(x) {
		c.sayGrouped(child, before)
	}
}

// maxAmount bounds SKIP and LIMIT.
const maxAmount = 1_000_000_000

func (c *checker) amount(x syntax.Expr, what string, none int64) int64 {
	var v any
	switch x := x.(type) {
	case nil:
		return none
	case *syntax.Literal:
		v = x.Value
	case *syntax.Parameter:
		c.parameter(x)
		v = c.info.Parameters[x.Name]
	case *syntax.Unary:
		c.fail(x.Pos, "%s cannot be negative", what)
	default:
		c.fail(x.At(), "%s is a whole number or a parameter, not calculated", what)
	}
	n, ok := v.(int64)
	if !ok {
		c.fail(x.At(), "%s is a whole number; this is %s", what, typeOfValue(v))
	}
	if n < 0 || n > maxAmount {
		c.fail(x.At(), "%s is a whole number of 0 to %d", what, maxAmount)
	}
	return n
}
