package cypher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/compile"
	"assimilation/saas/internal/cypher/syntax"
	"assimilation/saas/internal/history"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Limits of an answer.
const (
	defaultRows = 1000
	maxRows     = 10_000
	maxBytes    = 8 << 20 // of all values of an answer
)

// Memory of one question: for all its sorts and hashes together, and for all values
// of one row.
const (
	sortMemory, maxSort             = 256 << 20, 32 << 20
	valueMemory, maxValue, minValue = 256 << 20, 16 << 20, 16 << 10
)

func memory(s compile.Statement) store.Memory {
	return store.Memory{Sort: min(sortMemory/max(s.Steps, 1), maxSort), Value: max(min(valueMemory/max(s.Values, 1), maxValue), minValue)}
}

// Question is what is asked.
type Question struct {
	Text       string
	Parameters map[string]any // null, bool, int64, float64, string, []any, map[string]any
	Limit      int            // rows of the answer, 1 to maxRows
	Explain    bool           // the SQL and its plan instead of rows
	AsOf       time.Time      // the time to look back to; zero is now
}

// GraphAnswer is what the graph says to it.
type GraphAnswer struct {
	Columns   []string                     `json:"columns" nullable:"false" doc:"the columns, in their order"`
	Items     []map[string]json.RawMessage `json:"items" nullable:"false" doc:"one object per row, by column; a node is {id, label, properties}, a relationship {id, type, start_id, end_id, properties}"`
	Truncated bool                         `json:"truncated" doc:"there are more rows than the limit let through"`
	Hints     []string                     `json:"hints" nullable:"false" doc:"what is allowed in the question, and probably not meant"`
	SQL       string                       `json:"sql,omitempty" doc:"with explain: the statement that is run"`
	Arguments []string                     `json:"arguments,omitempty" doc:"with explain: the values of $1, $2, ..."`
	Plan      []string                     `json:"plan,omitempty" doc:"with explain: what the planner makes of it; nothing is run"`
}

// Refused is why Postgres did not answer a question that was compiled: in words
// for who asked.
type Refused struct{ Why string }

func (r *Refused) Error() string { return r.Why }

// Ask answers a question. What is wrong with it is a *syntax.Problem, what went
// wrong with its answer a *Refused.
func (s *Service) Ask(ctx context.Context, tenant tenancy.TenantID, q Question) (GraphAnswer, error) {
	statement, hints, err := prepareAsOf(q, tenant)
	if err != nil {
		return GraphAnswer{}, err
	}
	if !s.turns.enter(ctx, tenant) {
		return GraphAnswer{}, errTooMany
	}
	defer s.turns.leave(tenant)
	answer := GraphAnswer{Columns: statement.Columns, Items: []map[string]json.RawMessage{}, Hints: hints}
	if q.Explain {
		answer.SQL = statement.SQL
		for _, arg := range statement.Args {
			answer.Arguments = append(answer.Arguments, fmt.Sprint(arg))
		}
	}
	// Giving up on a large answer cancels it instead of reading it to its end.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = s.db.ReadBounded(ctx, tenant, memory(statement), func(tx pgx.Tx) error {
		if !q.AsOf.IsZero() {
			if err := history.Graph(ctx, tx, q.AsOf); err != nil {
				return err
			}
		}
		if q.Explain {
			answer.Plan, err = explain(ctx, tx, statement)
			return err
		}
		return answer.read(ctx, cancel, tx, statement, q.Limit)
	})
	if why := refusal(err); why != nil {
		return GraphAnswer{}, why
	}
	if err != nil {
		return GraphAnswer{}, fmt.Errorf("answering a question in Cypher: %w", err)
	}
	return answer, nil
}

