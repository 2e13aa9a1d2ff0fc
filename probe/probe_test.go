package probe_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assimilation/discovery"
	"assimilation/probe"
	"assimilation/probe/internal/status"
	"assimilation/tenancy"
	"assimilation/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// still is a collector of one fact.
type still struct{}

func (still) Kind() discovery.Kind {
	return discovery.Kind{Name: "still", Version: 1, Interval: time.Hour, Timeout: time.Minute}
}

func (s still) Collect(context.Context) ([]discovery.Fact, error) {
	f, err := discovery.NewFact(s.Kind(), "", map[string]string{"a": "b"})
	return []discovery.Fact{f}, err
}

func config(t *testing.T) probe.Config {
	return probe.Config{
		State:      filepath.Join(t.TempDir(), "s"),
		Relays:     []string{"127.0.0.1:9"}, // nobody
		Listen:     "127.0.0.1:0",
		Version:    "test",
		Collectors: []discovery.Collector{still{}},
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// The whole probe, without a relay: it discovers, answers questions, and stops.
func TestRunWithoutARelay(t *testing.T) {
	c := config(t)
	p, err := probe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := probe.New(c); !errors.Is(err, probe.ErrLocked) {
		t.Errorf("second probe on one state: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := status.Ask(c.State)
		if err == nil && r.FactsHeld == 1 {
			if r.Settled || r.Host != "" || r.Version != "test" || r.RSSBytes <= 0 {
				t.Errorf("report %+v", r)
			}
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no status with a fact: %+v, %v", r, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := status.Ask(c.State); !errors.Is(err, status.ErrNotRunning) {
		t.Errorf("asking a stopped probe: %v", err)
	}
	again, err := probe.New(c)
	if err != nil {
		t.Fatalf("starting again: %v", err)
	}
	if again.Fingerprint() != p.Fingerprint() {
		t.Error("another key after a restart")
	}
	again.Close()
}

func TestEnrolSaysWhyNot(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := tenancy.NewToken(tenancy.EnrolToken, [32]byte(public), "127.0.0.1:9").String()
	for _, c := range []struct {
		name, token string
		want        wire.Reason
	}{
		{"damaged", good[:len(good)-1] + "!", wire.Malformed},
		{"of a relay", tenancy.NewToken(tenancy.RelayToken, [32]byte{1}, "https://example.org").String(), wire.WrongKind},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config(t)
			conf.Token = c.token
			_, err := probe.Enrol(t.Context(), conf)
			if refused, ok := errors.AsType[*probe.Refused](err); !ok || refused.Reason != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	t.Run("nobody answers", func(t *testing.T) {
		conf := config(t)
		conf.Token = good
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := probe.Enrol(ctx, conf); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
	})
}
