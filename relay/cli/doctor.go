package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"assimilation/relay"
)

func doctorCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Check what a relay needs, and say what to do", Args: noArguments,
		Example: `  assim-relay doctor
  assim-relay doctor -o json`,
	}
	o.stateFlag(c)
	o.listenFlag(c)
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		findings := relay.Diagnose(c.Context(), o.config, o.log())
		if err := o.printFindings(findings); err != nil {
			return err
		}
		for _, f := range findings {
			if !f.OK {
				return &exit{exitWrong, fmt.Errorf("something is wrong")}
			}
		}
		return nil
	}
	return c
}

func (o *options) printFindings(findings []relay.Finding) error {
	if o.output == "json" {
		return o.printJSON(findings)
	}
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		verdict := "ok"
		if !f.OK {
			verdict = "WRONG"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", verdict, f.What, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(w, "\t\t-> %s\n", f.Advice)
		}
	}
	return w.Flush()
}
