// Command assim-probe is the agent on a host.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"assimilation/probe/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
