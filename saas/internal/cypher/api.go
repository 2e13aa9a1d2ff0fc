package cypher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/cypher/syntax"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

type graphQuestion struct {
	Body struct {
		Query   string          `json:"query" minLength:"1" maxLength:"16384" example:"MATCH (h:Host)-[:RUNS]->(s:Service) WHERE s.name = $name RETURN h.name ORDER BY h.name" doc:"see docs/cypher.md"`
		Params  json.RawMessage `json:"params,omitempty" doc:"values of $name in the question: an object by name"`
		Limit   int             `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"rows of the answer at most; default 1000"`
		AsOf    time.Time       `json:"as_of,omitempty" doc:"the time to look back to; default now"`
		Explain bool            `json:"explain,omitempty" doc:"answer with the SQL and its plan instead of rows"`
	}
}

// Register adds the REST operation.
func (s *Service) Register(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "query-graph", Method: http.MethodPost, Path: "/v1/graph/query", Metadata: web.Needs(tenancy.Read), Tags: []string{"queries"},
		Summary:      "Ask the graph in Cypher",
		Description:  "A read-only part of openCypher 9. What is wrong with a question is answered with its place: the location of the error is query:LINE:COLUMN.",
		MaxBodyBytes: maxParameters + syntax.MaxText*2,
	}, func(ctx context.Context, in *graphQuestion) (*web.Answer[GraphAnswer], error) {
		parameters, err := readParameters(in.Body.Params)
		if err != nil {
			return nil, refuse("params", err.Error())
		}
		q := Question{Text: in.Body.Query, Parameters: parameters, Limit: in.Body.Limit, Explain: in.Body.Explain, AsOf: in.Body.AsOf}
		if q.Limit == 0 {
			q.Limit = defaultRows
		}
		answer, err := s.Ask(ctx, web.ActorFrom(ctx).Tenant, q)
		if err != nil {
			return nil, problemOf(err)
		}
		return &web.Answer[GraphAnswer]{Body: answer}, nil
	})
}

func refuse(location, why string) error {
	return huma.Error422UnprocessableEntity("the question is refused", &huma.ErrorDetail{Message: why, Location: location})
}

// problemOf is the answer to a question that could not be answered.
func problemOf(err error) error {
	if p, ok := errors.AsType[*syntax.Problem](err); ok {
		return refuse(fmt.Sprintf("query:%d:%d", p.Line, p.Column), p.Text)
	}
	if r, ok := errors.AsType[*Refused](err); ok {
		return refuse("query", r.Why)
	}
	if errors.Is(err, errTooMany) {
		return huma.Error429TooManyRequests(err.Error())
	}
	return err
}
