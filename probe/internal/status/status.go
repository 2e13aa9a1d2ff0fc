// Package status lets a person ask the running probe how it is: whoever
// connects to the socket in the state directory gets one document, in CBOR, which
// the probe has a decoder for anyway. The directory's mode is the access control;
// nothing can be changed this way.
package status

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fxamacker/cbor/v2"

	"assimilation/probe/internal/agent"
)

const (
	socketFile = "status.sock"
	within     = 5 * time.Second
)

// ErrNotRunning says that no probe answers for a state directory.
var ErrNotRunning = errors.New("no probe is running with this state directory")

// Report is the document.
type Report struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	RSSBytes int64     `json:"rss_bytes,omitempty"` // where the system tells
	agent.Status
}

// Serve answers until ctx ends. The caller holds the lock of the directory, so
// a socket that is there already is a leftover.
func Serve(ctx context.Context, dir string, report func(context.Context) (Report, error), log *slog.Logger) error {
	path := filepath.Join(dir, socketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an old status socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("opening the status socket: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			l.Close()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("waiting on the status socket: %w", err)
		}
		if err := answer(ctx, c, report); err != nil {
			log.Debug("answering a status question", "error", err)
		}
	}
}

// answer writes one report. One question is served at a time.
func answer(ctx context.Context, c net.Conn, report func(context.Context) (Report, error)) error {
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := report(ctx)
	if err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode()
	if err != nil {
		return err
	}
	return mode.NewEncoder(c).Encode(r)
}

// Ask reads the report of the probe that runs on a state directory.
func Ask(dir string) (Report, error) {
	c, err := net.DialTimeout("unix", filepath.Join(dir, socketFile), within)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return Report{}, ErrNotRunning
	}
	if err != nil {
		return Report{}, fmt.Errorf("asking the running probe: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(2 * within)); err != nil {
		return Report{}, err
	}
	var r Report
	if err := cbor.NewDecoder(c).Decode(&r); err != nil {
		return Report{}, fmt.Errorf("reading the running probe's answer: %w", err)
	}
	return r, nil
}
