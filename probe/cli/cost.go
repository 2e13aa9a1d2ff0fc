package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"assimilation/discovery"
	"assimilation/probe"
	"assimilation/wire"
)

// kindCost is what a first collection of one kind took, one line of -o json.
type kindCost struct {
	Kind       string  `json:"kind"`
	Facts      int     `json:"facts"`
	Bytes      int     `json:"bytes"`      // of canonical JSON
	Compressed int     `json:"compressed"` // of the messages to the relay
	CPU        float64 `json:"cpu_ms"`     // of the whole process, and of programs that it waited for
	Wall       float64 `json:"wall_ms"`
	Allocated  int     `json:"allocated"` // bytes, freed ones included
	Problem    string  `json:"problem,omitempty"`
}

// expense is what this process has spent so far.
type expense struct {
	cpu       time.Duration
	at        time.Time
	allocated uint64
}

func spentSoFar() expense {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return expense{processorTime(), time.Now(), memory.TotalAlloc}
}

// costs collects every kind once and says what it took. Collectors run one after
// the other, so what the process spent between two of them is the kind's.
func (o *options) costs(ctx context.Context, chosen []discovery.Collector) int {
	code := exitOK
	var all []kindCost
	before := spentSoFar()
	probe.Facts(ctx, chosen, func(kind discovery.Kind, facts []discovery.Fact, err error) {
		after := spentSoFar()
		c := kindCost{
			Kind: kind.Name, Facts: len(facts), CPU: milliseconds(after.cpu - before.cpu), Wall: milliseconds(after.at.Sub(before.at)),
			Allocated: int(after.allocated - before.allocated),
		}
		if err != nil {
			c.Problem = err.Error()
			if len(facts) == 0 && !errors.Is(err, discovery.ErrNotYet) {
				code = exitWrong
			}
		}
		for _, f := range facts {
			n, err := sentBytes(f)
			if err != nil {
				code = o.fail(err)
			}
			c.Bytes += len(f.Body)
			c.Compressed += n
		}
		all = append(all, c)
		before = spentSoFar() // what counting cost is nobody's
	})
	if err := o.printCosts(all); err != nil {
		return o.fail(err)
	}
	return code
}

// sentBytes is the size of the message in which a fact goes to the relay.
func sentBytes(f discovery.Fact) (int, error) {
	message, err := wire.Marshal(&wire.FactPut{
		Digest:     wire.Digest{Kind: f.Kind, Instance: f.Instance, Hash: f.Hash[:], Version: uint8(f.Version)},
		Body:       f.Body,
		ObservedAt: time.Now().UnixMilli(),
	})
	return len(message), err
}

func (o *options) printCosts(all []kindCost) error {
	if o.output == "json" {
		e := json.NewEncoder(o.Out)
		for _, c := range all {
			if err := e.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	slices.SortStableFunc(all, func(a, b kindCost) int { return int(b.CPU*1000) - int(a.CPU*1000) })
	total := kindCost{Kind: "together"}
	table := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "kind\tfacts\tbytes\tcompressed\tCPU ms\twall ms\tallocated kB\t")
	for _, c := range all {
		printCost(table, c)
		total.Facts += c.Facts
		total.Bytes += c.Bytes
		total.Compressed += c.Compressed
		total.CPU += c.CPU
		total.Wall += c.Wall
		total.Allocated += c.Allocated
	}
	printCost(table, total)
	if err := table.Flush(); err != nil {
		return err
	}
	for _, c := range all {
		if c.Problem != "" {
			fmt.Fprintf(o.Out, "%s: %s\n", c.Kind, c.Problem)
		}
	}
	return nil
}

func printCost(table *tabwriter.Writer, c kindCost) {
	fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f\t%.1f\t%d\t\n", c.Kind, c.Facts, c.Bytes, c.Compressed, c.CPU, c.Wall, c.Allocated/1000)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
