// Package cli is the command line of assim-loadtest.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"assimilation/loadtest"
	"assimilation/tenancy"
)

// Main runs one load test and returns the exit code: 0 done, 1 not, 2 wrong
// usage.
func Main(ctx context.Context, args []string, out, errs io.Writer) int {
	err := run(ctx, args, out, errs)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2 // package flag has said why
	}
	fmt.Fprintln(errs, "assim-loadtest:", err)
	return 1
}

var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	c := loadtest.Config{Out: out}
	flags := flag.NewFlagSet("assim-loadtest", flag.ContinueOnError)
	flags.SetOutput(errs)
	relay := flags.String("relay", "127.0.0.1:1984", "the relay's UDP address")
	flags.StringVar(&c.HTTP, "http", "127.0.0.1:1985", "the relay's local HTTP address")
	tokenFile := flags.String("token-file", os.Getenv("ASSIM_TOKEN_FILE"), "file with an enrolment token for probes; or ASSIM_TOKEN")
	flags.IntVar(&c.Probes, "probes", 2000, "how many probes are powered on at once; 0: none")
	flags.IntVar(&c.Sockets, "sockets", 8, "sockets that the probes share, each with an address of its own")
	flags.Uint64Var(&c.Seed, "seed", 1, "of the faults")
	flags.Float64Var(&c.Faults.Loss, "loss", 0, "percent of datagrams lost, each way")
	flags.Float64Var(&c.Faults.Duplicate, "duplicate", 0, "percent of datagrams duplicated, each way")
	flags.Float64Var(&c.Faults.Reorder, "reorder", 0, "percent of datagrams held back until others have passed, each way")
	flags.BoolVar(&c.Beats, "beats", false, "the probes take part in rings: heartbeats and reports")
	flags.DurationVar(&c.Stay, "stay", 0, "how long the probes go on when all is durable")
	forge := flags.Int("forge", 0, "forged handshakes per second beside the probes")
	flood := flags.Int("flood", 0, "genuine first messages of strangers per second, from 60000 addresses, for -flood-for; no probes")
	floodFor := flags.Duration("flood-for", 10*time.Second, "how long")
	flags.BoolVar(&c.Service, "service", false, "wait until the service has acknowledged everything")
	flags.DurationVar(&c.Within, "within", 5*time.Minute, "give up after")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	var err error
	if c.Relay, err = netip.ParseAddrPort(*relay); err != nil {
		return fmt.Errorf("reading -relay: %w", err)
	}
	if *flood > 0 {
		c.Attack = loadtest.Attack{Rate: *flood, Sources: 60_000, Genuine: true}
		return loadtest.Flood(ctx, c, *floodFor)
	}
	text := os.Getenv("ASSIM_TOKEN")
	if *tokenFile != "" {
		b, err := os.ReadFile(*tokenFile)
		if err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
		text = string(b)
	}
	if c.Token, err = tenancy.ParseToken(strings.TrimSpace(text)); err != nil {
		return err
	}
	if *forge > 0 {
		c.Attack = loadtest.Attack{Rate: *forge, Sources: 1000}
	}
	result, err := loadtest.Run(ctx, c)
	result.Print(out, c)
	return err
}
