package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func note() Notification {
	return Notification{
		ID: "0190b2c4", Event: Opened, Kind: "host down", Hosts: []string{"web-1", "web-2"}, Domain: "sw-a", Zone: "rack 4",
		Since: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), At: time.Date(2026, 3, 1, 12, 0, 3, 500e6, time.UTC),
		Confidence: 90, Summary: "web-1 and web-2 are down",
	}
}

func open(t *testing.T, config Config) *Notifier {
	t.Helper()
	config.Relay = "relay-1"
	n, err := New(config, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range n.couriers {
		c.firstPause = time.Millisecond
	}
	return n
}

// run runs a notifier until the test ends.
func run(t *testing.T, n *Notifier) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func TestConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		config Config
		want   string // of the error
	}{
		"nothing":             {Config{}, ""},
		"all":                 {Config{Exec: "/bin/true", Webhook: "https://h/x", Syslog: "local", SMTP: "smtp://h?from=a@b&to=c@d,e@f"}, ""},
		"relative path":       {Config{Exec: "true"}, "absolute"},
		"no such program":     {Config{Exec: "/nowhere"}, "no such file"},
		"a folder":            {Config{Exec: "/tmp"}, "not a program"},
		"no URL":              {Config{Webhook: "ftp://hunter2@h"}, "http://"},
		"short secret":        {Config{Webhook: "http://h", WebhookSecret: "hunter2"}, "fewer than 24"},
		"secret not base64":   {Config{Webhook: "http://h", WebhookSecret: "whsec_hunter2!"}, "base64"},
		"syslog over what":    {Config{Syslog: "http://h"}, "unixgram:///"},
		"syslog at no host":   {Config{Syslog: "udp://:514"}, "no host"},
		"socket not absolute": {Config{Syslog: "unixgram://dev/log"}, "unixgram:///path"},
		"mail from nobody":    {Config{SMTP: "smtp://u:hunter2@h?to=c@d"}, "from"},
		"mail to nobody":      {Config{SMTP: "smtp://u:hunter2@h?from=c@d"}, "to"},
		"two are wrong":       {Config{SMTP: "x", Exec: "y"}, "smtp"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.config, slog.New(slog.DiscardHandler))
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("said %v, want %q in it", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is repeated: %v", err)
			}
		})
	}
}

func TestDocument(t *testing.T) {
	n := &Notifier{relay: "relay-1"}
	m := n.message(note())
	var d map[string]any
	if err := json.Unmarshal(m.body, &d); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"key": m.key, "id": "0190b2c4", "event": "opened", "kind": "host down", "count": 2.0, "domain": "sw-a", "zone": "rack 4",
		"since": "2026-03-01T12:00:00Z", "at": "2026-03-01T12:00:03.5Z", "over": nil, "confidence": 90.0, "relay": "relay-1",
		"summary": "web-1 and web-2 are down",
	} {
		if d[key] != want {
			t.Errorf("%s is %v, want %v", key, d[key], want)
		}
	}
	if again := n.message(note()); again.key != m.key {
		t.Errorf("the same notification has the keys %s and %s", m.key, again.key)
	}
	other := note()
	other.Hosts = append(other.Hosts, "web-3")
	if n.message(other).key == m.key {
		t.Error("one that grew has the same key")
	}
}

// scripted is a channel whose attempts end as told.
type scripted struct {
	mu       sync.Mutex
	outcomes []error
	heard    []string
	block    chan struct{} // nil: does not
}

func (s *scripted) tell(ctx context.Context, m *message) error {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.outcomes) > 0 {
		err := s.outcomes[0]
		s.outcomes = s.outcomes[1:]
		if err != nil {
			return err
		}
	}
	s.heard = append(s.heard, m.note.ID)
	return nil
}

func couriers(channels ...channel) *Notifier {
	n := &Notifier{relay: "relay-1", log: slog.New(slog.DiscardHandler)}
	for i, c := range channels {
		n.couriers = append(n.couriers, newCourier(fmt.Sprint("channel ", i), c, n.log))
	}
	return n
}

func numbered(i int) Notification {
	n := note()
	n.ID = fmt.Sprint(i)
	return n
}

