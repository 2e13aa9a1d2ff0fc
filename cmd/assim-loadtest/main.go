// Command assim-loadtest powers on thousands of simulated probes against a relay
// of loopback, and attacks it. Each of them enrols a host: it is for relays that
// can be thrown away.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"assimilation/loadtest/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
