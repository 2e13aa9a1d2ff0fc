// Package load powers on many simulated probes against the real relay and the
// real service: without faults, over a bad network, beside an attacker. The
// default is small; `make loadtest` runs it with 2,000.
package load_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
	"assimilation/loadtest"
	"assimilation/tenancy"
)

var (
	probes = flag.Int("probes", 50, "how many probes are powered on at once")
	forged = flag.Int("forge", 2000, "forged handshakes per second in the attacked run")
	flood  = flag.Int("flood", 5000, "first messages of strangers per second, from 60000 addresses")
	graph  = flag.Bool("graph", true, "wait until the service has everything in the graph")
	within = flag.Duration("within", 2*time.Minute, "for each run")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}

// printed shows the figures while they come.
type printed struct{ t *testing.T }

func (p printed) Write(b []byte) (int, error) {
	p.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

func TestPowerOn(t *testing.T) {
	w := world.New(t, world.Options{})
	hosts := 0
	run := func(t *testing.T, name string, c loadtest.Config) loadtest.Result {
		http := world.FreeTCP(t)
		relay, address := w.Relay(world.Node{Name: name, HTTP: http})
		defer relay.Stop()
		_, text := w.Token("probe")
		var err error
		if c.Token, err = tenancy.ParseToken(text); err != nil {
			t.Fatal(err)
		}
		c.Relay, c.HTTP, c.Probes, c.Sockets, c.Seed, c.Within, c.Out = netip.MustParseAddrPort(address), http, *probes, 8, 1, *within, printed{t}
		c.Service = *graph
		result, err := loadtest.Run(context.Background(), c)
		result.Print(printed{t}, c)
		if err != nil {
			t.Fatal(err)
		}
		if hosts += *probes; !*graph {
			return result
		}
		world.Eventually(t, *within, "all hosts at the service", func() (bool, string) {
			got := len(w.Rows("host", "list", "--limit", "0"))
			return got == hosts, fmt.Sprintf("%d of %d", got, hosts)
		})
		return result
	}
	var clean loadtest.Result
	t.Run("clean", func(t *testing.T) { clean = run(t, "clean", loadtest.Config{}) })
	t.Run("bad network", func(t *testing.T) {
		run(t, "bad", loadtest.Config{Faults: loadtest.Faults{Loss: 5, Duplicate: 5, Reorder: 5}})
	})
	t.Run("beside forged handshakes", func(t *testing.T) {
		result := run(t, "forged", loadtest.Config{Attack: loadtest.Attack{Rate: *forged, Sources: 1000}})
		t.Logf("%.2f times as long as without them", result.Durable.Seconds()/clean.Durable.Seconds())
	})
	t.Run("flood", func(t *testing.T) {
		http := world.FreeTCP(t)
		_, address := w.Relay(world.Node{Name: "flooded", HTTP: http})
		c := loadtest.Config{
			Relay: netip.MustParseAddrPort(address), HTTP: http, Out: printed{t},
			Attack: loadtest.Attack{Rate: *flood, Sources: 60_000, Genuine: true},
		}
		if err := loadtest.Flood(context.Background(), c, 5*time.Second); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}
