package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/tenancy"
)

// examples are values that parameters of these names may have.
var examples = map[string]any{
	"all": true, "as_of": "2026-01-31T12:00:00Z", "hops": 2, "near": "web1", "to": "2026-01-31T12:00:00Z",
	"cursor": "NDcxMQ", "from": "2026-01-30T12:00:00Z", "host": "web1", "id": "Wb2kfR0aUq1c", "ip": "10.0.0.5", "kind": "packages", "limit": 100,
	"mac": "02:fc:00:00:00:01", "name": "web", "q": "nginx", "relay": "6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52", "since": "2026-01-31T00:00:00Z",
	"findings": true, "page": "hosts", "view": "6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52",
	"site": "paris", "site_id": "0b54fd0c-9d7f-4b8e-8f1f-3a3c36d2a1aa", "state": "silent", "token": "Wb2kfR0aUq1c", "type": "host", "until": "2026-02-01T00:00:00Z",
}

// Description is the API in OpenAPI 3.1. It is complete once all features are
// registered.
func (s *Web) Description() ([]byte, error) {
	api := s.API.OpenAPI()
	s.describeErrors(api)
	for _, path := range api.Paths {
		for _, op := range operationsOf(path) {
			complete(op)
		}
	}
	b, err := json.Marshal(api)
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	return b, nil
}

// operationsOf lists the operations of a path, in the order of their methods.
func operationsOf(path *huma.PathItem) (all []*huma.Operation) {
	for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Patch, path.Delete} {
		if op != nil {
			all = append(all, op)
		}
	}
	return all
}

// describeErrors adds the code to the schema that all error answers share.
func (s *Web) describeErrors(api *huma.OpenAPI) {
	model := api.Components.Schemas.Map()["ErrorModel"]
	if model == nil || model.Properties["code"] != nil {
		return
	}
	var codes []any
	for _, c := range Codes {
		codes = append(codes, string(c))
	}
	model.Properties["code"] = &huma.Schema{Type: huma.TypeString, Enum: codes, Examples: []any{string(NotFound)}, Description: "Names the sort of problem for programs: texts may be reworded, codes stay."}
	model.Required = append(model.Required, "code")
}

const problemType = "application/problem+json"

// complete says of an operation what follows from what it is: who may use it,
// which errors it answers, and what its parameters may look like.
func complete(op *huma.Operation) {
	answers := []int{http.StatusInternalServerError}
	if action, _ := op.Metadata[needsKey].(tenancy.Action); action != anyone {
		answers = append(answers, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable)
		op.Security = []map[string][]string{{"token": {}}}
		if said := needed(action); !strings.Contains(op.Description, said) {
			op.Description = strings.TrimSpace(op.Description + " " + said)
		}
	}
	if action, _ := op.Metadata[needsKey].(tenancy.Action); op.Method == http.MethodPost && action != anyone {
		describeRepeats(op)
		answers = append(answers, http.StatusConflict)
	}
	for _, p := range op.Parameters {
		if p.In == "path" {
			answers = append(answers, http.StatusNotFound)
		}
		if p.Example == nil && len(p.Examples) == 0 && (p.Schema == nil || len(p.Schema.Examples) == 0) {
			p.Example = examples[p.Name]
		}
	}
	if len(op.Parameters) > 0 || op.RequestBody != nil {
		answers = append(answers, http.StatusUnprocessableEntity)
	}
	if op.RequestBody != nil {
		answers = append(answers, http.StatusBadRequest, http.StatusRequestEntityTooLarge)
	}
	delete(op.Responses, "default")
	slices.Sort(answers)
	for _, status := range slices.Compact(answers) {
		if op.Responses[strconv.Itoa(status)] == nil {
			op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
				problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/ErrorModel"}}}}
		}
	}
}

// describeRepeats says that a request may name itself.
func describeRepeats(op *huma.Operation) {
	for _, p := range op.Parameters {
		if p.Name == repeatHeader {
			return
		}
	}
	longest := 255
	op.Parameters = append(op.Parameters, &huma.Param{Name: repeatHeader, In: "header", Example: `"6f1c1e0e-6a7b-4d53-9a31-0d6b1c9f6f52"`, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest},
		Description: "A name that the client makes up for this request. Sent again under the same name within 24 hours, it is not done again: the answer of the first comes back, with Idempotency-Replayed: true."})
}

// needed says what an action wants of who does it.
func needed(action tenancy.Action) string {
	right, _ := tenancy.RightFor(action)
	if right.Role == "" {
		return "Anyone who is known may use it."
	}
	said := "Needs the role " + string(right.Role) + "."
	if right.AtSite != "" {
		said += " A role or token of the site that it is about is enough."
	}
	if right.Proof {
		said += " A session in a browser must have shown a secret within the last 10 minutes."
	}
	return said
}
