package compile

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// calls write the functions, by the names that package check has.
var calls = map[string]func(b *builder, x *syntax.Call, args []value, t check.Type) value{
	"id": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: "((" + args[0].id + "::text)::bigint)"}
	},
	"labels": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN jsonb_build_array(%s) END", args[0].id, args[0].label)}
	},
	"type": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN %s END", args[0].id, args[0].label)}
	},
	"startNode": func(b *builder, x *syntax.Call, args []value, t check.Type) value { return b.end(args[0].start, t) },
	"endNode": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return b.end(args[0].element.end, t)
	},
	"keys": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: "cypher.keys(" + b.propertiesOf(args[0]) + ")"}
	},
	"properties": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: "cypher.properties(" + b.propertiesOf(args[0]) + ")"}
	},
	"nodes": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: b.pathNodes(x.Pos, args[0].path)}
	},
	"relationships": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: b.pathRels(args[0].path)}
	},
	"length": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: b.pathLength(args[0].path)}
	},
	"size": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		switch args[0].t.Kind {
		case check.String:
			return value{t: t, sql: "char_length(" + args[0].sql + ")::bigint"}
		case check.List:
			return value{t: t, sql: "jsonb_array_length(" + args[0].sql + ")::bigint"}
		}
		return value{t: t, sql: "cypher.size(" + b.json(args[0]) + ")"}
	},
	"isEmpty": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: "(cypher.size(" + b.json(args[0]) + ") = 0)"}
	},
	"head": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return b.itemOf(args[0], 0, "head()", t)
	},
	"last": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return b.itemOf(args[0], -1, "last()", t)
	},
	"tail": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: "cypher.slice(" + b.typed(args[0], check.List, "tail()") + ", 1, 2147483647)"}
	},
	"range": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		step := "1::bigint"
		if len(args) == 3 {
			step = b.typed(args[2], check.Int, "range()")
		}
		return value{t: t, sql: fmt.Sprintf("cypher.range(%s, %s, %s)", b.typed(args[0], check.Int, "range()"), b.typed(args[1], check.Int, "range()"), step)}
	},
	"reverse": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		if t.Kind == check.String {
			return value{t: t, sql: "reverse(" + args[0].sql + ")"}
		}
		return value{t: t, sql: "cypher.reversed(" + b.json(args[0]) + ")"}
	},
	"coalesce": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		parts := make([]string, len(args))
		for i, a := range args {
			parts[i] = b.as(a, t)
		}
		return b.carried(t, "coalesce("+strings.Join(parts, ", ")+")")
	},
	"toLower":   textCall("lower"),
	"toUpper":   textCall("upper"),
	"trim":      textCall("btrim"),
	"lTrim":     textCall("ltrim"),
	"rTrim":     textCall("rtrim"),
	"split":     textCall("cypher.split"),
	"replace":   textCall("cypher.replace"),
	"substring": substring,
	"left": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: fmt.Sprintf("cypher.substring(%s, 0, %s)", b.typed(args[0], check.String, "left()"), b.typed(args[1], check.Int, "left()"))}
	},
	"right": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: fmt.Sprintf("cypher.right(%s, %s)", b.typed(args[0], check.String, "right()"), b.typed(args[1], check.Int, "right()"))}
	},
	"toString":  jsonCall("cypher.string"),
	"toInteger": jsonCall("cypher.to_integer"),
	"toFloat":   jsonCall("cypher.to_float"),
	"toBoolean": jsonCall("cypher.to_boolean"),
	"abs": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		if t.Kind == check.Any {
			return value{t: t, sql: "cypher.abs(" + b.json(args[0]) + ")"}
		}
		return value{t: t, sql: "abs(" + args[0].sql + ")"}
	},
	"ceil":  numberCall("ceil(%s)"),
	"floor": numberCall("floor(%s)"),
	"round": numberCall("floor(%s + 0.5)"),
	"sign":  numberCall("sign(%s)::bigint"),
	"sqrt":  numberCall("sqrt(%s)"),
	"exp":   numberCall("exp(%s)"),
	"log":   numberCall("ln(%s)"),
	"log10": numberCall("log(%s)"),
	"pi":    func(b *builder, x *syntax.Call, args []value, t check.Type) value { return value{t: t, sql: "pi()"} },
	"e": func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: strconv.FormatFloat(math.E, 'g', -1, 64) + "::double precision"}
	},
}

func (b *builder) call(x *syntax.Call, t check.Type) value {
	f := b.info.Calls[x]
	if f.Aggregate {
		return b.aggregate(x, f, t)
	}
	args := make([]value, len(x.Args))
	for i, a := range x.Args {
		args[i] = b.expr(a)
		if (args[i].t.Kind == check.Null || b.info.Types[a].Kind == check.Null) && f.Name != "coalesce" {
			return b.typedNull(t)
		}
	}
	return calls[f.Name](b, x, args, t)
}

// textCall calls a function of strings.
func textCall(name string) func(*builder, *syntax.Call, []value, check.Type) value {
	return func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		parts := make([]string, len(args))
		for i, a := range args {
			parts[i] = b.typed(a, check.String, b.info.Calls[x].Name+"()")
		}
		return value{t: t, sql: name + "(" + strings.Join(parts, ", ") + ")"}
	}
}

// jsonCall calls a function that looks at the value itself.
func jsonCall(name string) func(*builder, *syntax.Call, []value, check.Type) value {
	return func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: name + "(" + b.json(args[0]) + ")"}
	}
}

// numberCall calls a function of one float.
func numberCall(form string) func(*builder, *syntax.Call, []value, check.Type) value {
	return func(b *builder, x *syntax.Call, args []value, t check.Type) value {
		return value{t: t, sql: fmt.Sprintf(form, b.typed(args[0], check.Float, b.info.Calls[x].Name+"()"))}
	}
}

func substring(b *builder, x *syntax.Call, args []value, t check.Type) value {
	length := "2000000::bigint"
	if len(args) == 3 {
		length = b.typed(args[2], check.Int, "substring()")
	}
	return value{t: t, sql: fmt.Sprintf("cypher.substring(%s, %s, %s)", b.typed(args[0], check.String, "substring()"), b.typed(args[1], check.Int, "substring()"), length)}
}

func (b *builder) itemOf(list value, i int, what string, t check.Type) value {
	return b.unboxed(t, fmt.Sprintf("nullif(%s -> %d, 'null')", b.typed(list, check.List, what), i))
}

// propertiesOf are a map, or the properties of an element.
func (b *builder) propertiesOf(v value) string {
	if v.element != nil {
		return v.element.properties()
	}
	return b.json(v)
}

// end looks up the node at an end of a relationship.
func (b *builder) end(id string, t check.Type) value {
	name := b.name("n")
	from, label := b.vertices(t.Labels, name)
	return b.unboxed(t, fmt.Sprintf("(SELECT cypher.node(%[1]s.id, %[2]s, %[1]s.properties) FROM %[3]s WHERE %[1]s.id = %[4]s)", name, label, from, id))
}
