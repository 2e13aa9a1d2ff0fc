// Command checktruth compares what the service says of a host with what the
// host's own tools say, prints the number of differences per class, and fails
// if there is any. It is behind `make check-truth`.
//
// The host is this one, or one whose namespaces a command enters: it is given
// with --enter, and starts this same program there to ask the tools.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"assimilation/e2e/truth"
)

func main() {
	var c check
	hostname, _ := os.Hostname() // an empty name is refused by the service
	flag.StringVar(&c.assim, "assim", "bin/assim", "the tenant's command line")
	flag.StringVar(&c.host, "host", hostname, "name or id of the host at the service")
	flag.BoolVar(&c.mutate, "mutate", false, "drop one record of each class from the service's answer: each must show one difference")
	flag.DurationVar(&c.patience, "patience", 75*time.Second, "how long what happened just before may take to arrive")
	enter := flag.String("enter", "", "command that runs this program in the host with --tools, words separated by spaces")
	tools := flag.Bool("tools", false, "only ask this host's tools, and print what they say as JSON")
	flag.Parse()
	c.enter = strings.Fields(*enter)
	run := c.run
	if *tools {
		run = printReading
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "check-truth:", err)
		os.Exit(1)
	}
}

type check struct {
	assim, host string
	enter       []string
	mutate      bool
	patience    time.Duration
}

func printReading() error {
	reading, err := truth.ReadHost()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(reading)
}

func (c check) run() error {
	for deadline := time.Now().Add(c.patience); ; {
		before, service, after, err := c.read()
		if err != nil {
			return err
		}
		differences := truth.Compare(before, after, service)
		if total(differences) > 0 && time.Now().Before(deadline) {
			time.Sleep(time.Second) // what happened a moment ago is on its way
			continue
		}
		if c.mutate {
			return showMutated(before, after, service)
		}
		show(before, service, differences)
		if n := total(differences); n > 0 {
			return fmt.Errorf("%d differences", n)
		}
		return nil
	}
}

func (c check) read() (before truth.Reading, service truth.Records, after truth.Reading, err error) {
	if before, err = c.readHost(); err != nil {
		return
	}
	if service, err = truth.ReadService(c.assim, c.host); err != nil {
		return
	}
	after, err = c.readHost()
	return
}

func (c check) readHost() (r truth.Reading, err error) {
	if len(c.enter) == 0 {
		return truth.ReadHost()
	}
	out, err := exec.Command(c.enter[0], append(c.enter[1:], "--tools")...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return r, fmt.Errorf("asking the host's tools: %w", err)
	}
	return r, json.Unmarshal(out, &r)
}

func showMutated(before, after truth.Reading, service truth.Records) error {
	mutated := truth.DropOne(before, after, service)
	differences := truth.Compare(before, after, mutated)
	show(before, mutated, differences)
	for class, d := range differences {
		want := len(service[class]) - len(mutated[class])
		if before.Unasked[class] != "" || len(before.Must[class]) == 0 {
			continue // nothing can be missing
		}
		if d.Count() != want || want == 0 {
			return fmt.Errorf("%s: %d records dropped, %d differences found", class, want, d.Count())
		}
	}
	return nil
}

func total(differences map[truth.Class]truth.Difference) (n int) {
	for _, d := range differences {
		n += d.Count()
	}
	return n
}

// shown is how many records of a class are printed.
const shown = 20

func show(host truth.Reading, service truth.Records, differences map[truth.Class]truth.Difference) {
	fmt.Printf("%-12s %8s %8s %12s\n", "", "host", "service", "differences")
	hosts, services := 0, 0
	for _, class := range truth.Classes {
		d := differences[class]
		if why := host.Unasked[class]; why != "" {
			fmt.Printf("%-12s %8s %8d %12s  %.80s\n", class, "-", len(service[class]), "-", why)
			continue
		}
		hosts += len(host.Must[class])
		services += len(service[class])
		fmt.Printf("%-12s %8d %8d %12d\n", class, len(host.Must[class]), len(service[class]), d.Count())
		for _, list := range []struct {
			who     string
			records []string
		}{{"only the host", d.Missing}, {"only the service", d.Extra}} {
			for _, record := range list.records[:min(shown, len(list.records))] {
				fmt.Printf("    %s: %s\n", list.who, record)
			}
		}
	}
	fmt.Printf("%-12s %8d %8d %12d\n", "together", hosts, services, total(differences))
}
