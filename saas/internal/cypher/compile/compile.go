// Package compile turns a question that was read and checked into one SQL
// statement over the label tables of a tenant's graph.
//
// The text of the statement is made of this package's own words and of names in
// cmdb; whatever the client wrote, values and names of properties, is bound. A
// match is a join: a relationship of fixed length is its edge table, one of
// variable length a recursive query, a node its label's table where more than
// its id is needed. WITH is a subquery.
//
// A value whose type is known is carried as bigint, double precision, text or
// boolean, any other as jsonb; schema cypher of tenancy/store calculates with
// those.
package compile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/syntax"
)

// Statement is a question in SQL. Each column of its answer is JSON text; one
// more tells whether a row is larger than MaxRow, which then has no values.
type Statement struct {
	SQL     string
	Args    []any
	Columns []string
	// Steps are how often at most it sorts, hashes or keeps rows, Values how many
	// values at most it calculates of one row.
	Steps, Values int
}

// MaxRow bounds a row of an answer, in bytes.
const MaxRow = 4 << 20

// maxSQL bounds the statement, and with it what the planner has to look at.
const maxSQL = 128 << 10

// Tables say what stands for the table of a label or type: a table, or a query in
// parentheses with its columns.
type Tables func(label string) string

// InGraph are the tables themselves, in the schema named graph.
func InGraph(graph string) Tables {
	return func(label string) string { return graph + `."` + label + `"` }
}

// Compile writes the statement over these tables. It answers at most rows rows.
// Its error is a *syntax.Problem.
func Compile(info *check.Info, tables Tables, rows int) (statement Statement, err error) {
	b := &builder{info: info, table: tables, bound: map[any]int{}, texts: map[any]string{}, env: map[*check.Symbol]binding{}}
	defer func() {
		if r := recover(); r != nil {
			problem, ok := r.(*syntax.Problem)
			if !ok {
				panic(r)
			}
			err = problem
		}
	}()
	var sql string
	for _, clause := range info.Query.Clauses {
		switch clause := clause.(type) {
		case *syntax.Match:
			b.match(clause)
		case *syntax.Unwind:
			b.unwind(clause)
		case *syntax.Projection:
			if clause.Return {
				sql = b.answer(clause, rows)
			} else {
				b.with(clause)
			}
		}
	}
	statement = b.used(sql)
	statement.Steps = b.names + strings.Count(sql, " ORDER BY ") + strings.Count(sql, "DISTINCT ") + strings.Count(sql, " OVER (")
	statement.Values = values(sql)
	for _, c := range info.Result() {
		statement.Columns = append(statement.Columns, c.Symbol.Name)
	}
	return statement, nil
}

// builder writes one statement. Its methods panic with a *syntax.Problem, which
// Compile recovers.
type builder struct {
	info  *check.Info
	table Tables // names are cmdb's, not the client's
	args  []any
	bound map[any]int    // a value's number among args
	texts map[any]string // of constants and parameters, as JSON
	names int            // of tables, so far

	source
	env map[*check.Symbol]binding

	// Within a projection that groups: what is computed already, by the text of
	// the expression.
	known map[string]value
}

// source is where rows come from.
type source struct {
	from  []string // joined by commas
	where []string
}

func (s *source) sql() string {
	var b strings.Builder
	if len(s.from) > 0 {
		b.WriteString(" FROM " + strings.Join(s.from, ", "))
	}
	if len(s.where) > 0 {
		b.WriteString(" WHERE " + strings.Join(s.where, " AND "))
	}
	return b.String()
}

func (b *builder) fail(pos syntax.Pos, format string, args ...any) {
	panic(syntax.At(b.info.Query.Source, pos, format, args...))
}

// limit refuses a question whose SQL has grown out of hand.
func (b *builder) limit(sql string) string {
	if len(sql) > maxSQL {
		b.fail(0, "the question is too complicated: as SQL it is larger than %d KiB", maxSQL>>10)
	}
	return sql
}

// name makes a name for a table.
func (b *builder) name(prefix string) string {
	b.names++
	return prefix + strconv.Itoa(b.names)
}

// arg binds a bool, int64, float64 or string and returns how the SQL speaks of it.
func (b *builder) arg(v any, as string) string {
	n := b.bound[v]
	if n == 0 {
		b.args = append(b.args, v)
		n = len(b.args)
		b.bound[v] = n
	}
	switch as {
	case "jsonb", "agtype":
		// The parameter is text; the cast reads it.
		return fmt.Sprintf("(($%d::text)::%s)", n, map[string]string{"jsonb": "jsonb", "agtype": "ag_catalog.agtype"}[as])
	}
	return fmt.Sprintf("$%d::%s", n, as)
}

var argument = regexp.MustCompile(`\$[0-9]+`)

// maxArguments bounds the texts of the arguments, each counted as often as the
// SQL speaks of it: that often the planner copies it.
const maxArguments = 8 << 20

// used numbers anew the arguments that the SQL speaks of: of some values only
// another form was needed, and Postgres wants a type for each.
func (b *builder) used(sql string) Statement {
	var s Statement
	numbers := map[string]string{}
	size := 0
	s.SQL = argument.ReplaceAllStringFunc(sql, func(old string) string {
		n, err := strconv.Atoi(old[1:])
		if err != nil {
			panic(err) // arg wrote it
		}
		if numbers[old] == "" {
			s.Args = append(s.Args, b.args[n-1])
			numbers[old] = "$" + strconv.Itoa(len(s.Args))
		}
		if text, ok := b.args[n-1].(string); ok {
			size += len(text)
		}
		return numbers[old]
	})
	if size > maxArguments {
		b.fail(0, "a large parameter or string is used too often; name it once: WITH $name AS name")
	}
	return s
}

// values counts what may be a value of its own: calls of functions, and columns
// that subqueries and lists hand on.
func values(sql string) int {
	count := 0
	for i := 1; i < len(sql); i++ {
		switch before := sql[i-1]; {
		case sql[i] == '(' && (before >= 'a' && before <= 'z' || before >= '0' && before <= '9' || before == '_'):
			count++
		case before == '.' && (sql[i] == 'c' || sql[i] == 'i' || sql[i] == 'r'): // .c1, .item, .rels
			count++
		}
	}
	return count
}

// unwind joins the items of a list.
func (b *builder) unwind(u *syntax.Unwind) {
	name := b.name("u")
	list := b.typed(b.expr(u.List), check.List, "UNWIND")
	b.from = append(b.from, fmt.Sprintf("LATERAL jsonb_array_elements(%s) AS %s(item)", list, name))
	s := b.info.Unwound[u]
	b.env[s] = b.fromJSON(s.Type, fmt.Sprintf("nullif(%s.item, 'null')", name))
}
