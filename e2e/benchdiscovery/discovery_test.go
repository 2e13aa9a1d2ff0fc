package benchdiscovery

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"assimilation/e2e/execs"
	"assimilation/e2e/world"
)

var runs = flag.Int("runs", 5, "how often each program runs, of which the median counts; lynis runs once")

// Goals of a first discovery.
const (
	goalCPU        = 500 * time.Millisecond
	goalCompressed = 20_000 // bytes
)

// apart are kinds whose cost grows with what a host happens to have: they read
// whole files, and ask every listener.
var apart = []string{"checksums", "certificates"}

// candidate is one program in the layer.
type candidate struct {
	name string
	runs int
	line []string
	// writes is where it leaves what it found; "" is its standard output.
	writes string
}

func BenchmarkDiscovery(b *testing.B) {
	if os.Getuid() != 0 {
		b.Fatal("needs root: it puts a layer over this host's files")
	}
	l := layer{b: b, started: execs.New(b)}
	share := b.TempDir()
	program := filepath.Join(world.Build(b), "assim-probe")
	world.Run(b, nil, "cp", program, share)
	work := b.TempDir()
	l.holder = world.Start(b, "layer", func() *exec.Cmd {
		return exec.Command("unshare", "--mount", filepath.Join(world.Root(b), "e2e/benchdiscovery/layer.sh"), work, share)
	})
	l.holder.Says("the programs are installed", 10*time.Minute)

	kinds := l.kinds()
	l.tabulate(kinds)

	const probe = "/opt/assim/assim-probe"
	most := slices.DeleteFunc(slices.Clone(kinds), func(c kindCost) bool { return slices.Contains(apart, c.Kind) })
	var names []string
	for _, c := range most {
		names = append(names, c.Kind)
	}
	all := []candidate{
		{"assim-probe, all kinds", *runs, []string{probe, "facts", "-o", "json"}, ""},
		{"assim-probe without " + strings.Join(apart, " and "), *runs, append([]string{probe, "facts", "-o", "json"}, names...), ""},
		{"facter", *runs, []string{"facter", "--json"}, ""},
		{"fusioninventory-inventory", *runs, []string{"fusioninventory-inventory"}, ""},
		{"lynis audit system", 1, []string{"lynis", "audit", "system", "--quick", "--quiet", "--no-colors"}, "/var/log/lynis-report.dat"},
	}
	fmt.Printf("\nload average %s\n", loadAverage(b))
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "program\truns\tCPU s\tto ours\twall s\tpeak MB\tprograms started\tbytes\tgzip -6\t")
	ours := 0.0
	for i, c := range all {
		r := l.median(c)
		cpu := r.cpu.Seconds()
		if i == 0 {
			ours = cpu
		}
		fmt.Fprintf(table, "%s\t%d\t%.3f\t%.2f\t%.2f\t%.1f\t%d\t%d\t%d\t\n", c.name, c.runs, cpu, cpu/ours, r.wall.Seconds(),
			float64(r.peak)/1e6, r.execs, len(r.out), squeezed(b, r.out))
	}
	if err := table.Flush(); err != nil {
		b.Fatal(err)
	}
}

// kindCost is a line of assim-probe facts --cost -o json.
type kindCost struct {
	Kind                            string
	Facts, Bytes, Compressed, execs int
	CPU                             float64 `json:"cpu_ms"`
	Wall                            float64 `json:"wall_ms"`
	Allocated                       int
	Problem                         string
}

// kinds asks for what each kind costs: of several runs the one that is the median of
// the whole, and programs started by each kind alone.
func (l layer) kinds() []kindCost {
	command := []string{"/opt/assim/assim-probe", "facts", "--cost", "-o", "json"}
	all := make([][]kindCost, *runs)
	for i := range all {
		for d := json.NewDecoder(bytes.NewReader(l.once(command, "").out)); d.More(); {
			var c kindCost
			if err := d.Decode(&c); err != nil {
				l.b.Fatal(err)
			}
			all[i] = append(all[i], c)
		}
	}
	slices.SortFunc(all, func(x, y []kindCost) int { return int(1000 * (sum(x).CPU - sum(y).CPU)) })
	costs := all[len(all)/2]
	for i, c := range costs {
		costs[i].execs = l.once(append(command, c.Kind), "").execs
	}
	return costs
}

func sum(costs []kindCost) (all kindCost) {
	for _, c := range costs {
		all.Facts += c.Facts
		all.Bytes += c.Bytes
		all.Compressed += c.Compressed
		all.execs += c.execs
		all.CPU += c.CPU
		all.Wall += c.Wall
		all.Allocated += c.Allocated
	}
	return all
}

func (l layer) tabulate(costs []kindCost) {
	slices.SortStableFunc(costs, func(x, y kindCost) int { return int(1000 * (y.CPU - x.CPU)) })
	fmt.Printf("\nassim-probe facts --cost, load average %s\n", loadAverage(l.b))
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "kind\tfacts\tbytes\tcompressed\tCPU ms\twall ms\tallocated kB\tprograms started\t")
	row := func(name string, c kindCost) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f\t%.1f\t%d\t%d\t\n", name, c.Facts, c.Bytes, c.Compressed, c.CPU, c.Wall, c.Allocated/1000, c.execs)
	}
	var most []kindCost
	for _, c := range costs {
		row(c.Kind, c)
		if !slices.Contains(apart, c.Kind) {
			most = append(most, c)
		}
	}
	row("all", sum(costs))
	row("without "+strings.Join(apart, ", "), sum(most))
	if err := table.Flush(); err != nil {
		l.b.Fatal(err)
	}
	fmt.Printf("to the goals without %s: CPU %.2f of %v, first report %.2f of %d bytes\n", strings.Join(apart, " and "),
		sum(most).CPU/float64(goalCPU.Milliseconds()), goalCPU, float64(sum(most).Compressed)/goalCompressed, goalCompressed)
	for _, c := range costs {
		if c.Problem != "" {
			fmt.Printf("%s: %s\n", c.Kind, c.Problem)
		}
	}
}

func squeezed(b *testing.B, text []byte) int {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Len()
}

func loadAverage(b *testing.B) string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
