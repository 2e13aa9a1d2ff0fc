package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

// answer asks a named question, prints its rows and says what they lack.
func (s *session) answer(cmd *cobra.Command, name string, parameters url.Values) ([]json.RawMessage, error) {
	service, err := s.service()
	if err != nil {
		return nil, err
	}
	page, err := service.List(cmd.Context(), "/v1/queries/"+name, parameters, 0)
	if err != nil {
		return nil, err
	}
	if err := output.List(s.out, s.format, page.Columns, page.Items); err != nil {
		return nil, err
	}
	if page.Note != "" {
		fmt.Fprintln(s.err, output.Printable(page.Note))
	}
	return page.Items, nil
}

func (s *session) why() *cobra.Command {
	var since, hops string
	cmd := &cobra.Command{
		Use: "why HOST", Short: "What changed lately on a host and on what it depends on, the likeliest cause first", Args: arguments(1, 1),
		Example: `  assim why web1
  assim why web1 --since 2h --hops 1 -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := s.answer(cmd, "why", filled("host", args[0], "since", since, "hops", hops))
			return err
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "how far back to look, as 90m, 24h or 7d (default 24h)")
	cmd.Flags().StringVar(&hops, "hops", "", "how far to follow dependencies, 1 to 6 (default 3)")
	return cmd
}

func (s *session) impact() *cobra.Command {
	var hops string
	cmd := &cobra.Command{
		Use: "impact ENTITY", Short: "Who breaks if a host, a service or an address dies", Args: arguments(1, 1),
		Example: `  assim impact db1
  assim impact service:postgres --hops 2
  assim impact 10.0.0.11:5432 -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := s.answer(cmd, "impact", filled("entity", args[0], "hops", hops))
			return err
		},
	}
	cmd.Flags().StringVar(&hops, "hops", "", "how far to go on, 1 to 6 (default 6)")
	return cmd
}

// errUnsafe is the error of a host that somebody would miss.
var errUnsafe = errors.New("somebody would be hit")

func (s *session) safeToReboot() *cobra.Command {
	return &cobra.Command{
		Use: "safe-to-reboot HOST", Short: "Whether a host may go away for a while, and who is hit", Args: arguments(1, 1),
		Long: `Whether a host may go away for a while: each of its services that others use, who is
hit, and which replicas remain. A replica counts for a client that uses it already.

The exit code is 0 for yes and 10 for no. Clients without a probe are not seen.`,
		Example: `  assim safe-to-reboot db1
  assim safe-to-reboot db1 >/dev/null && ssh db1 reboot`,
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := s.answer(cmd, "safe-to-reboot", filled("host", args[0]))
			if err != nil {
				return err
			}
			for _, row := range rows {
				var said struct{ Safe string }
				if err := json.Unmarshal(row, &said); err != nil {
					return fmt.Errorf("reading a row of the answer: %w", err)
				}
				if said.Safe != "yes" {
					return errUnsafe
				}
			}
			fmt.Fprintln(s.err, "yes: nobody that is known would be hit")
			return nil
		},
	}
}
