package history

import (
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/cmdb"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Tables turns a statement that reads the tables of labels and edge types into
// one that reads what they held at a time, with the same columns and the ids of
// then.
type Tables struct {
	tenant tenancy.TenantID
	at     string
	names  []string // of the tables that were asked for as a whole
}

// NewTables makes tables of a tenant; at is the expression of the time.
func NewTables(tenant tenancy.TenantID, at string) *Tables {
	return &Tables{tenant: tenant, at: at}
}

var (
	anyTable = regexp.MustCompile(`\{([A-Za-z_]+)\}`)
	byID     = regexp.MustCompile(`JOIN (\{near\})?\{([A-Za-z_]+)\} ([a-z]+) ON ([a-z]+)\.(id|start_id|end_id) = ([a-z]+\.[a-z_]+)`)
)

// Whole writes a statement that reads most of some tables, each of which stands in
// it as {Label}; what it reads of few rows, such as those of a page, is read as
// Near does where JOIN {near}{Label} asks for it.
func (t *Tables) Whole(statement string) string {
	return t.write(statement, false)
}

// Near writes a statement that begins at a few rows and goes on from each to the
// next: JOIN {Label} x ON x.id = y.z, or x.start_id, or x.end_id, finds what y.z
// leads to, and nothing else is looked at. y stands before x.
func (t *Tables) Near(statement string) string {
	return t.write(statement, true)
}

func (t *Tables) write(statement string, near bool) string {
	statement = byID.ReplaceAllStringFunc(statement, func(join string) string {
		m := byID.FindStringSubmatch(join)
		if m[3] != m[4] || m[1] == "" && !near {
			return join
		}
		return "JOIN " + t.rows(m[2], m[5], m[6]) + " " + m[3] + " ON true"
	})
	return t.With(anyTable.ReplaceAllStringFunc(statement, func(name string) string { return t.Table(name[1 : len(name)-1]) }))
}

// Table is the expression that stands for a table: what is now, less all that
// changed later, and what was before those changes.
func (t *Tables) Table(name string) string {
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
	return t.replace(name, `(
		SELECT {is.columns} FROM {table} _is WHERE _is.id NOT IN (SELECT id FROM {later})
		UNION ALL SELECT {was.columns} FROM {later} _was WHERE _was.before IS NOT NULL)`)
}

// rows is the expression that stands for a table of which only rows are read
// whose column, an id, has a value: a column of what is joined before. They are
// found by indexes, however much changed elsewhere: OFFSET 0 keeps each look-up
// apart, or the planner may take all that changed later for few rows.
func (t *Tables) rows(name, column, value string) string {
	// Names of rows that no statement has: value is of a row of the statement.
	return strings.NewReplacer("{column}", column, "{value}", value).Replace(t.replace(name, `LATERAL (
		(SELECT {is.columns} FROM {table} _is WHERE _is.{column} = {value}
			AND NOT EXISTS (SELECT FROM assim.undo _later WHERE _later.id = _is.id AND _later.at > {at} OFFSET 0) OFFSET 0)
		UNION ALL (SELECT {was.columns} FROM assim.undo _was
		WHERE _was.{column} = {value} AND _was.label = {label} AND _was.at > {at} AND _was.before IS NOT NULL
			AND NOT EXISTS (SELECT FROM assim.undo _later WHERE _later.id = _was.id AND _later.at > {at} AND (_later.at, _later.step) < (_was.at, _was.step) OFFSET 0)
		OFFSET 0))`))
}

var with = regexp.MustCompile(`^\s*WITH\s+(RECURSIVE\s)?`)

// With puts before a statement, which may have such of its own, the first change
// after the time of each element of the tables that were asked for as a whole:
// each table is looked up once, however often the statement reads it.
func (t *Tables) With(statement string) string {
	if len(t.names) == 0 {
		return statement
	}
	parts := make([]string, len(t.names))
	for i, name := range t.names {
		parts[i] = t.replace(name, `{later} AS MATERIALIZED (
			SELECT DISTINCT ON (u.id) u.id, u.start_id, u.end_id, u.before FROM assim.undo u
			WHERE u.label = {label} AND u.at > {at} ORDER BY u.id, u.at, u.step)`)
	}
	all := strings.Join(parts, ",\n")
	if own := with.FindStringSubmatch(statement); own != nil {
		return "WITH " + own[1] + all + ",\n" + statement[len(own[0]):]
	}
	return "WITH " + all + "\n" + statement
}

// replace writes a piece of SQL for a table. {is.columns} and {was.columns} are its
// columns, of its own row and of one of history.
func (t *Tables) replace(name, sql string) string {
	ends := ""
	if isEdge(name) {
		ends = "{x}.start_id, {x}.end_id, "
	}
	columns := func(row, properties string) string {
		return row + ".id, " + strings.ReplaceAll(ends, "{x}", row) + properties
	}
	return strings.NewReplacer("{is.columns}", columns("_is", "_is.properties"),
		"{was.columns}", columns("_was", "(_was.before::text)::ag_catalog.agtype AS properties"),
		"{table}", tableOf(t.tenant, name), "{later}", `"later `+name+`"`, "{label}", literal(name), "{at}", t.at).Replace(sql)
}

func isEdge(name string) bool {
	return slices.ContainsFunc(cmdb.Edges, func(e cmdb.EdgeSpec) bool { return string(e.Type) == name })
}

func tableOf(tenant tenancy.TenantID, label string) string {
	return pgx.Identifier{store.Graph(tenant), label}.Sanitize()
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
