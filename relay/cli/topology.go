package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assimilation/relay/internal/status"
	"assimilation/tenancy"
	"assimilation/uplink"
)

func topologyCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "topology", Short: "Show how the site is wired", Args: noArguments,
		Long: "Shows switches, the ports that hosts are wired to, and the hosts' states, as this relay knows them.",
		Example: `  assim-relay topology
  assim-relay topology -o json | jq '.switches[] | select(.state == "down")'`,
	}
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var t uplink.Topology
		if err := o.ask(c.Context(), "/topology", &t); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(t)
		}
		_, err := fmt.Fprint(o.Out, tree(t))
		return err
	}
	return c
}

// tree is the topology as text: zone, switch, port, host.
func tree(t uplink.Topology) string {
	var b strings.Builder
	hosts := make(map[tenancy.HostID]uplink.TopologyHost, len(t.Hosts))
	for _, h := range t.Hosts {
		hosts[h.Host] = h
	}
	for _, s := range t.Switches {
		wired := map[tenancy.HostID]bool{}
		fmt.Fprintf(&b, "%s\n", strings.Join(present(heading(s), s.Zone, s.State), "  "))
		for _, p := range s.Ports {
			wired[p.Host] = true
			h := hosts[p.Host]
			fmt.Fprintf(&b, "  %-16s %s\n", p.Port, strings.Join(present(cmp.Or(h.Name, p.Host.String()), p.Interface, h.State), "  "))
		}
		for _, h := range t.Hosts {
			if h.Domain == s.Domain && !wired[h.Host] {
				fmt.Fprintf(&b, "  %-16s %s\n", "-", strings.Join(present(h.Name, h.Address, h.State), "  "))
			}
		}
	}
	if len(t.Switches) == 0 {
		b.WriteString("no hosts yet\n")
	}
	return b.String()
}

func heading(s uplink.TopologySwitch) string {
	if s.Chassis == "" {
		return "subnet " + cmp.Or(s.Subnet, "not known")
	}
	return strings.Join(present("switch", s.Name, s.Chassis), " ")
}

func present(parts ...string) (kept []string) {
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

func previewCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "preview", Short: "Show what leaves the site", Args: noArguments,
		Long: `Shows what would leave the site if all that is known were told to the service now: one
record per host and fact, bodies byte for byte. What stays is counted by kind.`,
		Example: `  assim-relay preview --kind network --host db1
  assim-relay preview -o json | jq .held
  assim-relay preview --limit 100000 -o json >leaves.json`,
	}
	choice := status.Choice{Limit: 1000}
	c.Flags().StringVar(&choice.Kind, "kind", "", "facts of this kind only")
	c.Flags().StringVar(&choice.Host, "host", "", "id or name of a host: only what is told of it")
	c.Flags().IntVar(&choice.Limit, "limit", choice.Limit, "records to show at most")
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if choice.Limit < 1 || choice.Limit > status.MaxPreview {
			return &exit{exitUsage, fmt.Errorf("--limit is 1 to %d, not %d", status.MaxPreview, choice.Limit)}
		}
		var p status.Preview
		if err := o.ask(c.Context(), choice.Path(), &p); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(p)
		}
		return o.printPreview(p)
	}
	return c
}

func (o *options) printPreview(p status.Preview) error {
	for _, r := range p.Records {
		if r.State != nil {
			fmt.Fprintf(o.Out, "%s  %s  %s  %s %s  agent %s", r.Type, r.Host, r.State.Name, r.State.OS, r.State.Arch, r.State.Agent)
			for _, name := range slices.Sorted(maps.Keys(r.State.Labels)) {
				fmt.Fprintf(o.Out, "  %s=%s", name, r.State.Labels[name])
			}
			fmt.Fprintln(o.Out)
			continue
		}
		fmt.Fprintf(o.Out, "%s  %s  %s\n%s\n", r.Type, r.Host, strings.Join(present(r.Kind, r.Instance), "/"), escaped(r.Body))
	}
	if p.More {
		fmt.Fprintf(o.Out, "(more than %d records: see --limit, --host and --kind)\n", len(p.Records))
	}
	for _, h := range p.Held {
		fmt.Fprintf(o.Out, "stays: %s, %d facts of %d hosts: %s\n", h.Kind, h.Facts, h.Hosts, h.Why)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Labels)) {
		fmt.Fprintf(o.Out, "stays: label %s of %d hosts: it says where they stand\n", name, p.Labels[name])
	}
	_, err := fmt.Fprintf(o.Out, "policy %s; %d records wait for the service\n", p.Residency, p.Waiting)
	return err
}
