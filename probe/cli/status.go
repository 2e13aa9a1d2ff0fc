package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"assimilation/probe/internal/status"
	"assimilation/wire"
)

func statusFlags(set *flag.FlagSet, o *options) {
	commonFlags(set, o)
	outputFlag(set, o)
}

func showStatus(_ context.Context, o *options, _ []string) int {
	if !o.goodOutput() {
		return exitUsage
	}
	r, err := status.Ask(o.state)
	if err != nil {
		return o.fail(err)
	}
	if o.output == "json" {
		if err := json.NewEncoder(o.Out).Encode(r); err != nil {
			return o.fail(err)
		}
		return exitOK
	}
	o.printStatus(r, time.Now())
	return exitOK
}

func (o *options) printStatus(r status.Report, now time.Time) {
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("version", "%s, pid %d, up %s", r.Version, r.PID, age(r.Started, now))
	row("host", "%s", orDefault(r.Host, "not enrolled"))
	row("site", "%s", orDefault(r.Site, "unknown until a relay answers"))
	row("relay", "%s", orDefault(r.Relay, "looking for one"))
	row("own port", "%d", r.Port)
	if r.StandIn != 0 {
		row("tcp port", "%d, where the kernel answers for the probe", r.StandIn)
	}
	switch {
	case r.Settled:
		row("session", "for %s, relay heard %s ago", age(r.SessionSince, now), age(r.LastHeard, now))
		if r.EchoRTT > 0 {
			row("echo", "answered within %s", r.EchoRTT.Round(10*time.Microsecond))
		}
		row("traffic", "%d bytes sent, %d received in this session", r.BytesOut, r.BytesIn)
	case r.Stuck != "":
		row("session", "none: %s", r.Stuck)
	default:
		row("session", "none")
	}
	row("facts", "%d held, %d at the relay as they are now, %d messages under way", r.FactsHeld, r.FactsSent, r.Pending)
	for _, n := range r.Neighbours {
		who := "host " + n.Peer
		if n.Relay {
			who = "the relay"
		}
		since := "last beat %s ago"
		if n.State == wire.EdgeNew.String() {
			since = "no beat for %s"
		}
		row("neighbour", "%s: %s at %s, "+since+"; %d sent, %d lost", n.State, who, n.Address, n.Age.Round(10*time.Millisecond), n.Sent, n.Lost)
	}
	if r.LateBeats > 0 {
		row("beats", "%d of the last 16 were late: this host is too busy", r.LateBeats)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Problems)) {
		row("problem", "%s: %s", name, r.Problems[name])
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Dropped)) {
		row("dropped", "%d datagrams: %s", r.Dropped[reason], reason)
	}
	row("memory", "%.1f MB resident", float64(r.RSSBytes)/1e6)
}

func age(since, now time.Time) time.Duration { return now.Sub(since).Round(time.Second) }
