package compile

import (
	"fmt"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// aggregate writes a call in a query that groups.
func (b *builder) aggregate(x *syntax.Call, f *check.Function, t check.Type) value {
	if x.Star {
		return value{t: t, sql: "count(*)"}
	}
	v := b.expr(x.Args[0])
	distinct := ""
	if x.Distinct {
		distinct = "DISTINCT "
	}
	switch f.Name {
	case "count":
		what := b.presence(v)
		if x.Distinct && v.element == nil {
			what = b.plain(v)
		}
		return value{t: t, sql: fmt.Sprintf("count(%s%s)", distinct, what)}
	case "collect":
		j := b.json(v)
		return value{t: t, sql: fmt.Sprintf("coalesce(jsonb_agg(%s%s) FILTER (WHERE %s IS NOT NULL), '[]')", distinct, j, b.presence(v))}
	case "avg":
		return value{t: t, sql: fmt.Sprintf("avg(%s%s)", distinct, b.typed(v, check.Float, "avg()"))}
	case "sum":
		switch v.t.Kind {
		case check.Int:
			return value{t: t, sql: fmt.Sprintf("coalesce(sum(%s%s), 0)::bigint", distinct, v.sql)}
		case check.Float:
			return value{t: t, sql: fmt.Sprintf("coalesce(sum(%s%s), 0)", distinct, v.sql)}
		}
		return value{t: t, sql: fmt.Sprintf("cypher.sum(%s%s)", distinct, b.json(v))}
	}
	// min and max
	switch v.t.Kind {
	case check.Int, check.Float:
		return value{t: t, sql: fmt.Sprintf("%s(%s)", f.Name, v.sql)}
	case check.String:
		return value{t: t, sql: fmt.Sprintf(`%s(%s COLLATE "C")`, f.Name, v.sql)}
	}
	return b.unboxed(t, fmt.Sprintf("cypher.%s(%s)", f.Name, b.json(v)))
}

// plain is the value itself, of whatever SQL type.
func (b *builder) plain(v value) string {
	if _, native := sqlTypes[v.t.Kind]; native {
		return v.sql
	}
	return b.json(v)
}
