package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all that a run says.
type report struct {
	At       time.Time `json:"at"`
	Postgres string    `json:"postgres"`
	Before   string    `json:"load_average_before"`
	After    string    `json:"load_average_after"`
	Load     *loaded   `json:"load,omitempty"`
	Times    []row     `json:"times,omitempty"`
	Sizes    []size    `json:"sizes,omitempty"`
	Backends []backend `json:"backends,omitempty"`
	Rebuilds []rebuilt `json:"rebuilds,omitempty"`
}

func (r *report) begin(ctx context.Context, p *place) error {
	r.At, r.Before = time.Now().UTC(), loadAverage()
	if err := p.admin.QueryRow(ctx, `SELECT current_setting('server_version') || ', AGE ' || extversion FROM pg_extension WHERE extname = 'age'`).Scan(&r.Postgres); err != nil {
		return fmt.Errorf("asking the server's version: %w", err)
	}
	return nil
}

// loadAverage is of the last minute, five and fifteen.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func (r *report) print(out io.Writer, format string) error {
	r.After = loadAverage()
	if format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(out, "%s, Postgres %s, load average %s before, %s after\n", r.At.Format("2006-01-02 15:04 UTC"), r.Postgres, r.Before, r.After)
	if l := r.Load; l != nil {
		fmt.Fprintf(out, "\nloaded: %d hosts, %d facts, %d elements in %.0f s (%.0f elements/s); %d facts changed in %d days, written in %.0f s; vacuum %.0f s\n",
			l.Hosts, l.Facts, l.Elements, l.Seconds, float64(l.Elements)/l.Seconds, l.Changes, days-1, l.Later, l.Vacuum)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	group := ""
	for _, t := range r.Times {
		if t.Group != group {
			group = t.Group
			fmt.Fprintf(w, "\n%s\tp50 ms\tp95 ms\tmax ms\tgoal\tp95 to goal\tsamples\t%s\n", group, map[bool]string{true: "bytes", false: "rows"}[group == "pages"])
		}
		goal, ratio := "", ""
		if t.Goal > 0 {
			goal, ratio = fmt.Sprintf("%g", t.Goal), fmt.Sprintf("%.2f", t.P95/t.Goal)
		}
		if t.Failed != "" {
			fmt.Fprintf(w, "%s\t\t\t\t%s\t\t\tfailed: %.120s\n", t.Name, goal, t.Failed)
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%s\t%s\t%d\t%.0f\n", t.Name, t.P50, t.P95, t.Max, goal, ratio, t.Samples, t.Rows)
	}
	if len(r.Sizes) > 0 {
		fmt.Fprintf(w, "\ntables\trows\theap MB\tindexes MB\tbytes per row\n")
		for _, s := range r.Sizes {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.0f\n", s.Class, s.Rows, s.Heap>>20, s.Indexes>>20, s.PerRow)
		}
	}
	if len(r.Backends) > 0 {
		fmt.Fprintf(w, "\nbackend of login\town memory MB\n")
		for _, b := range r.Backends {
			fmt.Fprintf(w, "%s\t%.1f\n", b.Login, float64(b.Own)/(1<<20))
		}
	}
	if len(r.Rebuilds) > 0 {
		fmt.Fprintf(w, "\nrebuild\telements\tmended\tskipped\tseconds\tour memory MB\tbackend MB\tdigest as before\n")
		for _, b := range r.Rebuilds {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f\t%d\t%d\t%t\n", b.What, b.Checked, b.Changed, b.Skipped, b.Seconds, b.Memory>>20, b.Backend>>20, b.Equal)
		}
	}
	return w.Flush()
}
