package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const (
	section = "/queries" // of the navigation
	perPage = 500
)

// Pages adds the pages.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /queries", tenancy.Read, func(w http.ResponseWriter, r *http.Request, a web.Actor) error {
		asked, err := s.Past.Recent(r.Context(), a, "/queries/")
		if err != nil {
			return err
		}
		return web.Render(w, r, 0, "Queries", section, queriesPage(s.queries, asked))
	})
	w.Page("GET /unmanaged", tenancy.Read, s.showUnmanaged)
	w.Page("GET /packages", tenancy.Read, s.showPackages)
	w.Page("GET /packages/{name}", tenancy.Read, s.showPackage)
	w.Page("GET /queries/{name}", tenancy.Read, s.showQuery)
	w.Page("GET /queries/{name}/csv", tenancy.Read, s.sendCSV)
}

func (s *Service) find(r *http.Request) (Query, error) {
	i := slices.IndexFunc(s.queries, func(q Query) bool { return q.Name == r.PathValue("name") })
	if i < 0 {
		return Query{}, huma.Error404NotFound("there is no such query")
	}
	return s.queries[i], nil
}

// parametersOf are the values given for what the question takes; anything else
// in the address is of the page.
func (q *Query) parametersOf(given url.Values) url.Values {
	values := url.Values{}
	for _, p := range q.Parameters {
		if v := strings.TrimSpace(given.Get(p.Name)); v != "" {
			values.Set(p.Name, v)
		}
	}
	return values
}

func (s *Service) showQuery(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	q, err := s.find(r)
	if err != nil {
		return err
	}
	given := q.parametersOf(r.URL.Query())
	v := queryView{query: q, given: map[string]string{}}
	for name := range given {
		v.given[name] = given.Get(name)
	}
	asOf, err := web.Moment(r.URL.Query().Get("as_of"))
	if problem, ok := errors.AsType[*web.Problem](err); ok {
		v.wrong = problem.Detail + "."
		return web.Render(w, r, problem.Status, q.Name, section, queryPage(v))
	}
	v.asOf = asOf
	if len(given) == 0 && q.needs() {
		return web.Render(w, r, 0, q.Name, section, queryPage(v))
	}
	page := Page{Limit: perPage, AsOf: asOf}
	if text := r.URL.Query().Get("cursor"); text != "" {
		if page.Offset, err = strconv.Atoi(text); err != nil || page.Offset < 0 || page.Offset > maxOffset {
			return web.BadCursor()
		}
	}
	answer, err := s.AskFor(r.Context(), a, q.Name, given, page)
	if bad, ok := errors.AsType[*BadParameter](err); ok {
		v.wrong = "The " + bad.Error() + "."
		return web.Render(w, r, http.StatusUnprocessableEntity, q.Name, section, queryPage(v))
	}
	if problem, ok := errors.AsType[*web.Problem](err); ok {
		v.wrong = problem.Detail + "."
		return web.Render(w, r, problem.Status, q.Name, section, queryPage(v))
	}
	if err != nil {
		return err
	}
	v.answer = &answer
	if len(given) > 0 && page.Offset == 0 {
		if err := s.Past.Remember(r.Context(), a, "/queries/"+q.Name+"?"+given.Encode(), q.saidOf(given)); err != nil {
			return err
		}
	}
	if !asOf.IsZero() {
		given.Set("as_of", asOf.UTC().Format(time.RFC3339))
	}
	v.csv = "/queries/" + q.Name + "/csv?" + given.Encode()
	if answer.NextCursor != "" {
		given.Set("cursor", answer.NextCursor)
		v.next = "/queries/" + q.Name + "?" + given.Encode()
	}
	return web.Render(w, r, 0, q.Name, section, queryPage(v))
}

// saidOf is a question as the command line asks it.
func (q *Query) saidOf(given url.Values) string {
	said := q.Name
	for _, p := range q.Parameters {
		if given.Has(p.Name) {
			said += " " + p.Name + "=" + given.Get(p.Name)
		}
	}
	return said
}

// sendCSV sends at most maxRows rows; a table that long is for the API.
func (s *Service) sendCSV(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	q, err := s.find(r)
	if err != nil {
		return err
	}
	asOf, err := web.Moment(r.URL.Query().Get("as_of"))
	if err != nil {
		return err
	}
	answer, err := s.AskFor(r.Context(), a, q.Name, q.parametersOf(r.URL.Query()), Page{Limit: maxRows, AsOf: asOf})
	if bad, ok := errors.AsType[*BadParameter](err); ok {
		return huma.Error422UnprocessableEntity(bad.Error())
	}
	if err != nil {
		return err
	}
	sendAnswer(w, q.Name, q, answer)
	return nil
}

// sendAnswer sends an answer's rows as a file.
func sendAnswer(w http.ResponseWriter, name string, q Query, answer Answer) {
	web.SendCSV(w, name, answer.Columns, func(yield func([]string) bool) {
		for _, item := range answer.Items {
			record := make([]string, len(q.Columns))
			for i, c := range q.Columns {
				record[i] = cell(item[c.Name])
			}
			if !yield(record) {
				return
			}
		}
	})
}

// cell is a value as text.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.Format(time.RFC3339)
	case map[string]any:
		b, _ := json.Marshal(v) // decoded from JSON, so it encodes
		return string(b)
	default:
		return fmt.Sprint(v)
	}
}

// needs reports whether there is a parameter without a default.
func (q *Query) needs() bool {
	return slices.ContainsFunc(q.Parameters, func(p Parameter) bool { return p.Default == "" })
}

// hint is what stands in an empty field.
func hint(p Parameter) string {
	if p.Default != "" {
		return p.Default
	}
	return p.Doc
}

// leadsTo is the page of what a column names: hosts have one.
func (c Column) leadsTo(v any) string {
	name, _ := v.(string)
	if name == "" || c.Name != "host" && !strings.HasSuffix(c.Name, "_host") {
		return ""
	}
	return "/hosts/" + url.PathEscape(name)
}

// grouped puts the questions in the order of their groups.
func grouped(queries []Query) (all [][]Query) {
	for _, g := range groups {
		var of []Query
		for _, q := range queries {
			if q.Group == g {
				of = append(of, q)
			}
		}
		if len(of) > 0 {
			all = append(all, of)
		}
	}
	return all
}

func title(group string) string { return strings.ToUpper(group[:1]) + group[1:] }

func (s *Service) showUnmanaged(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	v := blindView{coverage: *s.named("coverage"), unmanaged: *s.named("unmanaged")}
	for _, part := range []struct {
		name  string
		items *[]map[string]any
		more  *bool
	}{{"coverage", &v.subnets, &v.moreSubnets}, {"unmanaged", &v.strangers, &v.moreStranger}} {
		answer, err := s.Ask(r.Context(), a.Tenant, part.name, nil, Page{Limit: perPage})
		if err != nil {
			return err
		}
		*part.items, *part.more = answer.Items, answer.NextCursor != ""
	}
	return web.Render(w, r, 0, "Unmanaged", "/unmanaged", unmanagedPage(v))
}
