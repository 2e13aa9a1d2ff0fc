package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"assimilation/relay/internal/status"
	"assimilation/uplink"
)

func statusCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Ask the running relay how it is", Args: noArguments,
		Example: `  assim-relay status
  assim-relay status -o json | jq .outbox`,
	}
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var report status.Report
		if err := o.ask(c.Context(), "/status", &report); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(report)
		}
		return o.printReport(report)
	}
	return c
}

func probesCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "probes", Short: "List the probes that are enrolled here", Args: noArguments,
		Example: `  assim-relay probes
  assim-relay probes -o json | jq '.[] | select(.state == "silent")'
  assim-relay probes --pending`,
	}
	var pending bool
	c.Flags().BoolVar(&pending, "pending", false, "those that announce themselves and are not enrolled, as they say")
	o.httpFlag(c)
	o.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if pending {
			return o.listPending(c.Context())
		}
		var probes []status.Probe
		if err := o.ask(c.Context(), "/probes", &probes); err != nil {
			return err
		}
		if o.output == "json" {
			return o.printJSON(probes)
		}
		w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSTATE\tSINCE\tADDRESS\tAGENT\tHOST")
		for _, p := range probes {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.State, when(p.StateAt), p.Address, p.Agent, p.Host)
		}
		return w.Flush()
	}
	return c
}

func (o *options) listPending(ctx context.Context) error {
	var pending []status.Pending
	if err := o.ask(ctx, "/pending", &pending); err != nil {
		return err
	}
	if o.output == "json" {
		return o.printJSON(pending)
	}
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FINGERPRINT\tADDRESS\tFIRST SEEN\tLAST SEEN\tSTUCK FOR")
	for _, p := range pending {
		fmt.Fprintf(w, "%.16s\t%s\t%s\t%s\t%s\n", p.Fingerprint, p.Address, when(p.First), when(p.Last), p.Reason)
	}
	return w.Flush()
}

func (o *options) ask(ctx context.Context, path string, v any) error {
	err := status.Ask(ctx, o.config.HTTP, path, v)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &exit{exitNobody, fmt.Errorf("no relay answers on %s; is it running, and with this --http address?", o.config.HTTP)}
	}
	return err
}

func (o *options) printReport(r status.Report) error {
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	phase := string(r.Phase)
	if r.Problem != "" {
		phase += ": " + r.Problem
	}
	line("state", "%s", phase)
	line("version", "%s, running since %s", r.Version, when(r.Started))
	if r.Relay == nil {
		line("site", "not enrolled")
		return w.Flush()
	}
	line("site", "%s (%s)", r.SiteName, r.Site)
	line("relay", "%s", r.Relay)
	line("certificate", "until %s", when(r.Certified))
	line("service", "%s", r.Service)
	line("probes reach it at", "%s", r.Address)
	line("hosts", "%s", hostsByState(r.Hosts))
	if len(r.Versions) > 0 {
		line("probe versions", "%s", counted(r.Versions))
	}
	if i := r.Install; i != nil {
		here := 0
		for _, f := range i.Files {
			if f.Here {
				here++
			}
		}
		text := fmt.Sprintf("https://%s, %d of %d files here", i.Address, here, len(i.Files))
		if i.Problem != "" {
			text += ": " + i.Problem
		}
		line("hosts install from", "%s", text)
	}
	line("sessions", "%d", r.Sessions)
	line("facts", "%d", r.Facts)
	line("outbox", "%d records (%d bytes) wait; %d of %d acknowledged in epoch %d", r.Outbox.Backlog, r.Outbox.Bytes, r.Outbox.Acked, r.Outbox.Last, r.Outbox.Epoch)
	if r.Outbox.Resyncing {
		line("", "sending all hosts and facts anew")
	}
	line("last batch", "%s", exchange(r.Batches))
	line("last orders", "%s; revision %d applied %s, %d tokens", exchange(r.Orders), r.OrdersDone, when(r.OrdersAt), r.Tokens)
	return w.Flush()
}

// hostsByState counts those that are up first, then every other state that a
// host is in.
func hostsByState(hosts map[uplink.State]int) string {
	text := fmt.Sprintf("%d up", hosts[uplink.Up])
	for _, state := range slices.Sorted(maps.Keys(hosts)) {
		if n := hosts[state]; n > 0 && state != uplink.Up {
			text += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return text
}

// counted lists versions, the most frequent first.
func counted(versions map[string]int) string {
	names := slices.Collect(maps.Keys(versions))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(versions[b]-versions[a], strings.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d of %s", versions[name], name)
	}
	return strings.Join(names, ", ")
}

func exchange(e status.Exchange) string {
	if e.Error != "" {
		return fmt.Sprintf("failing since %s: %s", when(e.Since), e.Error)
	}
	return when(e.LastOK)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}
