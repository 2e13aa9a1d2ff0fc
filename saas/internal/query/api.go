package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// asked is the request of a question: whatever parameters it declares.
type asked struct {
	values url.Values
}

// Resolve implements huma.Resolver.
func (a *asked) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	a.values = u.Query()
	return nil
}

var _ huma.Resolver = (*asked)(nil)

// page takes limit, cursor and as_of out of the values.
func (a *asked) page() (Page, error) {
	p := Page{Limit: defaultRows}
	for _, field := range []struct {
		name string
		to   *int
		max  int
	}{{"limit", &p.Limit, maxRows}, {"cursor", &p.Offset, maxOffset}} {
		text := a.values.Get(field.name)
		a.values.Del(field.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > field.max {
			return Page{}, &BadParameter{field.name, fmt.Sprintf("is not a number of 1 to %d", field.max)}
		}
		*field.to = n
	}
	text := a.values.Get("as_of")
	a.values.Del("as_of")
	if text == "" {
		return p, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return Page{}, &BadParameter{"as_of", "is not a time such as 2026-01-31T12:00:00Z"}
	}
	p.AsOf = at
	return p, nil
}

// Register adds the REST operations: the list, and one for each question.
func (s *Service) Register(api huma.API) {
	tags := []string{"queries"}
	huma.Register(api, huma.Operation{
		OperationID: "list-queries", Method: http.MethodGet, Path: "/v1/queries", Metadata: web.Needs(tenancy.Read), Tags: tags,
		Summary: "The named questions that can be asked of the graph",
	}, func(context.Context, *struct{}) (*web.Answer[web.List[Query]], error) {
		return web.Listed(s.queries, "", nil)
	})
	for _, q := range s.queries {
		huma.Register(api, huma.Operation{
			OperationID: "query-" + q.Name, Method: http.MethodGet, Path: "/v1/queries/" + q.Name, Metadata: web.Needs(tenancy.Read), Tags: tags,
			Summary: q.Description, Description: q.Note, Parameters: q.describe(), SkipValidateParams: true,
		}, func(ctx context.Context, in *asked) (*web.Answer[Answer], error) { return s.answer(ctx, q.Name, in) })
	}
	huma.Register(api, huma.Operation{
		OperationID: "query-unknown", Method: http.MethodGet, Path: "/v1/queries/{name}", Metadata: web.Needs(tenancy.Read), Hidden: true, SkipValidateParams: true,
	}, func(ctx context.Context, in *asked) (*web.Answer[Answer], error) { return s.answer(ctx, "", in) })
}

func (s *Service) answer(ctx context.Context, name string, in *asked) (*web.Answer[Answer], error) {
	page, err := in.page()
	var answer Answer
	if err == nil {
		answer, err = s.AskFor(ctx, web.ActorFrom(ctx), name, in.values, page)
	}
	bad, wrong := errors.AsType[*BadParameter](err)
	switch {
	case wrong:
		return nil, huma.Error422UnprocessableEntity(bad.Error())
	case errors.Is(err, ErrUnknown):
		return nil, huma.Error404NotFound(err.Error())
	case err != nil:
		return nil, err
	}
	return &web.Answer[Answer]{Body: answer}, nil
}

// describe documents a question's parameters.
func (q *Query) describe() []*huma.Param {
	var all []*huma.Param
	example, _ := url.ParseQuery(q.Example) // a test holds that it can be read
	for _, p := range q.Parameters {
		kind := huma.TypeString
		if p.Type == Int {
			kind = huma.TypeInteger
		}
		schema := &huma.Schema{Type: kind}
		if p.Default != "" {
			schema.Default = any(p.Default)
			if n, err := strconv.ParseInt(p.Default, 10, 64); err == nil && p.Type == Int {
				schema.Default = n
			}
		}
		param := &huma.Param{Name: p.Name, In: "query", Required: p.Default == "", Description: p.Doc, Schema: schema, Example: schema.Default}
		if given := example.Get(p.Name); given != "" {
			param.Example = given
			if n, err := strconv.ParseInt(given, 10, 64); err == nil && p.Type == Int {
				param.Example = n
			}
		}
		all = append(all, param)
	}
	limits := func(name, doc string, most float64) *huma.Param {
		least := 1.0
		return &huma.Param{Name: name, In: "query", Description: doc, Example: 100, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most}}
	}
	all = append(all, limits("limit", fmt.Sprintf("rows of a page; default %d", defaultRows), maxRows),
		limits("cursor", "next_cursor of the page before", maxOffset))
	if q.LooksBack {
		all = append(all, &huma.Param{Name: "as_of", In: "query", Description: "the time to look back to; default now",
			Schema: &huma.Schema{Type: huma.TypeString, Format: "date-time"}})
	}
	return all
}
