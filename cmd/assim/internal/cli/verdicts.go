package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

func (s *session) verdict() *cobra.Command {
	var host, site, kind string
	var open bool
	var since time.Duration
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List what died and why, newest first", Args: arguments(0, 0),
		Example: `  assim verdict list --open
  assim verdict list --host web1 --since 168h
  assim verdict list --kind "switch down" -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := filled("host", host, "site", site, "kind", kind)
			if open {
				q.Set("open", "true")
			}
			if since > 0 {
				q.Set("since", time.Now().Add(-since).UTC().Format(time.RFC3339))
			}
			return s.list(cmd, "/v1/verdicts", q, limit, []string{"at", "title", "kind", "site", "over_at", "ending", "confidence", "id"})
		},
	}
	list.Flags().StringVar(&host, "host", "", "only those about this host, by name or id")
	list.Flags().StringVar(&site, "site", "", "only those of this site, by name or id")
	list.Flags().StringVar(&kind, "kind", "", "only this kind, as \"host down\" or \"switch down\"")
	list.Flags().BoolVar(&open, "open", false, "only those that are not over")
	list.Flags().DurationVar(&since, "since", 0, "how far to look back (0: as far as there is)")
	list.Flags().IntVar(&limit, "limit", 100, "at most this many (0: all)")
	show := &cobra.Command{
		Use: "show ID", Short: "Show a verdict with its evidence", Args: arguments(1, 1),
		Example: `  assim verdict show 4b9d9d0e-58f4-4b43-9f65-1f6f7d0b2a11
  assim verdict show 4b9d9d0e-58f4-4b43-9f65-1f6f7d0b2a11 -o yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/verdicts/" + url.PathEscape(args[0])
			if s.format != output.Table {
				return s.one(cmd, path, append(verdictFields, "evidence"))
			}
			return s.showVerdict(cmd, path)
		},
	}
	return group("verdict", "What relays concluded of their hosts: what died, and why", list, show)
}

var verdictFields = []string{"title", "meaning", "kind", "site", "relay", "since", "at", "over_at", "ending", "confidence", "count", "domain", "caused_by.title", "id"}

// showVerdict prints a verdict's fields and below them its evidence, as a table.
func (s *session) showVerdict(cmd *cobra.Command, path string) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	var whole json.RawMessage
	if err := service.Do(cmd.Context(), http.MethodGet, path, nil, nil, &whole); err != nil {
		return err
	}
	var parts struct {
		Hosts, Evidence, Explains []json.RawMessage
	}
	if err := json.Unmarshal(whole, &parts); err != nil {
		return fmt.Errorf("reading the verdict: %w", err)
	}
	if err := output.One(s.out, s.format, verdictFields, whole); err != nil {
		return err
	}
	for _, part := range []struct {
		title   string
		columns []string
		items   []json.RawMessage
	}{
		{"evidence", []string{"after_ms", "at", "code", "text"}, parts.Evidence},
		{"hosts", []string{"name", "id"}, parts.Hosts},
		{"explains", []string{"title", "kind", "at", "id"}, parts.Explains},
	} {
		if len(part.items) == 0 {
			continue
		}
		fmt.Fprintf(s.out, "\n%s\n", part.title)
		if err := output.List(s.out, s.format, part.columns, part.items); err != nil {
			return err
		}
	}
	return nil
}
