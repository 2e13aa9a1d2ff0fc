package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"assimilation/probe"
)

func runFlags(set *flag.FlagSet, o *options) {
	networkFlags(set, o)
	listenFlag(set, o)
	labelFlag(set, o)
	discoveryFlags(set, o)
}

func run(ctx context.Context, o *options, _ []string) int {
	token, err := o.token()
	if err != nil {
		// A probe that is enrolled needs no token; one that is not says so.
		o.log().Warn("going on without a token", "error", err)
	}
	config := o.config(token)
	if config.Labels, err = o.allLabels(); err != nil {
		fmt.Fprintln(o.Err, "assim-probe:", err)
		return exitUsage
	}
	p, err := probe.New(config)
	if errors.Is(err, probe.ErrLabels) {
		fmt.Fprintln(o.Err, "assim-probe:", err)
		return exitUsage
	}
	if err != nil {
		return o.fail(err)
	}
	if err := p.Run(ctx); err != nil {
		return o.fail(err)
	}
	return exitOK
}

func enrolFlags(set *flag.FlagSet, o *options) {
	networkFlags(set, o)
	listenFlag(set, o)
	set.IntVar(&o.wait, "wait", 30, "seconds to wait for a relay")
	set.BoolVar(&o.move, "move", false, "leave the site this probe belongs to: for another one, or where the site's key was replaced while this host was away")
}

func enrol(ctx context.Context, o *options, _ []string) int {
	token, err := o.token()
	if err == nil && token == "" {
		token, err = readToken(o.In)
	}
	if err != nil {
		return o.fail(err)
	}
	if token == "" {
		fmt.Fprintln(o.Err, "assim-probe: enrol needs a token: --token-file, ASSIM_TOKEN, or standard input")
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.wait)*time.Second)
	defer cancel()
	config := o.config(token)
	config.Move = o.move
	host, err := probe.Enrol(ctx, config)
	if err == nil {
		fmt.Fprintln(o.Out, "enrolled as host", host)
		return exitOK
	}
	code := o.fail(err)
	if errors.Is(err, probe.ErrLocked) {
		fmt.Fprintln(o.Err, "A running probe enrols by itself: give it the token (ASSIM_TOKEN_FILE) and restart it.")
	}
	if refused, ok := errors.AsType[*probe.Refused](err); ok {
		if refused.Reason.Temporary() {
			return exitNobody
		}
		return exitRefused
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return exitNobody
	}
	return code
}

func showVersion(_ context.Context, o *options, _ []string) int {
	fmt.Fprintln(o.Out, "assim-probe", Version)
	return exitOK
}
