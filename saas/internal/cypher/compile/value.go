package compile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"assimilation/saas/internal/cypher/check"
)

// element says how the SQL speaks of a node or relationship.
type element struct {
	id, label, props string
	start, end       string // of a relationship
	whole            string // as jsonb, where it is carried as such: props is jsonb then
}

// binding is what a symbol is in SQL: an element, a path, or a value.
type binding struct {
	sql     string // of a value
	element *element
	path    *path
}

// value is an expression in SQL.
type value struct {
	t   check.Type
	sql string // of the SQL type that belongs to t; of elements unset
	*element
	path *path

	raw      string // the same as agtype: it is a property that an index may know
	constant any    // the value, if isConst
	isConst  bool
}

func (b *builder) null() value { return value{t: check.Type{Kind: check.Null}, sql: "NULL"} }

var sqlTypes = map[check.Kind]string{check.Bool: "boolean", check.Int: "bigint", check.Float: "double precision", check.String: "text"}

func sqlType(t check.Type) string {
	if s, ok := sqlTypes[t.Kind]; ok {
		return s
	}
	return "jsonb"
}

// jsonText writes a constant as JSON. A float keeps its decimal point.
func jsonText(v any) string {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(pointed(v)); err != nil {
		panic(err) // the values of parameters and literals can all be encoded
	}
	return string(bytes.TrimSpace(buffer.Bytes()))
}

// pointed replaces whole floats by what reads back as one.
func pointed(v any) any {
	switch v := v.(type) {
	case float64:
		text := fmt.Sprintf("%v", v)
		if !bytes.ContainsAny([]byte(text), ".") {
			text = fmt.Sprintf("%.1f", v)
		}
		return json.Number(text)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = pointed(item)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, item := range v {
			m[name] = pointed(item)
		}
		return m
	}
	return v
}

// constantValue is a literal or parameter.
func (b *builder) constantValue(v any, t check.Type) value {
	c := value{t: t, constant: v, isConst: true}
	switch t.Kind {
	case check.Null:
		return b.null()
	case check.Bool, check.Int, check.Float, check.String:
		c.sql = b.arg(v, sqlType(t))
	default:
		c.sql = b.arg(jsonText(v), "jsonb")
	}
	return c
}

// parameterName is the key of a parameter's text.
type parameterName string

// parameter is the value of a parameter.
func (b *builder) parameter(name string, t check.Type) value {
	v := b.info.Parameters[name]
	if t.Kind != check.List && t.Kind != check.Map {
		return b.constantValue(v, t)
	}
	return value{t: t, constant: v, isConst: true, sql: b.arg(b.textOnce(parameterName(name), v), "jsonb")}
}

// textOnce is jsonText, written once for each key: a large parameter may be used
// thousands of times.
func (b *builder) textOnce(key, v any) string {
	text, ok := b.texts[key]
	if !ok {
		text = jsonText(v)
		b.texts[key] = text
	}
	return text
}

// json is the value as jsonb.
func (b *builder) json(v value) string {
	switch v.t.Kind {
	case check.Null:
		return "NULL::jsonb"
	case check.Bool, check.Int, check.String:
		if v.isConst {
			return b.arg(b.textOnce(v.constant, v.constant), "jsonb")
		}
		return "to_jsonb(" + v.sql + ")"
	case check.Float:
		return "cypher.float(" + v.sql + ")"
	case check.Node, check.Rel:
		return v.element.json(v.t.Kind)
	case check.Path:
		return b.pathJSON(v.path)
	}
	return v.sql
}

func (e *element) json(k check.Kind) string {
	switch {
	case e.whole != "":
		return e.whole
	case k == check.Node:
		return fmt.Sprintf("cypher.node(%s, %s, %s)", e.id, e.label, e.props)
	}
	return fmt.Sprintf("cypher.relationship(%s, %s, %s, %s, %s)", e.id, e.label, e.start, e.end, e.props)
}

// typed is the value in the SQL type of a kind: an Any that is of another fails
// when it is answered, and the message says for whom it was.
func (b *builder) typed(v value, k check.Kind, what string) string {
	switch {
	case v.t.Kind == check.Null:
		return "NULL::" + sqlType(check.Type{Kind: k})
	case v.t.Kind == k:
		return v.sql
	case v.t.Kind == check.Int && k == check.Float:
		return "(" + v.sql + ")::double precision"
	case v.t.Kind == check.Any && k != check.Map && k != check.Any:
		return fmt.Sprintf("cypher.%s(%s, '%s')", map[check.Kind]string{check.Bool: "bool", check.Int: "int", check.Float: "number", check.String: "text", check.List: "list"}[k], v.sql, what)
	}
	return b.json(v)
}

// fromJSON binds a value that is carried as jsonb, null being SQL's.
func (b *builder) fromJSON(t check.Type, sql string) binding {
	v := b.unboxed(t, sql)
	return binding{v.sql, v.element, v.path}
}

func (b *builder) unboxed(t check.Type, sql string) value {
	v := value{t: t, sql: sql}
	switch t.Kind {
	case check.Bool:
		v.sql = "(" + sql + ")::boolean"
	case check.Int:
		v.sql = "(" + sql + ")::bigint"
	case check.Float:
		v.sql = "(" + sql + ")::double precision"
	case check.String:
		v.sql = "(" + sql + " #>> '{}')"
	case check.Node:
		v.element = &element{id: graphid(sql, "id"), label: "(" + sql + " ->> 'label')", props: "(" + sql + " -> 'properties')", whole: sql}
	case check.Rel:
		v.element = &element{id: graphid(sql, "id"), label: "(" + sql + " ->> 'type')", props: "(" + sql + " -> 'properties')", whole: sql,
			start: graphid(sql, "start_id"), end: graphid(sql, "end_id")}
	case check.Path:
		v.path = &path{whole: sql}
	case check.Null:
		v.t = check.Type{Kind: check.Any}
	}
	return v
}

func graphid(sql, field string) string {
	return fmt.Sprintf("((%s ->> '%s')::ag_catalog.graphid)", sql, field)
}
