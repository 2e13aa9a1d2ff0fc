package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// syslog writes one line for each notification: RFC 5424 over UDP (RFC 5426),
// TCP (RFC 6587, octet counting) or a socket of this host; "local" is /dev/log
// in the older form that its readers expect. Syslog does not acknowledge: told
// means handed to the kernel.
type syslog struct {
	network, address string
	local            bool
	host             string
	pid              int
}

const (
	syslogTimeout  = 5 * time.Second
	refusalWait    = 100 * time.Millisecond // for ICMP to say that nobody listens
	syslogFacility = 3                      // daemon
	maxSyslog      = 2048                   // bytes that every receiver should take, RFC 5424 §6.1
)

func openSyslog(config Config) (channel, error) {
	s := &syslog{host: "-", pid: os.Getpid()}
	if name, err := os.Hostname(); err == nil {
		s.host = word(name, 255)
	}
	if config.Syslog == "local" {
		s.network, s.address, s.local = "unixgram", "/dev/log", true
		return s, nil
	}
	target, err := url.Parse(config.Syslog)
	if err != nil {
		return nil, err
	}
	s.network, s.address = target.Scheme, target.Host
	switch target.Scheme {
	case "unixgram":
		s.address = target.Path
		if s.address == "" || target.Host != "" {
			return nil, errors.New("a socket is written as unixgram:///path")
		}
		return s, nil
	case "udp", "tcp":
		if target.Hostname() == "" {
			return nil, fmt.Errorf("%q names no host", config.Syslog)
		}
		if target.Port() == "" {
			s.address = net.JoinHostPort(target.Hostname(), map[string]string{"udp": "514", "tcp": "601"}[target.Scheme])
		}
		return s, nil
	}
	return nil, fmt.Errorf("%q is not udp://, tcp://, unixgram:/// or local", config.Syslog)
}

func (s *syslog) tell(ctx context.Context, m *message) error {
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, s.network, s.address)
	if err != nil {
		return fmt.Errorf("reaching syslog: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	line := s.line(m)
	if s.network == "tcp" {
		line = strconv.Itoa(len(line)) + " " + line
	}
	if _, err := conn.Write([]byte(line)); err != nil {
		return fmt.Errorf("writing to syslog: %w", err)
	}
	if s.network != "udp" {
		return nil
	}
	conn.SetReadDeadline(time.Now().Add(refusalWait))
	if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("writing to syslog: %w", err)
	}
	return nil
}

// line is the message whole.
func (s *syslog) line(m *message) string {
	priority := syslogFacility*8 + severity(m.note)
	var b strings.Builder
	if s.local {
		fmt.Fprintf(&b, "<%d>%s assim-relay[%d]: ", priority, m.at.Local().Format(time.Stamp), s.pid)
	} else {
		fmt.Fprintf(&b, "<%d>1 %s %s assim-relay %d %s - ", priority, m.at.UTC().Format("2006-01-02T15:04:05.000Z07:00"), s.host, s.pid,
			word(strings.ReplaceAll(m.note.Kind, " ", "-"), 32))
	}
	fmt.Fprintf(&b, "%s (event=%s kind=%q count=%d confidence=%d key=%s)", m.note.Summary, m.note.Event, m.note.Kind, m.note.Count, m.note.Confidence, m.key)
	return cut(b.String(), maxSyslog)
}

// severity is RFC 5424's: 2 critical, 3 error, 4 warning, 5 notice, 6 informational.
func severity(n Notification) int {
	switch {
	case n.Event == Test:
		return 6
	case n.Event == Over || n.Kind == "shut down" || n.Kind == "clock stepped":
		return 5
	case n.Kind == "switch down" || n.Kind == "zone down" || n.Kind == "site cut off":
		return 2
	case n.Kind == "host down":
		return 3
	}
	return 4
}

// word makes a field of a syslog header: printable ASCII without spaces, not
// empty.
func word(text string, size int) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), size)]
}
