package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Limits of an answer.
const (
	defaultRows = 1000
	maxRows     = 10_000
	maxOffset   = 10_000_000
)

// Service is the feature.
type Service struct {
	db      *store.DB
	queries []Query
	// All are required where people ask.
	Live     Live
	Topology Topology
	Say      Say
	Past     Asked
}

// Asked remembers what people ask in a browser, and shows what they asked last of
// pages whose addresses begin so.
type Asked interface {
	Remember(ctx context.Context, a web.Actor, address, said string) error
	Recent(ctx context.Context, a web.Actor, prefix string) (templ.Component, error)
}

// New reads the questions.
func New(db *store.DB) (*Service, error) {
	queries, err := load()
	return &Service{db: db, queries: queries}, err
}

// Answer is a page of rows. Columns says their order.
type Answer struct {
	Columns    []string         `json:"columns" nullable:"false"`
	Items      []map[string]any `json:"items" nullable:"false" doc:"one object per row, by column; null where there is nothing"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"cursor of the next page; absent on the last"`
	Note       string           `json:"note,omitempty" doc:"what is missing from this answer, and why"`
}

// ErrUnknown is the error of a question that there is not.
var ErrUnknown = errors.New("there is no such query; /v1/queries lists them")

// Page chooses rows of an answer, and the time that it is of; zero is now.
type Page struct {
	Offset, Limit int
	AsOf          time.Time
}

// Ask answers a question from the graph alone. What is wrong with a parameter is
// a *BadParameter.
func (s *Service) Ask(ctx context.Context, tenant tenancy.TenantID, name string, parameters url.Values, page Page) (Answer, error) {
	q := s.named(name)
	if q == nil {
		return Answer{}, ErrUnknown
	}
	return s.ask(ctx, tenant, q, parameters, page, wires{})
}

func (s *Service) named(name string) *Query {
	i := slices.IndexFunc(s.queries, func(q Query) bool { return q.Name == name })
	if i < 0 {
		return nil
	}
	return &s.queries[i]
}

func (s *Service) ask(ctx context.Context, tenant tenancy.TenantID, q *Query, parameters url.Values, page Page, known wires) (Answer, error) {
	values, err := q.read(parameters)
	if err != nil {
		return Answer{}, err
	}
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("assimilation/saas").Start(ctx, "query "+q.Name)
	defer span.End()
	var answer Answer
	for _, c := range q.Columns {
		answer.Columns = append(answer.Columns, c.Name)
	}
	err = s.db.Read(ctx, tenant, func(tx pgx.Tx) error {
		if !page.AsOf.IsZero() {
			if err := q.prepareAsOf(ctx, tx, page.AsOf); err != nil {
				return err
			}
		}
		bound, note, err := q.bind(ctx, tx, tenant, values)
		if err != nil {
			return err
		}
		if q.wiring {
			bound = append(known.columns(), bound...)
		}
		answer.Note = note
		if answer.Items, err = q.rows(ctx, tx, tenant, bound, page); err != nil {
			return err
		}
		if len(answer.Items) > page.Limit {
			answer.Items = answer.Items[:page.Limit]
			answer.NextCursor = strconv.Itoa(page.Offset + page.Limit)
		}
		return s.finish(ctx, tx, q, answer.Items)
	})
	if bad, ok := errors.AsType[*BadParameter](err); ok {
		return Answer{}, bad
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case badRegex:
			return Answer{}, &BadParameter{q.parameterOf(Regex), "is no regular expression that the database reads"}
		case canceled:
			return Answer{}, web.NewProblem(http.StatusServiceUnavailable, web.Unavailable, "this question took too long: ask for less, or for one host")
		}
	}
	if err != nil {
		return Answer{}, fmt.Errorf("asking %s: %w", q.Name, err)
	}
	return answer, nil
}

// SQLSTATEs: invalid_regular_expression, query_canceled.
const (
	badRegex = "2201B"
	canceled = "57014"
)

func (q *Query) parameterOf(t Type) string {
	for _, p := range q.Parameters {
		if p.Type == t {
			return p.Name
		}
	}
	return ""
}

// rows reads a page's rows, and one more if there is one.
func (q *Query) rows(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, bound []any, page Page) ([]map[string]any, error) {
	sql, limit, offset := q.text(tenant), page.Limit+1, page.Offset
	if q.missing != "" {
		limit, offset = maxSifted, 0
	}
	arguments := append(bound, limit, offset)
	if !page.AsOf.IsZero() {
		sql, arguments = q.textAsOf(tenant), append(arguments, page.AsOf)
	}
	if q.missing != "" {
		return q.sift(ctx, tx, sql, arguments, page)
	}
	rows, err := tx.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]map[string]any{}, rows, q.item)
}

// Sifting reads so many rows at a time, and so many at all.
const (
	siftStep  = 500
	maxSifted = 1_000_000
)

// sift reads rows until there are enough of those that lack the column that is to
// be missing. The database finds no more of them than are read.
func (q *Query) sift(ctx context.Context, tx pgx.Tx, sql string, arguments []any, page Page) (items []map[string]any, err error) {
	if _, err := tx.Exec(ctx, `DECLARE sifted NO SCROLL CURSOR FOR `+sql, arguments...); err != nil {
		return nil, err
	}
	items = []map[string]any{}
	for skip, more := page.Offset, true; more && len(items) <= page.Limit; {
		rows, err := tx.Query(ctx, fmt.Sprintf(`FETCH %d FROM sifted`, siftStep))
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, q.item)
		if err != nil {
			return nil, err
		}
		more = len(found) == siftStep
		for _, item := range found {
			switch {
			case item[q.missing] != nil:
			case skip > 0:
				skip--
			case len(items) <= page.Limit:
				items = append(items, item)
			}
		}
	}
	return items, nil
}

func (q *Query) item(row pgx.CollectableRow) (map[string]any, error) {
	values, err := row.Values()
	if err != nil {
		return nil, err
	}
	item := make(map[string]any, len(q.Columns))
	for i, c := range q.Columns {
		if t, ok := values[i].(time.Time); ok {
			values[i] = t.UTC()
		}
		if mac, ok := values[i].(string); ok && c.made == vendor {
			values[i] = nil
			if name := VendorOf(mac); name != "" {
				values[i] = name
			}
		}
		item[c.Name] = values[i]
	}
	return item, nil
}
