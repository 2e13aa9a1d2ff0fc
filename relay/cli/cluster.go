package cli

import (
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"assimilation/relay/internal/cluster"
)

func (o *options) clusterFlags(c *cobra.Command) {
	fromEnvironment(&o.config.Cluster, "ASSIM_CLUSTER")
	c.Flags().StringVar(&o.config.Cluster, "cluster", o.config.Cluster, "TCP and UDP address for other relays of the site")
	fromEnvironment(&o.advertise, "ASSIM_ADVERTISE")
	c.Flags().StringVar(&o.advertise, "advertise", o.advertise, "IP address by which other relays and probes reach this one (default: that of --cluster, or the machine's first)")
}

// advertised reads --advertise.
func (o *options) advertised() (err error) {
	if o.advertise == "" {
		return nil
	}
	if o.config.Advertise, err = netip.ParseAddr(o.advertise); err != nil {
		return &exit{exitUsage, fmt.Errorf("--advertise is an IP address, not %q", o.advertise)}
	}
	return nil
}

func clusterCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "cluster", Short: "Show the relays of the site, and who has whose copy", Args: noArguments,
		Long: "Shows the relays of the site as this one sees them, to which of them its records are copied and how far, and whose copies it has.",
		Example: `  assim-relay cluster
  assim-relay cluster -o json | jq .degraded`,
	}
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var r cluster.Report
		if err := o.ask(c.Context(), "/cluster", &r); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(r)
		}
		return printCluster(o.Out, r)
	}
	return c
}

func printCluster(to io.Writer, r cluster.Report) error {
	switch {
	case len(r.Members) < 2:
		fmt.Fprintln(to, "This relay is the only one of its site.")
	case r.Degraded:
		fmt.Fprintln(to, "Degraded: what probes are told is durable is on this relay's disk only.")
	default:
		fmt.Fprintf(to, "Records are on two disks: %s has the copy, %d records behind.\n", r.Buddy, r.Lag)
	}
	fmt.Fprintln(to)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RELAY\tSTATE\tSINCE\tCLUSTER\tSERVES\tPROBLEM")
	for _, m := range r.Members {
		since := ""
		if !m.Since.IsZero() {
			since = when(m.Since)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.State, since, m.Cluster, m.Serves, m.Problem)
	}
	if err := w.Flush(); err != nil || len(r.Copies) == 0 {
		return err
	}
	fmt.Fprintln(to)
	w = tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COPY OF\tRECORDS\tBYTES\tFROM\tTO")
	for _, copied := range r.Copies {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", copied.Name, copied.Records, copied.Bytes, copied.Acked+1, copied.Last)
	}
	return w.Flush()
}