func TestCouriers(t *testing.T) {
	broken := errors.New("broken")
	t.Run("in order, again until told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &scripted{outcomes: []error{broken, broken, nil, nil, broken}}
			n := couriers(c)
			for i := range 4 {
				n.Tell(numbered(i))
			}
			run(t, n)
			time.Sleep(10 * time.Second) // of the bubble's clock
			synctest.Wait()
			if got := strings.Join(c.heard, " "); got != "0 1 2 3" {
				t.Errorf("heard %s", got)
			}
			if count := n.Counts()[0]; count.Told != 4 || count.Failed != 3 || count.Lost != 0 || count.Waiting != 0 {
				t.Errorf("counted %+v", count)
			}
		})
	})
	t.Run("refused for good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &scripted{outcomes: []error{final{broken}}}
			n := couriers(c)
			n.Tell(numbered(0))
			n.Tell(numbered(1))
			run(t, n)
			synctest.Wait() // no time passes
			if count := n.Counts()[0]; count.Told != 1 || count.Lost != 1 {
				t.Errorf("counted %+v", count)
			}
		})
	})
	t.Run("given up after an hour", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := &scripted{outcomes: make([]error, 100)}
			for i := range c.outcomes {
				c.outcomes[i] = broken
			}
			n := couriers(c)
			n.Tell(numbered(0))
			run(t, n)
			time.Sleep(patience)
			synctest.Wait()
			count := n.Counts()[0]
			t.Logf("%d attempts in an hour", count.Failed)
			if count.Lost != 1 || count.Failed < 60 || count.Failed > 70 {
				t.Errorf("counted %+v", count)
			}
		})
	})
	t.Run("one that hangs delays no other, and its oldest are dropped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hangs, works := &scripted{block: make(chan struct{})}, &scripted{}
			n := couriers(hangs, works)
			run(t, n)
			const all = queueSize + 45
			for i := range all {
				n.Tell(numbered(i))
				synctest.Wait()
			}
			counts := n.Counts()
			if counts[1].Told != all || counts[0].Waiting != queueSize || counts[0].Lost != all-1-queueSize {
				t.Errorf("counted %+v", counts)
			}
			close(hangs.block)
			synctest.Wait()
			if last := hangs.heard[len(hangs.heard)-1]; last != fmt.Sprint(all-1) || len(hangs.heard) != queueSize+1 {
				t.Errorf("heard %d, the last of them %s", len(hangs.heard), last)
			}
		})
	})
}

// FuzzMessage: whatever hosts call themselves, a message is bounded and its
// texts are single lines.
func FuzzMessage(f *testing.F) {
	f.Add("web\r\nBcc: all@example.org", "\x00\xff", 3)
	f.Add(strings.Repeat("ä", 5000), "\u2028", 10000)
	f.Fuzz(func(t *testing.T, name, domain string, hosts int) {
		n := &Notifier{relay: name}
		noted := note()
		noted.Hosts, noted.Domain, noted.Summary, noted.Kind = nil, domain, name+domain, name
		for range min(max(hosts, 0), 1000) {
			noted.Hosts = append(noted.Hosts, name)
		}
		m := n.message(noted)
		if len(m.note.Hosts) > maxHosts || m.note.Count != len(noted.Hosts) || !json.Valid(m.body) {
			t.Fatalf("%d hosts of %d, JSON %v", len(m.note.Hosts), m.note.Count, json.Valid(m.body))
		}
		line := (&syslog{host: "h"}).line(m)
		if len(line) > maxSyslog || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line of %d bytes: %q", len(line), line)
		}
		for _, variable := range environment(m) {
			if len(variable) > 100_000 || strings.ContainsAny(variable, "\r\n\x00") {
				t.Fatalf("variable of %d bytes: %.80q", len(variable), variable)
			}
		}
		head, _, _ := bytes.Cut((&mailer{from: "a@b", to: []string{"c@d"}}).letter(m), []byte("\r\n\r\n"))
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if bytes.ContainsAny(line, "\r\x00") || bytes.HasPrefix(bytes.ToLower(line), []byte("bcc")) {
				t.Fatalf("header %q", line)
			}
		}
	})
}
