// Command assim-loadtest powers on thousands of simulated probes against a relay
// of loopback, and attacks it. Each of them enrols a host: it is for relays that
// can be thrown away.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"assimilation/loadtest"
	"assimilation/tenancy"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "assim-loadtest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c := loadtest.Config{Out: os.Stdout}
	relay := flag.String("relay", "127.0.0.1:1984", "the relay's UDP address")
	flag.StringVar(&c.HTTP, "http", "127.0.0.1:1985", "the relay's local HTTP address")
	tokenFile := flag.String("token-file", os.Getenv("ASSIM_TOKEN_FILE"), "file with an enrolment token for probes; or ASSIM_TOKEN")
	flag.IntVar(&c.Probes, "probes", 2000, "how many probes are powered on at once; 0: none")
	flag.IntVar(&c.Sockets, "sockets", 8, "sockets that the probes share, each with an address of its own")
	flag.Uint64Var(&c.Seed, "seed", 1, "of the faults")
	flag.Float64Var(&c.Faults.Loss, "loss", 0, "percent of datagrams lost, each way")
	flag.Float64Var(&c.Faults.Duplicate, "duplicate", 0, "percent of datagrams duplicated, each way")
	flag.Float64Var(&c.Faults.Reorder, "reorder", 0, "percent of datagrams held back until others have passed, each way")
	forge := flag.Int("forge", 0, "forged handshakes per second beside the probes")
	flood := flag.Int("flood", 0, "genuine first messages of strangers per second, from 60000 addresses, for -flood-for; no probes")
	floodFor := flag.Duration("flood-for", 10*time.Second, "how long")
	flag.BoolVar(&c.Service, "service", false, "wait until the service has acknowledged everything")
	flag.DurationVar(&c.Within, "within", 5*time.Minute, "give up after")
	flag.Parse()
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
	result.Print(os.Stdout, c)
	return err
}
