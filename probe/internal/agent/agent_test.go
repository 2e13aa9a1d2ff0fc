package agent_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/agent"
	"assimilation/probe/internal/ledger"
	"assimilation/probe/internal/state"
	"assimilation/tenancy"
	"assimilation/wire"
	"assimilation/wire/handshake"

	cryptorand "crypto/rand"
)

const relayAddress = "10.0.0.1:1984"

var kindA = discovery.Kind{Name: "a", Version: 1, Interval: time.Minute, Timeout: time.Second}

func factOf(t *testing.T, instance, text string) discovery.Fact {
	t.Helper()
	f, err := discovery.NewFact(kindA, instance, map[string]string{"text": text})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// memory is a state directory without a disk.
type memory struct {
	pin     *state.Pin
	saves   int
	revoked *wire.Revocation
	keys    *wire.KeyStatement
}

func (m *memory) Pin() *state.Pin { return m.pin }
func (m *memory) SavePin(p state.Pin) error {
	m.pin, m.saves = &p, m.saves+1
	return nil
}
func (m *memory) SiteKeys() *wire.KeyStatement { return m.keys }
func (m *memory) SaveSiteKeys(s wire.KeyStatement) error {
	m.keys, m.saves = &s, m.saves+1
	return nil
}
func (m *memory) Revocation() *wire.Revocation { return m.revoked }
func (m *memory) SaveRevocation(r wire.Revocation) error {
	m.revoked, m.saves = &r, m.saves+1
	return nil
}

// host is one probe under test.
type host struct {
	home   *memory
	ledger *ledger.Ledger
	agent  *agent.Agent
	log    *journal
	key    handshake.Keypair
	stop   func() error
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

// boot starts a probe on the network. Tune may change its configuration.
func boot(t *testing.T, n *network, token *tenancy.Token, tune func(*agent.Config)) *host {
	t.Helper()
	key, err := handshake.NewKeypair(cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{home: &memory{}, ledger: ledger.New(), log: &journal{}, key: key}
	c := agent.Config{
		Key: key, Home: h.home, Credential: agent.Credential{Token: token},
		Hello:  wire.Hello{AgentVersion: "test", HostName: "unit", OS: "linux", Arch: "amd64", Boot: 1},
		Ledger: h.ledger, Allow: func([]string) {}, Quiet: func() {}, Random: rand.Float64,
		Cause: func() string { return "signal" },
		Resolve: func(_ context.Context, hostPort string) ([]netip.AddrPort, error) {
			a, err := netip.ParseAddrPort(hostPort)
			return []netip.AddrPort{a}, err
		},
		Open: func(anyPort bool) (agent.Socket, error) {
			address := "10.0.0.9:1984"
			if anyPort {
				address = "10.0.0.9:40000"
			}
			return n.open(address), nil
		},
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if tune != nil {
		tune(&c)
	}
	h.start(c)
	return h
}

func (h *host) start(c agent.Config) {
	h.agent = agent.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.agent.Run(ctx) }()
	h.stop = func() error { cancel(); return <-done }
}

func (h *host) record(facts ...discovery.Fact) { h.ledger.Record(kindA, facts, nil, time.Now()) }

func TestEnrolReportChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		h.record(factOf(t, "", "one"), factOf(t, "x", "two"))
		site.until(t, "both facts", 5*time.Second, func() bool { return len(site.facts) == 2 })
		synctest.Wait()
		site.look(func() {
			if h.home.pin == nil || h.home.pin.Host.IsZero() || site.uses != 1 {
				t.Fatalf("pin %v after %d uses", h.home.pin, site.uses)
			}
		})
		h.record(factOf(t, "", "changed"))
		site.until(t, "change and end", time.Second, func() bool {
			return len(site.facts) == 1 && site.bodies[ledger.Key{Kind: "a"}] == `{"text":"changed"}`
		})
		before := n.sent("10.0.0.9:1984")
		h.record(factOf(t, "", "changed")) // the same content: nothing to say
		time.Sleep(20 * time.Second)
		if sent := n.sent("10.0.0.9:1984") - before; sent > 1 {
			t.Errorf("%d datagrams at rest within 20 s", sent)
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		site.look(func() {
			if site.goodbyes != 1 {
				t.Errorf("%d goodbyes", site.goodbyes)
			}
		})
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "fact", 5*time.Second, func() bool { return len(site.facts) == 1 })
		n.open("10.0.0.66:5").Send(netip.MustParseAddrPort("10.0.0.9:1984"), []byte{99, 1, 2})
		time.Sleep(time.Second)
		s, err := h.agent.Status(t.Context())
		if err != nil || !s.Settled || s.Relay != relayAddress || s.FactsHeld != 1 || s.FactsSent != 1 || s.Pending != 0 || s.Host != h.home.pin.Host.String() {
			t.Errorf("status %+v, %v", s, err)
		}
		if s.Dropped["unsupported"] != 1 {
			t.Errorf("dropped %v", s.Dropped)
		}
	})
}

func TestLossyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		random := rand.New(rand.NewPCG(1, 2))
		n.setLoss(func(_, _ netip.AddrPort, _ []byte) bool { return random.Float64() < 0.3 })
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		var facts []discovery.Fact
		for _, name := range strings.Fields("a b c d e f g h i j k l") {
			facts = append(facts, factOf(t, name, strings.Repeat(name, 20_000)))
		}
		h.record(facts...)
		site.until(t, "all facts over a net that loses 30 %", 2*time.Minute, func() bool { return len(site.facts) == len(facts) })
		site.look(func() {
			if site.uses != 1 {
				t.Errorf("%d uses of the token", site.uses)
			}
		})
	})
}

func TestLargestFact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		random := make([]byte, discovery.MaxBody/2-100) // as hex it will not get much smaller
		cryptorand.Read(random)
		h.record(factOf(t, "", hex.EncodeToString(random)))
		site.until(t, "8 MiB", time.Minute, func() bool { return len(site.bodies[ledger.Key{Kind: "a"}]) > discovery.MaxBody-1000 })
	})
}

// The relay hears the enrolment, and the probe hears nothing of it.
func TestEnrolmentAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		relay := netip.MustParseAddrPort(relayAddress)
		n.setLoss(func(from, _ netip.AddrPort, d []byte) bool {
			return from == relay && d[0] == byte(wire.PacketTransport)
		})
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		site.until(t, "second session", time.Minute, func() bool { return site.sessions == 2 })
		n.setLoss(nil)
		site.until(t, "hello", time.Minute, func() bool { return site.count("hello") > 0 })
		site.look(func() {
			if site.uses != 1 || site.count("enrol") < 2 {
				t.Errorf("%d uses by %d enrolments", site.uses, site.count("enrol"))
			}
		})
	})
}

func TestRelayRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		stop := site.start(t, n, relayAddress)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"), factOf(t, "x", "two"))
		site.until(t, "facts", 5*time.Second, func() bool { return len(site.facts) == 2 })
		stop()
		defer site.start(t, n, relayAddress)()
		site.until(t, "digests in a new session, by echo alone", 50*time.Second, func() bool { return site.count("digests") == 2 })
		time.Sleep(10 * time.Second)
		site.look(func() {
			if puts := site.count("put a/") + site.count("put a/x"); puts != 2 {
				t.Errorf("%d bodies sent, want each once: %v", puts, site.log)
			}
			if site.count("enrol") != 1 {
				t.Errorf("%d enrolments", site.count("enrol"))
			}
		})
	})
}

// A change while the relay is gone is noticed sooner than by the echo.
func TestUploadWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		stop := site.start(t, n, relayAddress)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "fact", 5*time.Second, func() bool { return len(site.facts) == 1 })
		stop()
		h.record(factOf(t, "", "two"))
		h.record(factOf(t, "", "three"))
		defer site.start(t, n, relayAddress)()
		site.until(t, "newest state only", 15*time.Second, func() bool { return site.bodies[ledger.Key{Kind: "a"}] == `{"text":"three"}` })
	})
}

func TestRelayLostItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		stop := site.start(t, n, relayAddress)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "fact", 5*time.Second, func() bool { return len(site.facts) == 1 })
		stop()
		clear(site.hosts)
		clear(site.facts)
		defer site.start(t, n, relayAddress)()
		site.until(t, "enrolled again and told", time.Minute, func() bool { return len(site.hosts) == 1 && len(site.facts) == 1 })
	})
}

func TestProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.problem[ledger.Key{Kind: "a"}] = wire.Problem{Kind: "a", Detail: "left by an earlier life"}
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "old problem withdrawn", 5*time.Second, func() bool { return len(site.facts) == 1 && len(site.problem) == 0 })
		big := &discovery.Invalid{Kind: "a", Instance: "big", Why: "body of 9000000 bytes exceeds 8388608", TooLarge: true}
		lacks := &discovery.Degraded{Needs: discovery.SysPtrace, What: "processes of others"}
		h.ledger.Record(kindA, []discovery.Fact{factOf(t, "", "one")}, errors.Join(big, lacks), time.Now())
		site.until(t, "both problems", time.Second, func() bool {
			return site.problem[ledger.Key{Kind: "a", Instance: "big"}].Reason == wire.TooLarge &&
				site.problem[ledger.Key{Kind: "a"}].Reason == wire.MissingRight
		})
		h.record(factOf(t, "", "one"))
		site.until(t, "both withdrawn", time.Second, func() bool { return len(site.problem) == 0 })
		site.look(func() {
			if len(site.facts) != 1 || site.count("put a/") != 1 {
				t.Errorf("the fact itself did not change: %v", site.log)
			}
		})
	})
}

// A relay on the same host may be waiting for the port.
func TestYieldsPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		s, err := h.agent.Status(t.Context())
		if err != nil || s.Port == wire.Port {
			t.Errorf("port %d, %v", s.Port, err)
		}
		defer site.start(t, n, relayAddress)()
		site.until(t, "enrolled", 2*time.Minute, func() bool { return site.uses == 1 })
	})
}

// A session is renewed by age without a gap and without sending facts again.
func TestRekey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "next session", wire.RekeyAfterTime+time.Minute, func() bool { return site.sessions == 2 })
		site.until(t, "digests", 5*time.Second, func() bool { return site.count("digests") == 2 })
		site.look(func() {
			if len(site.announces) != 1 || site.count("put a/") != 1 {
				t.Errorf("%d announces, %v", len(site.announces), site.log)
			}
		})
	})
}
