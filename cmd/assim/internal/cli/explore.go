package cli

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

func (s *session) search() *cobra.Command {
	return &cobra.Command{
		Use: "search TEXT", Short: "Find hosts, sites, addresses, MACs, services, packages and ports", Args: arguments(1, 1),
		Example: `  assim search web
  assim search 10.0.0.
  assim search 443/tcp
  assim search openssl -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.list(cmd, "/v1/search", url.Values{"q": args}, 0, []string{"kind", "name", "detail", "host"})
		},
	}
}

func (s *session) graphMap() *cobra.Command {
	var host, site string
	cmd := &cobra.Command{
		Use: "map", Short: "Who depends on whom; as a picture with -o svg", Args: arguments(0, 0),
		Example: `  assim map --host web1
  assim map --site paris -o svg >paris.svg
  assim map -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			scope := filled("host", host, "site", site)
			if s.format == output.SVG {
				picture, err := service.Raw(cmd.Context(), "/v1/map.svg", scope)
				if err != nil {
					return err
				}
				_, err = s.out.Write(picture)
				return err
			}
			if s.format == output.JSON || s.format == output.YAML {
				return s.whole(cmd, "/v1/map", scope)
			}
			rows, note, err := dependencies(cmd.Context(), service, scope)
			if err != nil {
				return err
			}
			if err := output.List(s.out, s.format, []string{"client_host", "client", "endpoint", "service", "host"}, rows); err != nil {
				return err
			}
			if note != "" {
				fmt.Fprintln(s.err, output.Printable(note))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "this host, what it uses and who uses it")
	cmd.Flags().StringVar(&site, "site", "", "the hosts of this site and what they depend on")
	cmd.MarkFlagsMutuallyExclusive("host", "site")
	return cmd
}
