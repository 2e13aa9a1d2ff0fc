package query

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// What may stand between braces.
var (
	placeholder = regexp.MustCompile(`\{[^{}]+\}`)
	property    = regexp.MustCompile(`^(@?)([a-z]+)\.([a-z][a-z0-9_]*)(:int)?$`)
	everything  = regexp.MustCompile(`^([a-z]+)\.\*$`)
)

// expand turns what stands between braces into SQL.
func (q *Query) expand(p string) (string, error) {
	if name, ok := strings.CutPrefix(p, "$"); ok {
		return q.expandParameter(name)
	}
	if label, ok := strings.CutPrefix(p, "near "); ok && isLabel(label) {
		return `{near}{graph}."` + label + `"`, nil
	}
	switch {
	case p == "walk" && q.walk.way != "":
		return walkTable, nil
	case p == "wiring" && q.Relay:
		return wiringTable, nil
	}
	if m := everything.FindStringSubmatch(p); m != nil {
		return "(ag_catalog.agtype_out(" + m[1] + ".properties)::text::jsonb)", nil
	}
	if m := property.FindStringSubmatch(p); m != nil && (m[1] == "" || m[4] == "") {
		if m[1] == "@" {
			return store.Access(m[2]+".properties", m[3]), nil
		}
		text := fmt.Sprintf("(%s.properties ->> '%s'::text)", m[2], m[3])
		if m[4] != "" {
			return text + "::bigint", nil
		}
		return text, nil
	}
	switch {
	case p == "Vertex":
		return `{graph}._ag_label_vertex`, nil
	case p == "Edge":
		return `{graph}._ag_label_edge`, nil
	case !isLabel(p):
		return "", fmt.Errorf("{%s} is no label, property or parameter", p)
	}
	return `{graph}."` + p + `"`, nil
}

// expandParameter writes a parameter, which is bound as JSON, as agtype or as
// what stands after its name.
func (q *Query) expandParameter(name string) (string, error) {
	name, as, _ := strings.Cut(name, ":")
	i := slices.IndexFunc(q.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return "", fmt.Errorf("parameter %q is not declared", name)
	}
	at := slices.Index(q.bound, i)
	if at < 0 {
		at, q.bound = len(q.bound), append(q.bound, i)
	}
	switch value := fmt.Sprintf("($%d::text)", q.hiddenColumns()+at+1); as {
	case "":
		return value + "::ag_catalog.agtype", nil
	case "text":
		return "(" + value + "::jsonb #>> '{}')", nil
	case "int":
		return value + "::bigint", nil
	case "duration":
		return "make_interval(secs => " + value + "::double precision)", nil
	}
	return "", fmt.Errorf("parameter %s cannot be written as %q", name, as)
}

// hiddenColumns is how many arguments come before the parameters: the columns of
// a table that was made for the question.
func (q *Query) hiddenColumns() int {
	if q.walk.way != "" || q.wiring {
		return tableColumns
	}
	return 0
}

func isLabel(name string) bool {
	return slices.ContainsFunc(cmdb.Vertices, func(v cmdb.VertexSpec) bool { return string(v.Label) == name }) ||
		slices.ContainsFunc(cmdb.Edges, func(e cmdb.EdgeSpec) bool { return string(e.Type) == name })
}

// text is the SQL for a tenant; the page's limit and offset are its last two
// arguments.
func (q *Query) text(tenant tenancy.TenantID) string {
	n := q.hiddenColumns() + len(q.bound)
	return strings.NewReplacer("{graph}", store.Graph(tenant), "{near}", "").Replace(q.sql) + fmt.Sprintf("\nLIMIT $%d OFFSET $%d", n+1, n+2)
}
