package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/output"
)

func (s *session) graphDraw() *cobra.Command {
	var kind, host, site, subnet, only string
	cmd := &cobra.Command{
		Use: "draw", Short: "A picture of services, the network, everything, or the heartbeat rings", Args: arguments(0, 0),
		Long: `A picture of services and who uses them, of the network (addresses, subnets,
switches), of everything (both, with the containers, guests, units, certificates
and disks of hosts), or of the rings in which hosts watch each other. Where there are
too many hosts to draw, services are drawn by their names.

Rings, and switches of a site that keeps its topology, are asked of its relay.`,
		Example: `  assim graph draw --type network -o svg >network.svg
  assim graph draw --type service --host web1 -o dot | dot -Tpdf >web1.pdf
  assim graph draw --type network --subnet 10.0.0.0/24 --only host,ip,subnet -o svg
  assim graph draw --type everything --host web1 -o svg >web1.svg
  assim graph draw --type ring --site paris -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format := s.format
			switch {
			case format == output.Table && !cmd.Flags().Changed("output"):
				format = output.SVG
			case format != output.SVG && format != output.DOT && format != output.JSON:
				return usageError{errors.New("a picture is printed as svg, dot or json")}
			}
			service, err := s.service()
			if err != nil {
				return err
			}
			picture, err := service.Raw(cmd.Context(), "/v1/graph/draw",
				filled("type", kind, "format", string(format), "host", host, "site", site, "subnet", subnet, "kinds", only))
			if err != nil {
				return err
			}
			_, err = s.out.Write(picture)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "type", "everything", "everything, service, network or ring")
	f.StringVar(&host, "host", "", "this host and its neighbours")
	f.StringVar(&site, "site", "", "the hosts of this site")
	f.StringVar(&subnet, "subnet", "", "the hosts with a link in this subnet; of type network")
	f.StringVar(&only, "only", "", "only nodes of these kinds, by comma: host, service, endpoint, address, ip, subnet, switch, port")
	cmd.MarkFlagsMutuallyExclusive("host", "site", "subnet")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"everything", "service", "network", "ring"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
