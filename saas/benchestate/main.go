// Command benchestate measures the service on a large estate: it makes one up
// (loadtest/estate), puts it into a database of its own through the projectors
// and the graph's writer, with a week of changes behind it, and asks it what
// people ask. It is behind `make bench-estate`.
//
// Only the relays' protocol is left out: facts are stored as ingest stores them,
// at times that lie in the past.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchestate:", err)
		os.Exit(1)
	}
}

// options are what is measured, and where.
type options struct {
	server   string // administrator's URL
	state    string // folder of the master key
	hosts    int
	seed     uint64
	samples  int
	patience time.Duration
	output   string
	only     *regexp.Regexp
	keep     bool
	rebuild  bool
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	var o options
	flags := flag.NewFlagSet("benchestate", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() {
		fmt.Fprint(errs, "Measures the service on a large estate, in a database of its own.\n\n"+
			"  benchestate -hosts 100000\n  benchestate -hosts 100000 -keep -o json    # and again later, without loading\n  benchestate -hosts 18000 -rebuild\n  benchestate -keep -only 'as of a week ago: (find|host)'\n\n")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.server, "server", os.Getenv("ASSIM_DATABASE_URL"), "administrator's URL of the Postgres server; default ASSIM_DATABASE_URL, else what STATE/postgres/url says")
	flags.StringVar(&o.state, "state", filepath.Join(".dev", "estate"), "folder of the service's master key")
	flags.IntVar(&o.hosts, "hosts", 100_000, "hosts of the estate, each of some 57 elements")
	flags.Uint64Var(&o.seed, "seed", 1, "of the estate")
	flags.IntVar(&o.samples, "samples", 200, "how often each thing is asked")
	flags.DurationVar(&o.patience, "patience", 5*time.Second, "how long; what is slow is asked less often, but 3 times")
	flags.StringVar(&o.output, "o", "table", "table or json")
	only := flags.String("only", "", "time only what matches this regular expression, by group and name as the report has them")
	flags.BoolVar(&o.keep, "keep", false, "keep the database, and use it if it is there")
	flags.BoolVar(&o.rebuild, "rebuild", false, "rebuild the graph from the facts, undamaged and damaged, instead of asking it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.output != "table" && o.output != "json" {
		return fmt.Errorf("output %q is neither table nor json", o.output)
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("reading what is to be timed: %w", err)
	}
	if o.server == "" {
		text, err := os.ReadFile(filepath.Join(o.state, "postgres", "url"))
		if err != nil {
			return fmt.Errorf("finding a server, which `make bench-estate` starts: %w", err)
		}
		o.server = strings.TrimSpace(string(text))
	}
	return measure(ctx, o, out, errs)
}

// measure does the whole: a place, an estate in it, questions, a report.
func measure(ctx context.Context, o options, out, errs io.Writer) (err error) {
	p, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(context.WithoutCancel(ctx), o.keep)) }()
	var r report
	if err := r.begin(ctx, p); err != nil {
		return err
	}
	if r.Load, err = p.fill(ctx, o, errs); err != nil {
		return err
	}
	if o.rebuild {
		if err := p.rebuild(ctx, &r, errs); err != nil {
			return err
		}
		return r.print(out, o.output)
	}
	if err := p.ask(ctx, o, &r, errs); err != nil {
		return err
	}
	return r.print(out, o.output)
}
