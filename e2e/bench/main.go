// Command bench runs the benchmarks that the product's goals are about, and prints
// them in tables beside their goals. It is behind `make bench`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	hosts := flag.Int("hosts", 2000, "hosts of the estate that ingest is measured on; 2000 are some 250,000 elements")
	length := flag.Duration("time", 4*time.Second, "how long each benchmark runs")
	flag.Parse()
	if err := run(ctx, *hosts, *length); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, hosts int, length time.Duration) error {
	postgres := os.Getenv("ASSIM_POSTGRES")
	if postgres == "" {
		postgres = "17"
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	fmt.Printf("%s, load average %s\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), strings.Join(strings.Fields(string(load))[:3], " "))
	var results results
	for _, s := range []struct {
		pkg, pattern string
		args         []string
	}{
		{"./saas/internal/graph", "Write", []string{"-hosts", fmt.Sprint(hosts)}},
		{"./saas/internal/ingest", "Apply", []string{"-hosts", fmt.Sprint(hosts)}},
		{"./relay/internal/store", "DurableFacts", nil},
		{"./uplink", "Envelope", nil},
		{"./relay/internal/ring", "Ring", nil},
		{"./relay/internal/verdict", "Disasters", nil},
		{"./wire/...", "Handshake|Respond|CheckMAC1|Seal|Open|Marshal", nil},
		{"./discovery", "Canonical", nil},
	} {
		fmt.Fprintln(os.Stderr, "running", s.pkg)
		args := append([]string{"test", "-run", "^$", "-bench", s.pattern, "-benchtime", length.String(), s.pkg}, s.args...)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		if err := results.read(string(out)); err != nil {
			return fmt.Errorf("reading what %s says: %w", s.pkg, err)
		}
	}
	return results.print(os.Stdout, postgres)
}
