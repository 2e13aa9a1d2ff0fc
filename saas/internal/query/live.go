package query

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
)

// Live answers a question of source relay for the sites whose facts are not
// here, by asking them: rows of the query's columns, of one host or of all ("").
type Live func(ctx context.Context, actor web.Actor, host string) ([]map[string]any, error)

// AskFor is Ask for a person. Rows that relays tell come before those of the
// graph; they are as of now on every page.
func (s *Service) AskFor(ctx context.Context, actor web.Actor, name string, parameters url.Values, page Page) (Answer, error) {
	q := s.named(name)
	switch {
	case q != nil && !q.LooksBack && !page.AsOf.IsZero():
		return Answer{}, errNoLookingBack
	case q == nil || !q.Relay:
		return s.Ask(ctx, actor.Tenant, name, parameters, page)
	case q.wiring:
		known, notes, err := s.askWiring(ctx, actor, q, parameters)
		if err != nil {
			return Answer{}, err
		}
		answer, err := s.ask(ctx, actor.Tenant, q, parameters, page, known)
		answer.Note = strings.TrimSpace(answer.Note + " " + strings.Join(notes, " "))
		return answer, err
	}
	host, err := s.hostOf(ctx, actor, q, parameters)
	if err != nil {
		return Answer{}, err
	}
	live, err := s.Live(ctx, actor, host)
	if err != nil {
		return Answer{}, err
	}
	told := live[min(page.Offset, len(live)):min(page.Offset+page.Limit, len(live))]
	// At least one row of the graph is read, to know whether there are more.
	rest := Page{Offset: max(0, page.Offset-len(live)), Limit: page.Limit - len(told)}
	full := rest.Limit == 0
	if full {
		rest.Limit = 1
	}
	answer, err := s.Ask(ctx, actor.Tenant, name, parameters, rest)
	if err != nil {
		return Answer{}, err
	}
	more := answer.NextCursor != "" || full && (len(answer.Items) > 0 || len(live) > page.Offset+page.Limit)
	if full {
		answer.Items = nil
	}
	answer.Items, answer.NextCursor = append(slices.Clone(told), answer.Items...), ""
	if more {
		answer.NextCursor = strconv.Itoa(page.Offset + page.Limit)
	}
	return answer, nil
}

// hostOf is the id of the host that the question is about, "" for all.
func (s *Service) hostOf(ctx context.Context, actor web.Actor, q *Query, parameters url.Values) (host string, err error) {
	values, err := q.read(parameters)
	if err != nil {
		return "", err
	}
	for i, p := range q.Parameters {
		if p.Type != Host {
			continue
		}
		err := s.db.Read(ctx, actor.Tenant, func(tx pgx.Tx) (err error) {
			host, err = findHost(ctx, tx, values[i].(string))
			return err
		})
		if err != nil {
			return "", fmt.Errorf("asking %s: %w", q.Name, err)
		}
		if host == "" {
			return "", noHost(p.Name)
		}
	}
	return host, nil
}