// prepareAsOf is prepare for the time that is asked for.
func prepareAsOf(q Question, tenant tenancy.TenantID) (compile.Statement, []string, error) {
	if q.AsOf.IsZero() {
		return prepare(q, compile.InGraph(store.Graph(tenant)))
	}
	tables := history.NewTables(tenant, "'"+q.AsOf.UTC().Format(time.RFC3339Nano)+"'::timestamptz")
	statement, hints, err := prepare(q, tables.Table)
	statement.SQL = tables.With(statement.SQL)
	// Each table that is looked back at is sorted once, and kept.
	statement.Steps += 2 * strings.Count(statement.SQL, " AS MATERIALIZED (")
	return statement, hints, err
}

// prepare makes the SQL of a question.
func prepare(q Question, tables compile.Tables) (compile.Statement, []string, error) {
	tree, err := syntax.Parse(q.Text)
	if err != nil {
		return compile.Statement{}, nil, err
	}
	info, err := check.Check(tree, q.Parameters)
	if err != nil {
		return compile.Statement{}, nil, err
	}
	// One row more tells whether there are more.
	statement, err := compile.Compile(info, tables, q.Limit+1)
	hints := info.Hints
	if hints == nil {
		hints = []string{}
	}
	return statement, hints, err
}

func explain(ctx context.Context, tx pgx.Tx, statement compile.Statement) ([]string, error) {
	rows, err := tx.Query(ctx, "EXPLAIN "+statement.SQL, arguments(statement)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// arguments asks for the extended protocol without a prepared statement: a
// question is seldom asked twice.
func arguments(statement compile.Statement) []any {
	return append([]any{pgx.QueryExecModeExec}, statement.Args...)
}

func (a *GraphAnswer) read(ctx context.Context, cancel context.CancelFunc, tx pgx.Tx, statement compile.Statement, limit int) error {
	rows, err := tx.Query(ctx, statement.SQL, arguments(statement)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	texts := make([]*string, len(statement.Columns))
	var tooLarge bool
	targets := make([]any, 0, len(texts)+1)
	for i := range texts {
		targets = append(targets, &texts[i])
	}
	targets = append(targets, &tooLarge)
	size := 0
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if len(a.Items) == limit {
			a.Truncated = true
			continue // it is the last
		}
		item := make(map[string]json.RawMessage, len(texts))
		for i, text := range texts {
			item[statement.Columns[i]] = json.RawMessage("null")
			if text != nil {
				size += len(*text)
				item[statement.Columns[i]] = json.RawMessage(*text)
			}
		}
		if tooLarge || size > maxBytes {
			cancel()
			return &Refused{fmt.Sprintf("the answer is larger than %d MiB; ask for fewer rows, or for properties instead of whole nodes", maxBytes>>20)}
		}
		a.Items = append(a.Items, item)
	}
	return rows.Err()
}

// refusals are the words for what Postgres says by code; its own never leave.
var refusals = map[string]string{
	"57014": "the question took longer than 5 s; start from a node that is known by its key or name, walk fewer hops, or LIMIT earlier",
	"53400": "the question needs more than 512 MiB of disk to sort or to walk; match less, or LIMIT earlier",
	"53200": "the question needs too much memory; match less, or LIMIT earlier",
	"54001": "the question is too complicated",
	"54000": "the question is too complicated, or a value in it grows too large",
	"22012": "a number is divided by 0",
	"22003": "a number is outside 64 bits",
	"22P02": "a value cannot be converted",
	"2201F": "a function is asked for the power of a number that has none",
	"2201E": "a function is asked for the logarithm of a number that has none",
	"2201B": "the regular expression is not understood",
	"22P05": "a string holds a character that cannot be stored",
}

// refusal is the error as a *Refused, or nil if it is none that the question is
// to blame for.
func refusal(err error) error {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused
	}
	known, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return nil
	case strings.HasPrefix(known.Code, "CY"):
		return &Refused{known.Message}
	case refusals[known.Code] != "":
		return &Refused{refusals[known.Code]}
	case strings.HasPrefix(known.Code, "22"):
		return &Refused{"a value is outside of what a function or operator takes"}
	}
	return nil
}
