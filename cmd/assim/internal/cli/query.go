package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func (s *session) query() *cobra.Command {
	var limit int
	var asOf moment
	list := &cobra.Command{
		Use: "list", Short: "List the queries there are", Args: arguments(0, 0),
		Example: `  assim query list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/queries", nil, 0, []string{"name", "example", "description"})
		},
	}
	cmd := &cobra.Command{
		Use: "query NAME [PARAMETER=VALUE...]", Short: "Ask the graph one of the named questions",
		Example: `  assim query list
  assim query allips
  assim query findip ip=10.0.0.5
  assim query packagename name=openssl -o csv
  assim query allipports --as-of yesterday`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("say which query; `assim query list` lists them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			for _, a := range args[1:] {
				k, v, ok := strings.Cut(a, "=")
				if !ok || k == "" {
					return usageError{fmt.Errorf("%q is not PARAMETER=VALUE", a)}
				}
				q.Set(k, v)
			}
			if at := asOf.query(); at != "" {
				q.Set("as_of", at)
			}
			return s.list(cmd, "/v1/queries/"+url.PathEscape(args[0]), q, limit, nil)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "at most this many rows (0: all)")
	cmd.Flags().Var(&asOf, "as-of", "answer as of this time"+momentHelp)
	cmd.AddCommand(list)
	return cmd
}
