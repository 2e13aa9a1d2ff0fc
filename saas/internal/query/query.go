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
//	-- from few                           (it begins at few rows: its past is looked up from row to row)
//	-- source relay                       (sites whose facts are not here are asked live)
//	-- walk clients|servers PARAM         (how dependencies go on from PARAM, as the table {walk})
//	SELECT ...
//	ORDER BY a total order, so that pages neither overlap nor leave out
//
// Types of parameters: string, int, ip, mac, host, duration, regex, entity. Of
// columns: text, int, time, json; vendor, for which the SQL gives a hardware
// address; step, for which it gives a fact's kind and the hashes of two bodies.
//
// In the text, {Label} is a label's table, {near Label} too, of which a question of
// the past looks up single rows: in JOIN {near Label} x ON x.id = y.z (or start_id,
// end_id), for each row of a page. {x.name} a property of the row x as
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
	few     bool   // see past.go
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

var headLine = regexp.MustCompile(`^(param|column) ([a-z][a-z0-9_]*) ([a-z]+)(?:=(\S+))?(?:: (.+))?$`)

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
	case line == "from few":
		q.few = true
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
