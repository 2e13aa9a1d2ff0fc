// Package systemd speaks the two words of sd_notify(3) that a service needs:
// that it is ready, and that it is alive.
package systemd

import (
	"net"
	"os"
	"strconv"
	"time"
)

// Notifier sends to the service manager. The zero Notifier, outside systemd,
// does nothing.
type Notifier struct {
	address  string
	watchdog time.Duration
}

// FromEnvironment reads NOTIFY_SOCKET and WATCHDOG_USEC.
func FromEnvironment() Notifier {
	n := Notifier{address: os.Getenv("NOTIFY_SOCKET")}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n
	}
	if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Interval is how often Alive must be called; zero: nobody watches.
func (n Notifier) Interval() time.Duration { return n.watchdog / 2 }

// Ready says that start-up is over.
func (n Notifier) Ready() error { return n.send("READY=1") }

// Alive feeds the watchdog.
func (n Notifier) Alive() error { return n.send("WATCHDOG=1") }

// Stopping says that the service is on its way out.
func (n Notifier) Stopping() error { return n.send("STOPPING=1") }

func (n Notifier) send(state string) error {
	if n.address == "" {
		return nil
	}
	// A leading @ is the abstract namespace, which package net spells the same.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}
