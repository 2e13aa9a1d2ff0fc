package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

func (s *session) graph() *cobra.Command {
	return group("graph", "Ask the graph in Cypher, and draw it", s.graphQuery(), s.graphDraw())
}

// graphAnswer is what the service says to a question in Cypher.
type graphAnswer struct {
	Columns   []string          `json:"columns"`
	Items     []json.RawMessage `json:"items"`
	Truncated bool              `json:"truncated"`
	Hints     []string          `json:"hints"`
	SQL       string            `json:"sql,omitempty"`
	Arguments []string          `json:"arguments,omitempty"`
	Plan      []string          `json:"plan,omitempty"`
}

func (s *session) graphQuery() *cobra.Command {
	var limit int
	var explain bool
	var given []string
	var asOf moment
	cmd := &cobra.Command{
		Use: "query CYPHER", Short: "Ask the graph in a read-only part of openCypher", Args: arguments(1, 1),
		Long: `Ask the graph in a read-only part of openCypher: MATCH, OPTIONAL MATCH, WHERE,
WITH, UNWIND, RETURN, ORDER BY, SKIP, LIMIT. With - the question is read from the
standard input. A parameter is JSON where it can be read as such, else a string.`,
		Example: `  assim graph query 'MATCH (h:Host)-[:RUNS]->(s:Service) RETURN h.name, s.name'
  assim graph query 'MATCH (h:Host)-[:RUNS]->()-[:LISTENS_ON]->(e) WHERE e.port = $port RETURN h.name' -p port=22
  assim graph query 'MATCH (h:Host {name: $n})-[:RUNS|LISTENS_ON*1..2]->(x) RETURN labels(x), x.name' -p n=web1 -o csv
  assim graph query 'MATCH (h:Host) RETURN h.name, h.state' --as-of yesterday
  assim graph query --explain 'MATCH (h:Host) RETURN count(*)'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := s.question(args[0])
			if err != nil {
				return err
			}
			params, err := graphParameters(given)
			if err != nil {
				return err
			}
			service, err := s.service()
			if err != nil {
				return err
			}
			question := map[string]any{"query": text, "params": params, "explain": explain}
			if at := asOf.query(); at != "" {
				question["as_of"] = at
			}
			if limit != 0 {
				question["limit"] = limit
			}
			var answer graphAnswer
			if err := service.Do(cmd.Context(), http.MethodPost, "/v1/graph/query", nil, question, &answer); err != nil {
				return s.pointAt(text, err)
			}
			return s.showGraph(answer, explain)
		},
	}
	cmd.Flags().StringArrayVarP(&given, "param", "p", nil, "value of a parameter, as NAME=VALUE; may be repeated")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most this many rows, up to 10000 (0: 1000)")
	cmd.Flags().Var(&asOf, "as-of", "answer as of this time"+momentHelp)
	cmd.Flags().BoolVar(&explain, "explain", false, "show the SQL and its plan instead of the answer")
	return cmd
}

// maxQuestion is more than the service reads.
const maxQuestion = 64 << 10

func (s *session) question(argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	text, err := io.ReadAll(io.LimitReader(s.in, maxQuestion))
	if err != nil {
		return "", fmt.Errorf("reading the question: %w", err)
	}
	return string(text), nil
}

func graphParameters(given []string) (map[string]json.RawMessage, error) {
	params := map[string]json.RawMessage{}
	for _, g := range given {
		name, value, ok := strings.Cut(g, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("%q is not NAME=VALUE", g)}
		}
		if json.Valid([]byte(value)) {
			params[name] = json.RawMessage(value)
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("encoding parameter %s: %w", name, err)
		}
		params[name] = text
	}
	return params, nil
}

// pointAt adds the line of the question that a refusal is about, with a caret
// under the place.
func (s *session) pointAt(question string, err error) error {
	problem := (*client.Problem)(nil)
	if !errors.As(err, &problem) || len(problem.Errors) != 1 {
		return err
	}
	where, ok := strings.CutPrefix(problem.Errors[0].Location, "query:")
	if !ok {
		return err
	}
	first, second, _ := strings.Cut(where, ":")
	line, errLine := strconv.Atoi(first)
	column, errColumn := strconv.Atoi(second)
	lines := strings.Split(question, "\n")
	if errLine != nil || errColumn != nil || line < 1 || line > len(lines) || column < 1 {
		return err
	}
	text := strings.ReplaceAll(strings.TrimRight(lines[line-1], "\r"), "\t", " ")
	indent := strings.Repeat(" ", min(column-1, utf8.RuneCountInString(text)))
	fmt.Fprintf(s.err, "%s\n%s^\n", output.Printable(text), indent)
	return err
}

func (s *session) showGraph(answer graphAnswer, explain bool) error {
	for _, hint := range answer.Hints {
		fmt.Fprintln(s.err, "hint:", output.Printable(hint))
	}
	if explain && (s.format == output.Table || s.format == output.CSV) {
		fmt.Fprintln(s.out, output.Printable(answer.SQL))
		for i, argument := range answer.Arguments {
			fmt.Fprintf(s.out, "$%d = %s\n", i+1, output.Printable(argument))
		}
		for _, line := range answer.Plan {
			fmt.Fprintln(s.out, output.Printable(line))
		}
		return nil
	}
	if explain {
		item, err := json.Marshal(answer)
		if err != nil {
			return fmt.Errorf("encoding the plan: %w", err)
		}
		return output.One(s.out, s.format, nil, item)
	}
	if err := output.List(s.out, s.format, answer.Columns, answer.Items); err != nil {
		return err
	}
	if answer.Truncated {
		fmt.Fprintf(s.err, "these are the first %d rows; there are more: see --limit\n", len(answer.Items))
	}
	return nil
}
