package cypher

import (
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"assimilation/saas/internal/cypher/syntax"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

const (
	section = "/cypher" // of the navigation
	perPage = 500
)

// example is a question to begin with.
type example struct{ what, text string }

var examples = []example{
	{"The services of each host", "MATCH (h:Host)-[:RUNS]->(s:Service)\nRETURN h.name AS host, collect(s.name) AS services\nORDER BY host"},
	{"Who uses the database on port 5432", "MATCH (h:Host)-[:RUNS]->(c:Service)-[:CONNECTS_TO]->(e:Endpoint {port: 5432})\nRETURN DISTINCT h.name AS host, c.name AS client, e.ip AS server"},
	{"What breaks if a host dies", "MATCH (h:Host {name: 'db1'})-[:RUNS]->()-[:LISTENS_ON]->()<-[:CONNECTS_TO]-(c)<-[:RUNS]-(o:Host)\nRETURN DISTINCT o.name AS host, c.name AS service\nORDER BY host"},
	{"Hosts that listen nowhere", "MATCH (h:Host)\nWHERE NOT (h)-[:RUNS]->()-[:LISTENS_ON]->()\nRETURN h.name"},
	{"How many of each label", "MATCH (n) RETURN labels(n)[0] AS label, count(*) AS count ORDER BY count DESC"},
}

// consoleView is the page.
type consoleView struct {
	text    string
	problem *syntax.Problem
	refused string
	answer  *GraphAnswer // nil: not asked
	explain bool
	asOf    time.Time       // zero: now
	csv     string          // address of the answer as a file
	asked   templ.Component // what was asked before; nil beside an answer
}

// Pages adds the page.
func (s *Service) Pages(w *web.Web) {
	w.Page("GET /cypher", tenancy.Read, s.showConsole)
}

func (s *Service) showConsole(w http.ResponseWriter, r *http.Request, a web.Actor) error {
	form := r.URL.Query()
	v := consoleView{text: web.Text(form.Get("q")), explain: form.Get("explain") != ""}
	if strings.TrimSpace(v.text) == "" {
		v.text = ""
		var err error
		if v.asked, err = s.Past.Recent(r.Context(), a, section+"?"); err != nil {
			return err
		}
		return web.Render(w, r, 0, "Cypher", section, consolePage(v))
	}
	// A form sends the ends of lines of RFC 2046.
	v.text = strings.ReplaceAll(v.text, "\r\n", "\n")
	limit := perPage
	if web.WantsCSV(r) {
		limit = maxRows
	}
	var answer GraphAnswer
	var err error
	if v.asOf, err = web.Moment(form.Get("as_of")); err == nil {
		answer, err = s.Ask(r.Context(), a.Tenant, Question{Text: v.text, Limit: limit, Explain: v.explain, AsOf: v.asOf})
	}
	status := 0
	if problem, ok := errors.AsType[*syntax.Problem](err); ok {
		v.problem, status = problem, http.StatusUnprocessableEntity
	} else if refused, ok := errors.AsType[*Refused](err); ok {
		v.refused, status = refused.Why, http.StatusUnprocessableEntity
	} else if wrong, ok := errors.AsType[*web.Problem](err); ok {
		v.refused, status = wrong.Detail, wrong.Status
	} else if err != nil {
		return problemOf(err)
	} else {
		if web.WantsCSV(r) && !v.explain {
			web.SendCSV(w, "cypher", answer.Columns, csvOf(answer))
			return nil
		}
		v.answer, v.csv = &answer, web.CSVOf(r)
		if err := s.Past.Remember(r.Context(), a, section+"?"+url.Values{"q": {v.text}}.Encode(), v.text); err != nil {
			return err
		}
	}
	return web.Render(w, r, status, "Cypher", section, consolePage(v))
}

func csvOf(a GraphAnswer) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for _, item := range a.Items {
			row := make([]string, len(a.Columns))
			for i, c := range a.Columns {
				row[i] = cell(item[c])
			}
			if !yield(row) {
				return
			}
		}
	}
}

// cell is a value as text: a string without its quotes, null as nothing.
func cell(value json.RawMessage) string {
	var text string
	switch {
	case string(value) == "null":
		return ""
	case json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}
