// Package query answers the named questions: prepared SQL over the label tables
// of the tenant's graph, one file each in queries/. A file's head says what it
// asks, its parameters and its columns; adding a question is adding a file. The
// guide is docs/queries.md.
//
//	-- What it answers, in a sentence.
//	-- group NAME                         (of the list; one of groups)
//	-- note SENTENCE                      (what the answer cannot know)
//	-- param NAME TYPE[=DEFAULT]: what it is
//	-- example NAME=VALUE
//	-- column NAME TYPE[: what it is]
//	-- missing COLUMN                     (keep only rows where it is null)
//	-- source relay                       (sites whose facts are not here are asked live)
//	-- walk clients|servers PARAM         (how dependencies go on from PARAM, as the table {walk})
//	SELECT ...
//	ORDER BY a total order, so that pages neither overlap nor leave out
//
// Types of parameters: string, int, ip, mac, host, duration, regex, entity. Of
// columns: text, int, time, json; vendor, for which the SQL gives a hardware
// address; step, for which it gives a fact's kind and the hashes of two bodies.
//
// In the text, {Label} is a label's table, {x.name} a property of the row x as
// text and {x.name:int} as number, {@x.name} the same as the index over it has
// it, {x.*} all properties as JSON, {$name} a parameter to compare {@x.name}
// with, and {$name:text}, {$name:int}, {$name:duration} the same for SQL.
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
	Group       string      `json:"group"`
	Description string      `json:"description"`
	Note        string      `json:"note,omitempty" doc:"what the answer cannot know"`
	Parameters  []Parameter `json:"parameters" nullable:"false"`
	Columns     []Column    `json:"columns" nullable:"false"`
	Example     string      `json:"example,omitempty" doc:"parameters as they may be given"`
	Relay       bool        `json:"asks_relays,omitempty" doc:"sites that keep their topology are asked live, which needs the role operator"`
	LooksBack   bool        `json:"looks_back,omitempty" doc:"can be asked as of another time than now"`

	sql     string // with {graph} where the tenant's schema belongs
	bound   []int  // parameters that the text names, in the order in which they are bound
	missing string // column that must be null
	walk    walk   // the zero walk: none
	wiring  bool   // the relays' answer is a table of the text
}

// Parameter of a question; one without a default is required.
type Parameter struct {
	Name    string `json:"name"`
	Type    Type   `json:"type" enum:"string,int,ip,mac,host,duration,regex,entity"`
	Default string `json:"default,omitempty"`
	Doc     string `json:"doc"`
}

// Column of an answer.
type Column struct {
	Name string     `json:"name"`
	Type ColumnType `json:"type" enum:"text,int,time,json"`
	Doc  string     `json:"doc,omitempty"`

	made maker // how the value is made of what the SQL gives
}

// ColumnType is a type of values.
type ColumnType string

// The types of columns.
const (
	Text ColumnType = "text"
	Num  ColumnType = "int"
	Time ColumnType = "time"
	JSON ColumnType = "json"
)

// maker says that a column's text is made here, of what the SQL gives.
type maker string

// The makers.
const (
	asIs   maker = ""
	vendor maker = "vendor" // of a hardware address
	step   maker = "step"   // of "kind hash previous", hashes in hex or "-"
)

// groups of the list of questions, in its order.
var groups = []string{"hosts", "network", "services", "packages", "questions", "blind spots", "graph"}

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
	if !slices.Contains(groups, q.Group) {
		return Query{}, fmt.Errorf("group %q is none of %s", q.Group, strings.Join(groups, ", "))
	}
	if q.missing != "" && !slices.ContainsFunc(q.Columns, func(c Column) bool { return c.Name == q.missing }) {
		return Query{}, fmt.Errorf("column %q, which is to be missing, is not declared", q.missing)
	}
	q.wiring = strings.Contains(text, "{wiring}")
	var fault error
	q.sql = placeholder.ReplaceAllStringFunc(strings.TrimSpace(text), func(p string) string {
		sql, err := q.expand(p[1 : len(p)-1])
		if err != nil {
			fault = err
		}
		return sql
	})
	q.LooksBack = q.looksBack()
	return q, fault
}

var (
	headLine    = regexp.MustCompile(`^(param|column) ([a-z_]+) ([a-z]+)(?:=(\S+))?(?:: (.+))?$`)
	placeholder = regexp.MustCompile(`\{[^{}]+\}`)
	property    = regexp.MustCompile(`^(@?)([a-z]+)\.([a-z_]+)(:int)?$`)
	everything  = regexp.MustCompile(`^([a-z]+)\.\*$`)
)

func (q *Query) parseHead(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case q.Description == "":
		q.Description = line
	case word == "example":
		q.Example = rest
	case word == "group":
		q.Group = rest
	case word == "note":
		q.Note = strings.TrimSpace(q.Note + " " + rest)
	case word == "missing":
		q.missing = rest
	case line == "source relay":
		q.Relay = true
	case word == "walk":
		return q.parseWalk(rest)
	case word == "param":
		return q.parseParameter(line)
	case word == "column":
		return q.parseColumn(line)
	default:
		return fmt.Errorf("%q begins with no word that a head may have", line)
	}
	return nil
}

func (q *Query) parseParameter(line string) error {
	m := headLine.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("%q is not param NAME TYPE[=DEFAULT]: what it is", line)
	}
	read, known := readers[Type(m[3])]
	if !known {
		return fmt.Errorf("parameter %s has unknown type %q", m[2], m[3])
	}
	if m[4] != "" {
		if _, err := read(m[4]); err != nil {
			return fmt.Errorf("default of parameter %s %w", m[2], err)
		}
	}
	q.Parameters = append(q.Parameters, Parameter{m[2], Type(m[3]), m[4], m[5]})
	return nil
}

func (q *Query) parseColumn(line string) error {
	m := headLine.FindStringSubmatch(line)
	if m == nil || m[4] != "" {
		return fmt.Errorf("%q is not column NAME TYPE[: what it is]", line)
	}
	c := Column{Name: m[2], Type: ColumnType(m[3]), Doc: m[5]}
	switch c.Type {
	case Text, Num, Time, JSON:
	case ColumnType(vendor), ColumnType(step):
		c.Type, c.made = Text, maker(m[3])
	default:
		return fmt.Errorf("column %s has unknown type %q", m[2], m[3])
	}
	q.Columns = append(q.Columns, c)
	return nil
}

// expand turns what stands between braces into SQL.
func (q *Query) expand(p string) (string, error) {
	if name, ok := strings.CutPrefix(p, "$"); ok {
		return q.expandParameter(name)
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
	case "after": // beyond every text that begins with it
		return "to_json((" + value + "::jsonb #>> '{}') || U&'\\+10FFFF')::text::ag_catalog.agtype", nil
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
	return strings.ReplaceAll(q.sql, "{graph}", store.Graph(tenant)) + fmt.Sprintf("\nLIMIT $%d OFFSET $%d", n+1, n+2)
}
