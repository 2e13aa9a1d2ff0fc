package compile

import (
	"fmt"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// rest is ORDER BY, OFFSET and LIMIT. rows bounds the answer; -1: nothing does. It
// may add to the source what rows are ordered by.
func (b *builder) rest(p *syntax.Projection, values []value, rows int64) string {
	columns := b.info.Projections[p]
	var sql strings.Builder
	if len(p.Order) > 0 {
		// An order sees the columns by their names, and the names before.
		env := make(map[*check.Symbol]binding, len(b.env)+len(values))
		for s, bound := range b.env {
			env[s] = bound
		}
		for i, col := range columns.List {
			env[col.Symbol] = binding{values[i].sql, values[i].element, values[i].path}
		}
		outer := b.env
		b.env = env
		var keys []string
		for i, key := range p.Order {
			var v value
			if c := columns.Sorts[i]; c >= 0 {
				v = values[c]
			} else {
				v = b.expr(key.Expr)
			}
			keys = append(keys, b.sortKeys(v, key.Descending)...)
		}
		b.env = outer
		if len(keys) > 0 {
			sql.WriteString(" ORDER BY " + strings.Join(keys, ", "))
		}
	}
	if columns.Skip > 0 {
		sql.WriteString(" OFFSET " + b.arg(columns.Skip, "bigint"))
	}
	if limit := columns.Limit; limit >= 0 || rows >= 0 {
		if limit < 0 || rows >= 0 && rows < limit {
			limit = rows
		}
		sql.WriteString(" LIMIT " + b.arg(limit, "bigint"))
	}
	return sql.String()
}

// sortKeys order by a value; null is the greatest.
func (b *builder) sortKeys(v value, descending bool) []string {
	var keys []string
	switch v.t.Kind {
	case check.Null:
		return nil
	case check.Bool, check.Int, check.Float:
		keys = []string{v.sql}
	case check.String:
		keys = []string{"(" + v.sql + `) COLLATE "C"`}
	case check.Node, check.Rel:
		keys = []string{v.element.id}
	default:
		// Once for all of its keys.
		name := b.name("k")
		b.from = append(b.from, fmt.Sprintf("LATERAL (SELECT %s AS c OFFSET 0) AS %s", b.json(v), name))
		j := name + ".c"
		keys = []string{"cypher.rank(" + j + ")", "cypher.sort_number(" + j + ")", "cypher.sort_text(" + j + `) COLLATE "C"`, "cypher.sort_list(" + j + ")"}
	}
	if descending {
		for i := range keys {
			keys[i] += " DESC"
		}
	}
	return keys
}
