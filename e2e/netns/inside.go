package netns

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Client speaks HTTP from within a namespace, to what listens on its loopback.
func Client(namespace string) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		// The thread must not end: processes that it started would end with it
		// (PR_SET_PDEATHSIG).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ours, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return nil, err
		}
		defer ours.Close()
		theirs, err := os.Open(filepath.Join("/run/netns", namespace))
		if err != nil {
			return nil, err
		}
		defer theirs.Close()
		if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
			return nil, fmt.Errorf("entering namespace %s: %w", namespace, err)
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if back := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); back != nil {
			panic(back) // the thread would do other things in there
		}
		return conn, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}}
}
