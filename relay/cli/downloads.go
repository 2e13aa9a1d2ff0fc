package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"assimilation/relay/internal/handout"
	"assimilation/relay/internal/status"
)

// installFlag is where hosts get what installs a probe.
func (o *options) installFlag(c *cobra.Command) {
	fromEnvironment(&o.config.Install, "ASSIM_INSTALL")
	c.Flags().StringVar(&o.config.Install, "install", o.config.Install, "TCP address at which hosts get what installs a probe, or off")
}

func downloadsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "downloads", Short: "Show what this relay hands out to hosts that have no probe yet", Args: noArguments,
		Long: "Shows the files that install a probe: which of them the service has told this relay to hand out, and which are here.",
		Example: `  assim-relay downloads
  assim-relay downloads -o json | jq '.files[] | select(.here | not)'
  assim-relay downloads import assim-probe-linux-amd64`,
	}
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var r handout.Report
		if err := o.ask(c.Context(), "/downloads", &r); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(r)
		}
		return o.printDownloads(r)
	}
	c.AddCommand(importCommand(o))
	return c
}

func (o *options) printDownloads(r handout.Report) error {
	if r.Problem != "" {
		fmt.Fprintln(o.Out, "problem:", r.Problem)
	}
	if r.Address != "" {
		fmt.Fprintf(o.Out, "hosts get these from https://%s, which they know by %s\n\n", r.Address, r.Pin)
	}
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tBYTES\tHERE\tSHA-256")
	for _, f := range r.Files {
		here := "no"
		if f.Here {
			here = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", f.Name, f.Version, f.Size, here, f.SHA256)
	}
	return w.Flush()
}

func importCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "import FILE...", Short: "Give the running relay files that it cannot fetch from the service",
		Long: `Gives the running relay files that it cannot fetch from the service, such as where only its
orders get through. It takes what the service has told it to hand out, by checksum, and nothing else;
what the file is called does not matter.`,
		Example: `  assim-relay downloads import /media/usb/assim-probe-linux-amd64 /media/usb/assim-probe.service`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exit{exitUsage, errors.New("import needs at least one file")}
			}
			return nil
		},
	}
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		taken := []handout.File{}
		for _, path := range args {
			file, err := o.give(c, path)
			if err != nil {
				return err
			}
			taken = append(taken, file)
			if o.output != "json" {
				fmt.Fprintf(o.Out, "%s is %s %s\n", filepath.Base(path), file.Name, file.Version)
			}
		}
		if o.output == "json" {
			return o.printJSON(taken)
		}
		return nil
	}
	return c
}

func (o *options) give(c *cobra.Command, path string) (taken handout.File, err error) {
	file, err := os.Open(path)
	if err != nil {
		return taken, err
	}
	defer file.Close()
	err = status.Give(c.Context(), o.config.HTTP, "/downloads", file, &taken)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return taken, &exit{exitNobody, fmt.Errorf("no relay answers on %s; is it running, and with this --http address?", o.config.HTTP)}
	case err != nil:
		return taken, fmt.Errorf("importing %s: %w", path, err)
	}
	return taken, nil
}
