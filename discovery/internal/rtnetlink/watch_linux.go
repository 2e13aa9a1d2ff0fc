package rtnetlink

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlink"
)

// watchBuffer holds the bursts of some thousand events between two reads.
const watchBuffer = 1 << 20

// Watch calls event for every message of the groups (unix.RTNLGRP_*) until ctx
// ends, and lost when the kernel dropped messages because they were not read in
// time: then only a dump tells how things are. It returns nil when ctx ended.
func Watch(ctx context.Context, groups []uint32, event func(netlink.Message), lost func()) error {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening rtnetlink: %w", err)
	}
	defer conn.Close()
	// A small buffer only means that lost is called sooner.
	_ = conn.SetReadBuffer(watchBuffer)
	for _, g := range groups {
		if err := conn.JoinGroup(g); err != nil {
			return fmt.Errorf("joining rtnetlink group %d: %w", g, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for {
		messages, err := conn.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			lost()
		case err != nil:
			return fmt.Errorf("reading rtnetlink events: %w", err)
		}
		for _, m := range messages {
			event(m)
		}
	}
}
