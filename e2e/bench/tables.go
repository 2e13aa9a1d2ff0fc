package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// goals of ingest, in elements per processor second.
var goals = map[string]map[int]float64{
	"17": {70: 25_000, 0: 15_000},
	"18": {70: 40_000, 0: 25_000},
}

// batchGoal is for the 95th percentile, in milliseconds.
const batchGoal = 60

func (r results) print(out io.Writer, postgres string) error {
	goal, ok := goals[postgres]
	if !ok {
		return fmt.Errorf("there are no goals for Postgres %s", postgres)
	}
	if err := r.printIngest(out, postgres, goal); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nthe rest")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "benchmark\ttime\tand")
	for _, b := range r {
		if strings.HasPrefix(b.name, "Write/") || strings.HasPrefix(b.name, "Apply/") {
			continue
		}
		var rest []string
		for unit, value := range b.metrics {
			if unit != "ns/op" {
				rest = append(rest, fmt.Sprintf("%.0f %s", value, unit))
			}
		}
		slices.Sort(rest)
		fmt.Fprintf(w, "%s\t%.2f µs\t%s\n", b.name, b.metrics["ns/op"]/1000, strings.Join(rest, ", "))
	}
	return w.Flush()
}

func (r results) printIngest(out io.Writer, postgres string, goal map[int]float64) error {
	fmt.Fprintf(out, "\ningest on Postgres %s; per core: per second of processor time of our process and the server's sessions together\n", postgres)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "unchanged\t\telements/s\tper core\tto goal\tto plain tables\tto UNWIND MERGE SET\tfacts/s\tper core\tbatch p95 ms\tto goal\t")
	for _, unchanged := range []int{70, 0} {
		for _, way := range []struct{ title, name string }{
			{"taking in facts", "Apply/unchanged=%d"},
			{"writing the graph", "Write/way=graph/unchanged=%d"},
			{"plain tables", "Write/way=tables/unchanged=%d"},
			{"UNWIND MERGE SET", "Write/way=merge/unchanged=%d"},
		} {
			row, err := r.ingestRow(fmt.Sprintf(way.name, unchanged), unchanged, goal[unchanged])
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%d %%\t%s\t%s\t\n", unchanged, way.title, strings.Join(row, "\t"))
		}
	}
	return w.Flush()
}

func (r results) ingestRow(name string, unchanged int, goal float64) ([]string, error) {
	var failed error
	metric := func(name, unit string) float64 {
		value, err := r.of(name, unit)
		if err != nil && failed == nil {
			failed = err
		}
		return value
	}
	core, p95 := metric(name, "elements/cpu-s"), metric(name, "p95-ms")
	plain := metric(fmt.Sprintf("Write/way=tables/unchanged=%d", unchanged), "elements/cpu-s")
	merge := metric(fmt.Sprintf("Write/way=merge/unchanged=%d", unchanged), "elements/cpu-s")
	row := []string{fmt.Sprintf("%.0f", metric(name, "elements/s")), fmt.Sprintf("%.0f", core)}
	switch {
	case strings.HasPrefix(name, "Apply/"): // other work than writing the graph alone
		row = append(row, ratio(core/goal), "", "", fmt.Sprintf("%.0f", metric(name, "facts/s")), fmt.Sprintf("%.0f", metric(name, "facts/cpu-s")),
			fmt.Sprintf("%.1f", p95), ratio(p95/batchGoal))
	case strings.Contains(name, "way=graph"):
		row = append(row, ratio(core/goal), ratio(core/plain), ratio(core/merge), "", "", fmt.Sprintf("%.1f", p95), ratio(p95/batchGoal))
	default:
		row = append(row, "", "", "", "", "", fmt.Sprintf("%.1f", p95), "")
	}
	return row, failed
}

func ratio(r float64) string { return fmt.Sprintf("%.2f", r) }
