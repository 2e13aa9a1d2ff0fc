package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"assimilation/relay/internal/status"
)

func verdictsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "verdicts", Short: "List what the relay concluded about its hosts", Args: noArguments,
		Long: "Lists what the relay concluded about its hosts: what stands comes first, then the newest that are over.",
		Example: `  assim-relay verdicts
  assim-relay verdicts --open --evidence
  assim-relay verdicts -o json | jq '.[] | select(.kind == "host down") | .evidence'`,
	}
	var open, evidence bool
	c.Flags().BoolVar(&open, "open", false, "only what stands")
	c.Flags().BoolVar(&evidence, "evidence", false, "what speaks for each")
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var verdicts []status.Verdict
		if err := o.ask(c.Context(), "/verdicts", &verdicts); err != nil {
			return err
		}
		shown := []status.Verdict{}
		for _, v := range verdicts {
			if v.Over.IsZero() || !open {
				shown = append(shown, v)
			}
		}
		if o.output == "json" {
			return o.printJSON(shown)
		}
		if len(shown) == 0 {
			_, err := fmt.Fprintln(o.Out, "no verdict")
			return err
		}
		return printVerdicts(o.Out, shown, evidence)
	}
	return c
}

// namedHosts is how many hosts a line names.
const namedHosts = 4

func printVerdicts(to io.Writer, verdicts []status.Verdict, evidence bool) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERDICT\tREACHED\tAFTER\tOVER\tSURE\tHOSTS")
	for _, v := range verdicts {
		over, after := "stands", ""
		if !v.Over.IsZero() {
			over = when(v.Over) + ", " + v.Ending
		}
		if !v.LastSign.IsZero() {
			after = fmt.Sprintf("%.1f s", v.At.Sub(v.LastSign).Seconds())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d %%\t%s\n", v.Kind, when(v.At), after, over, v.Confidence, hostsOf(v))
		if !evidence {
			continue
		}
		for _, e := range v.Evidence {
			line := e.By + " " + e.What
			if e.About != "" {
				line += " " + e.About
			}
			if e.Age != 0 {
				line += fmt.Sprintf(" (%d ms)", e.Age)
			}
			fmt.Fprintf(w, "  %s\t%s\t\t\t\t\n", line, when(e.At))
		}
	}
	return w.Flush()
}

func hostsOf(v status.Verdict) string {
	var names []string
	for i, h := range v.Hosts {
		if i == namedHosts {
			break
		}
		names = append(names, h.Name)
	}
	text := strings.Join(names, ", ")
	if v.Place != "" && len(v.Hosts) > 1 {
		text = v.Place + ": " + text
	}
	if more := max(v.Count, len(v.Hosts)) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func ringCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "ring", Aliases: []string{"rings"}, Short: "Show who watches whom", Args: noArguments,
		Example: `  assim-relay ring
  assim-relay ring -o json | jq '.edges[] | select(any(.ends[]; .says == "missed"))'`,
	}
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var rings status.Rings
		if err := o.ask(c.Context(), "/rings", &rings); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(rings)
		}
		w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "%d rings, %d edges, a beat every %d ms\n\n", len(rings.Rings), len(rings.Edges), rings.Beat)
		fmt.Fprintln(w, "RING\tONE\tSAYS\tLOST\tOTHER\tSAYS\tLOST")
		for _, e := range rings.Edges {
			a, b := e.Ends[0], e.Ends[1]
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%d\n", e.Level, a.Name, says(a), a.Lost, b.Name, says(b), b.Lost)
		}
		return w.Flush()
	}
	return c
}

// says is what an end says of the other; before it has adopted the edge, nothing.
func says(w status.Watcher) string {
	if !w.Adopted {
		return "not told yet"
	}
	return w.Says
}
