// Package query answers the named questions: prepared SQL over the label tables
// of the tenant's graph, one file each in queries/. A file's head says what it
// asks, its parameters and its columns; adding a question is adding a file.
//
//	-- What it answers, in a sentence.
//	-- param NAME TYPE: what it is        (string, int, ip, mac, host)
//	-- example NAME=VALUE
//	-- column NAME TYPE[: what it is]     (text, int, time)
//	-- source relay                       (sites whose facts are not here are asked live)
//	SELECT ...
//	ORDER BY a total order, so that pages neither overlap nor leave out
//
// In the text, {Label} is a label's table, {x.name} a property of the row x as
// text and {x.name:int} as number, {@x.name} the same as the index over it has
// it, and {$name} a parameter to compare that with.
package query

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

//go:embed queries/*.sql
var files embed.FS

// Query is one named question.
type Query struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Parameters  []Parameter `json:"parameters" nullable:"false"`
	Columns     []Column    `json:"columns" nullable:"false"`
	Example     string      `json:"example,omitempty" doc:"parameters as they may be given"`
	Relay       bool        `json:"asks_relays,omitempty" doc:"sites that keep their topology are asked live, which needs the role operator"`

	sql string // with {graph} where the tenant's schema belongs
}

// Parameter of a question; all are required.
type Parameter struct {
	Name string `json:"name"`
	Type Type   `json:"type" enum:"string,int,ip,mac,host"`
	Doc  string `json:"doc"`
}

// Column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type" enum:"text,int,time"`
	Doc  string `json:"doc,omitempty"`
}

// load reads all questions, by name.
func load() ([]Query, error) {
	names, err := fs.Glob(files, "queries/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, file := range names {
		text, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		q, err := parse(strings.TrimSuffix(strings.TrimPrefix(file, "queries/"), ".sql"), string(text))
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", file, err)
		}
		all = append(all, q)
	}
	return all, nil
}

func parse(name, text string) (Query, error) {
	q := Query{Name: name, Parameters: []Parameter{}, Columns: []Column{}}
	for {
		line, rest, _ := strings.Cut(text, "\n")
		head, ok := strings.CutPrefix(line, "-- ")
		if !ok {
			break
		}
		text = rest
		if err := q.parseHead(head); err != nil {
			return Query{}, err
		}
	}
	if q.Description == "" || len(q.Columns) == 0 || !strings.Contains(text, "ORDER BY") {
		return Query{}, fmt.Errorf("a description, a column or an order is missing")
	}
	var fault error
	q.sql = placeholder.ReplaceAllStringFunc(strings.TrimSpace(text), func(p string) string {
		sql, err := q.expand(p[1 : len(p)-1])
		if err != nil {
			fault = err
		}
		return sql
	})
	return q, fault
}

var (
	headLine    = regexp.MustCompile(`^(param|column) ([a-z_]+) ([a-z]+)(?:: (.+))?$`)
	placeholder = regexp.MustCompile(`\{[^{}]+\}`)
	property    = regexp.MustCompile(`^(@?)([a-z]+)\.([a-z_]+)(:int)?$`)
)

func (q *Query) parseHead(line string) error {
	if example, ok := strings.CutPrefix(line, "example "); ok {
		q.Example = example
		return nil
	}
	if line == "source relay" {
		q.Relay = true
		return nil
	}
	m := headLine.FindStringSubmatch(line)
	switch {
	case m == nil && q.Description == "":
		q.Description = line
	case m == nil:
		return fmt.Errorf("%q is neither param, column nor example", line)
	case m[1] == "param":
		if _, known := readers[Type(m[3])]; !known {
			return fmt.Errorf("parameter %s has unknown type %q", m[2], m[3])
		}
		q.Parameters = append(q.Parameters, Parameter{m[2], Type(m[3]), m[4]})
	default:
		if !slices.Contains([]string{"text", "int", "time"}, m[3]) {
			return fmt.Errorf("column %s has unknown type %q", m[2], m[3])
		}
		q.Columns = append(q.Columns, Column{m[2], m[3], m[4]})
	}
	return nil
}

// expand turns what stands between braces into SQL.
func (q *Query) expand(p string) (string, error) {
	if name, ok := strings.CutPrefix(p, "$"); ok {
		i := slices.IndexFunc(q.Parameters, func(p Parameter) bool { return p.Name == name })
		if i < 0 {
			return "", fmt.Errorf("parameter %q is not declared", name)
		}
		return fmt.Sprintf("($%d::text)::ag_catalog.agtype", i+1), nil
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
	if !isLabel(p) {
		return "", fmt.Errorf("{%s} is no label, property or parameter", p)
	}
	return `{graph}."` + p + `"`, nil
}

func isLabel(name string) bool {
	return slices.ContainsFunc(cmdb.Vertices, func(v cmdb.VertexSpec) bool { return string(v.Label) == name }) ||
		slices.ContainsFunc(cmdb.Edges, func(e cmdb.EdgeSpec) bool { return string(e.Type) == name })
}

// text is the SQL for a tenant; the page's limit and offset are its last two
// parameters.
func (q *Query) text(tenant tenancy.TenantID) string {
	n := len(q.Parameters)
	return strings.ReplaceAll(q.sql, "{graph}", store.Graph(tenant)) + fmt.Sprintf("\nLIMIT $%d OFFSET $%d", n+1, n+2)
}
