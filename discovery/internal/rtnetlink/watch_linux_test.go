package rtnetlink_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/netlab"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/rtnetlink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWatchLosesEvents does not read while more events come than the buffer
// holds: the watch must say that it lost some, and go on.
func TestWatchLosesEvents(t *testing.T) {
	lab := netlab.New(t)
	var flood bytes.Buffer
	for i := range 6000 {
		fmt.Fprintf(&flood, "addr add 10.%d.%d.1/32 dev lo\n", i>>8, i&255)
	}
	batch := filepath.Join(t.TempDir(), "flood")
	if err := os.WriteFile(batch, flood.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events, lost := make(chan netlink.Message), make(chan struct{}, 100)
	var err error
	ended := lab.Go(t, func() {
		err = rtnetlink.Watch(ctx, []uint32{unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_LINK}, func(m netlink.Message) {
			select {
			case events <- m:
			case <-ctx.Done():
			}
		}, func() { lost <- struct{}{} })
	})
	for mtu, armed := 60000, false; !armed; mtu++ {
		lab.IP(t, fmt.Sprint("link set lo mtu ", mtu))
		select {
		case <-events:
			armed = true
		case <-ended:
			t.Fatalf("watch ended: %v", err)
		default:
		}
	}
	lab.IP(t, "-batch "+batch)
	for found := false; !found; {
		select {
		case <-events:
		case <-lost:
			found = true
		case <-ended:
			t.Fatalf("watch ended: %v", err)
		}
	}
	// The kernel sends nothing more until the buffer was read to its end, so
	// one change after the loss may still be lost.
	for mtu, found := 50000, false; !found; mtu++ {
		lab.IP(t, fmt.Sprint("link set lo mtu ", mtu))
		for quiet := false; !quiet && !found; {
			select {
			case m := <-events:
				link, err := rtnetlink.ParseLink(m.Data)
				found = m.Header.Type == unix.RTM_NEWLINK && err == nil && link.MTU >= 50000 && link.MTU <= int64(mtu)
			case <-lost:
			case <-time.After(100 * time.Millisecond):
				quiet = true
			case <-ended:
				t.Fatalf("watch ended: %v", err)
			}
		}
	}
	cancel()
	<-ended
	if err != nil {
		t.Error(err)
	}
}
