package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
)

// handleDocs serves the description of the API as a page.
func (s *Web) handleDocs() {
	s.Page("GET /docs", tenancy.Read, func(w http.ResponseWriter, r *http.Request, _ Actor) error {
		if _, err := s.describe(); err != nil { // completes it
			return err
		}
		codes := make([]string, len(Codes))
		for i, c := range Codes {
			codes[i] = string(c)
		}
		base := strings.TrimSuffix(s.config.URL.String(), "/")
		return Render(w, r, 0, "API", "", ui.Docs(base, groupsOf(s.API.OpenAPI()), codes))
	})
}

// groupsOf lists the operations by tag, path and method.
func groupsOf(api *huma.OpenAPI) []ui.OperationGroup {
	byTag := map[string][]ui.Operation{}
	for path, item := range api.Paths {
		for _, op := range operationsOf(item) {
			tag := "other"
			if len(op.Tags) > 0 {
				tag = op.Tags[0]
			}
			byTag[tag] = append(byTag[tag], viewOf(path, op))
		}
	}
	var groups []ui.OperationGroup
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		slices.SortFunc(byTag[tag], func(a, b ui.Operation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
		groups = append(groups, ui.OperationGroup{Name: tag, Operations: byTag[tag]})
	}
	return groups
}

func viewOf(path string, op *huma.Operation) ui.Operation {
	v := ui.Operation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		view := ui.OperationParameter{Name: p.Name, In: p.In, Required: p.Required, Doc: p.Description, Example: exampleOf(p)}
		if p.Schema != nil {
			view.Type = p.Schema.Type
			if view.Doc == "" {
				view.Doc = p.Schema.Description
			}
			if len(p.Schema.Enum) > 0 {
				view.Type = strings.Trim(strings.ReplaceAll(fmt.Sprintf("%q", p.Schema.Enum), `" "`, `", "`), "[]")
			}
		}
		v.Parameters = append(v.Parameters, view)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		v.Answers = append(v.Answers, strings.TrimSpace(status+" "+op.Responses[status].Description))
	}
	return v
}

func exampleOf(p *huma.Param) string {
	example := p.Example
	if example == nil && p.Schema != nil && len(p.Schema.Examples) > 0 {
		example = p.Schema.Examples[0]
	}
	switch e := example.(type) {
	case nil:
		return ""
	case string:
		return e
	}
	b, err := json.Marshal(example)
	if err != nil {
		return ""
	}
	return string(b)
}
