package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

// whole prints an answer that is one thing, all of it.
func (s *session) whole(cmd *cobra.Command, path string, query url.Values) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	var item json.RawMessage
	if err := service.Do(cmd.Context(), http.MethodGet, path, query, nil, &item); err != nil {
		return err
	}
	return output.One(s.out, s.format, nil, item)
}

// dependency is one use of an endpoint, as a row of a table.
type dependency struct {
	ClientHost string `json:"client_host"`
	Client     string `json:"client"`
	Endpoint   string `json:"endpoint"`
	Service    string `json:"service"`
	Host       string `json:"host"`
}

// dependencies reads a map as rows, and what it left out.
func dependencies(ctx context.Context, service *client.Client, scope url.Values) (rows []json.RawMessage, note string, err error) {
	var drawn struct {
		Nodes []struct{ ID, Label, Parent string }
		Edges []struct{ Kind, Source, Target string }
		Note  string
	}
	if err := service.Do(ctx, http.MethodGet, "/v1/map", scope, nil, &drawn); err != nil {
		return nil, "", err
	}
	label, parent, behind := map[string]string{}, map[string]string{}, map[string]string{}
	for _, n := range drawn.Nodes {
		label[n.ID], parent[n.ID] = n.Label, n.Parent
	}
	for _, e := range drawn.Edges {
		if e.Kind == "listens" {
			behind[e.Source] = label[e.Target]
		}
	}
	for _, e := range drawn.Edges {
		if e.Kind != "connects" {
			continue
		}
		row, err := json.Marshal(dependency{label[parent[e.Source]], label[e.Source], label[e.Target], behind[e.Target], label[parent[e.Target]]})
		if err != nil {
			return nil, "", fmt.Errorf("encoding a dependency: %w", err)
		}
		rows = append(rows, row)
	}
	return rows, drawn.Note, nil
}
