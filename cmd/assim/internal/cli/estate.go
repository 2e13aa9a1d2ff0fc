package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"assimilation/api"
	"assimilation/cmd/assim/internal/client"
	"assimilation/cmd/assim/internal/output"
)

// list prints a list of the API.
func (s *session) list(cmd *cobra.Command, path string, query url.Values, limit int, columns []string) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	page, err := service.List(cmd.Context(), path, query, limit)
	if err != nil {
		return err
	}
	if len(page.Columns) > 0 {
		columns = page.Columns
	}
	if page.Note != "" {
		fmt.Fprintln(s.err, output.Printable(page.Note))
	}
	return output.List(s.out, s.format, columns, page.Items)
}

// one prints a single thing of the API.
func (s *session) one(cmd *cobra.Command, path string, fields []string) error {
	service, err := s.service()
	if err != nil {
		return err
	}
	var item json.RawMessage
	if err := service.Do(cmd.Context(), http.MethodGet, path, nil, nil, &item); err != nil {
		return err
	}
	return output.One(s.out, s.format, fields, item)
}

func (s *session) host() *cobra.Command {
	var site, state, name string
	var limit int
	var pending, cloned bool
	list := &cobra.Command{
		Use: "list", Short: "List the enrolled hosts", Args: arguments(0, 0),
		Example: `  assim host list
  assim host list --state silent -o json
  assim host list --cloned                  # two machines that run with one identity
  assim host list --pending --site paris    # probes that announce themselves and are not enrolled`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case pending && site == "":
				return usageError{errors.New("--pending wants --site: each site has its own")}
			case pending:
				return s.list(cmd, "/v1/sites/"+url.PathEscape(site)+"/pending", nil, limit, []string{"fingerprint", "address", "reason", "relay", "first_seen_at", "last_seen_at"})
			case cloned:
				state = "cloned"
			}
			return s.list(cmd, "/v1/hosts", filled("site", site, "state", state, "name", name), limit,
				[]string{"name", "state", "site", "os", "agent_version", "id"})
		},
	}
	list.Flags().StringVar(&site, "site", "", "only hosts of this site")
	list.Flags().StringVar(&state, "state", "", "only hosts in this state: up, down, unreachable, \"agent down\", unresponsive, silent, \"shut down\", unknown")
	list.Flags().StringVar(&name, "name", "", "only hosts whose name contains this")
	list.Flags().IntVar(&limit, "limit", 0, "at most this many (0: all)")
	list.Flags().BoolVar(&pending, "pending", false, "probes that announce themselves at the site and are not enrolled, as its relays say")
	list.Flags().BoolVar(&cloned, "cloned", false, "only hosts whose identity two machines use at once")
	list.MarkFlagsMutuallyExclusive("pending", "cloned", "state")
	var asOf moment
	show := &cobra.Command{
		Use: "show HOST", Short: "Show one host, by name or id, as it is or as it was", Args: arguments(1, 1),
		Example: `  assim host show web1
  assim host show web1 -o json
  assim host show web1 --as-of yesterday`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/hosts/" + url.PathEscape(args[0])
			if q := filled("as_of", asOf.query()); len(q) > 0 {
				path += "?" + q.Encode()
			}
			return s.one(cmd, path,
				[]string{"name", "id", "state", "state_at", "last_state", "verdict", "verdict_id", "site", "os", "arch", "agent_version", "enrolled_at", "changed_at", "labels", "as_of", "notes"})
		},
	}
	show.Flags().Var(&asOf, "as-of", "show it as it was at this time"+momentHelp)
	var factsAsOf moment
	facts := &cobra.Command{
		Use: "facts HOST [KIND]", Short: "Show what a host told of itself", Args: arguments(1, 2),
		Example: `  assim host facts web1
  assim host facts web1 network -o json
  assim host facts web1 packages --as-of 3d -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/hosts/" + url.PathEscape(args[0]) + "/facts"
			if len(args) == 2 {
				path += "/" + url.PathEscape(args[1])
			}
			return s.list(cmd, path, filled("as_of", factsAsOf.query()), 0, []string{"kind", "instance", "seen_at", "size", "hash"})
		},
	}
	facts.Flags().Var(&factsAsOf, "as-of", "show them as they were at this time"+momentHelp)
	retire := &cobra.Command{
		Use: "retire HOST", Short: "Take a host out of the estate; its key is refused from then on", Args: arguments(1, 1),
		Example: `  assim host retire web1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			if err := client.Of(service.API.RetireHost(cmd.Context(), args[0])).Into(nil); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s is retired\n", args[0])
			return nil
		},
	}
	return group("host", "Hosts that run a probe", list, show, facts, s.hostRename(), retire)
}

func (s *session) hostRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename HOST [NAME]", Short: "Give a host the name by which people know it", Args: arguments(1, 2),
		Long: "Gives a host the name by which people know it, whatever it calls itself; without a NAME, its own again.",
		Example: `  assim host rename ip-10-0-0-5 billing-1
  assim host rename billing-1            # its own name again`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.request(cmd, []string{"name", "id", "site"}, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.RenameHost(ctx, args[0], api.RenameHostJSONRequestBody{Name: append(args, "")[1]})
			})
		},
	}
}

func (s *session) findings() *cobra.Command {
	var host string
	cmd := &cobra.Command{
		Use: "findings", Aliases: []string{"finding"}, Short: "What is wrong with hosts and their facts", Args: arguments(0, 0),
		Example: `  assim findings
  assim findings --host web1`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/findings", filled("host", host), 0, []string{"opened_at", "host", "rule", "subject", "detail"})
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "only this host, by name or id")
	return cmd
}

// filled makes a query of the pairs whose value is not empty.
func filled(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
