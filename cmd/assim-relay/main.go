// Command assim-relay is the program of a site: it serves the site's probes and
// forwards what they find to the service.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"assimilation/relay/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
