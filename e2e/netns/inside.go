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
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		type result struct {
			conn net.Conn
			err  error
		}
		done := make(chan result, 1)
		go func() {
			// The thread is not given back: it ends with the goroutine.
			runtime.LockOSThread()
			conn, err := dialInside(ctx, namespace, network, address)
			done <- result{conn, err}
		}()
		r := <-done
		return r.conn, r.err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}}
}

func dialInside(ctx context.Context, namespace, network, address string) (net.Conn, error) {
	file, err := os.Open(filepath.Join("/run/netns", namespace))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("entering namespace %s: %w", namespace, err)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
