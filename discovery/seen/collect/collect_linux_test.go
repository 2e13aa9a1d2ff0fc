package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/framestest"
	"assimilation/discovery/internal/netlab"
	"assimilation/discovery/internal/netlinktest"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/seen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	near   = 2 // link of the recorded laboratory: 10.1.0.1, fe80::ff:fe00:1, 02:00:00:00:00:01
	bridge = 3 // private
	a, b   = "02:00:00:00:01:0a", "02:00:00:00:01:0b"
)

func listening(t *testing.T, since time.Time) *Collector {
	t.Helper()
	record, err := os.ReadFile("../../network/testdata/lab.netlink")
	if err != nil {
		t.Fatal(err)
	}
	c := New(func() (rtnetlink.Conn, error) { return netlinktest.Replay(string(record)) })
	c.since = since
	return c
}

func (c *Collector) hear(link int, frame []byte) bool {
	said, ok := read(frame)
	return ok && c.note(link, said)
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "segment", Collector: func(t *testing.T) discovery.Collector {
			c := listening(t, time.Now().Add(-warmUp))
			for i := range 9 {
				c.hear(near, framestest.ARP(1, a, fmt.Sprintf("10.1.0.%d", 100+i), "10.1.0.1"))
			}
			c.hear(near, framestest.ND(b, "fe80::b", 134, make([]byte, 12)...))
			c.hear(near, framestest.ARP(1, "02:00:00:00:00:01", "10.1.0.1", "10.1.0.1"))
			c.hear(near, framestest.ARP(1, b, "10.1.0.9", "10.1.0.9")) // claims the host's own
			c.hear(near, framestest.ARP(1, "02:00:00:00:00:01", "10.1.0.77", "10.1.0.1"))
			c.hear(bridge, framestest.ARP(1, a, "172.17.0.2", "172.17.0.1"))
			c.hear(77, framestest.ARP(1, a, "10.7.0.2", "10.7.0.1"))
			return c
		}},
		discoverytest.Case{Name: "no-right", Degraded: discovery.NetRaw, Collector: func(t *testing.T) discovery.Collector {
			c := listening(t, time.Time{})
			c.failed = fmt.Errorf("listening: %w", unix.EPERM)
			return c
		}},
	)
}

func TestRead(t *testing.T) {
	source, target := framestest.LinkAddress(1, b), framestest.LinkAddress(2, b)
	solicitation := slices.Concat(make([]byte, 4), framestest.IP("fe80::99"))
	advertisement := func(flags byte) []byte { return slices.Concat([]byte{flags, 0, 0, 0}, framestest.IP("fd01::7")) }
	for name, c := range map[string]struct {
		frame []byte
		want  string
	}{
		"request":                     {framestest.ARP(1, a, "10.0.0.1", "10.0.0.2"), "10.0.0.1 " + a + " false false"},
		"reply":                       {framestest.ARP(2, a, "10.0.0.1", "10.0.0.2"), "10.0.0.1 " + a + " false false"},
		"announcement":                {framestest.ARP(1, a, "10.0.0.1", "10.0.0.1"), "10.0.0.1 " + a + " false false"},
		"probe":                       {framestest.ARP(1, a, "0.0.0.0", "10.0.0.1"), ""},
		"broadcast claims":            {framestest.ARP(1, a, "255.255.255.255", "10.0.0.1"), ""},
		"multicast claims":            {framestest.ARP(1, a, "224.0.0.1", "10.0.0.1"), ""},
		"loopback claims":             {framestest.ARP(1, a, "127.0.0.1", "10.0.0.1"), ""},
		"a group's hardware address":  {framestest.ARP(1, "01:00:5e:00:00:01", "10.0.0.1", "10.0.0.2"), ""},
		"no hardware address":         {framestest.ARP(1, "00:00:00:00:00:00", "10.0.0.1", "10.0.0.2"), ""},
		"ARP cut short":               {framestest.ARP(1, a, "10.0.0.1", "10.0.0.2")[:41], ""},
		"router solicitation":         {framestest.ND(a, "fe80::1", 133, append(make([]byte, 4), source...)...), "fe80::1 " + b + " false false"},
		"router advertisement":        {framestest.ND(a, "fe80::1", 134, append(make([]byte, 12), source...)...), "fe80::1 " + b + " true true"},
		"solicitation":                {framestest.ND(a, "fd01::1", 135, append(solicitation, source...)...), "fd01::1 " + b + " false false"},
		"solicitation without option": {framestest.ND(a, "fd01::1", 135, solicitation...), "fd01::1 " + a + " false false"},
		"is the address free?":        {framestest.ND(a, "::", 135, solicitation...), ""},
		"advertisement":               {framestest.ND(a, "fe80::1", 136, append(advertisement(0), target...)...), "fd01::7 " + b + " false true"},
		"advertisement of a router":   {framestest.ND(a, "fe80::1", 136, advertisement(0x80)...), "fd01::7 " + a + " true true"},
		"redirect":                    {framestest.ND(a, "fe80::1", 137, make([]byte, 36)...), "fe80::1 " + a + " true true"},
		"option without length":       {framestest.ND(a, "fe80::1", 133, append(make([]byte, 4), 1, 0, 1, 2, 3, 4, 5, 6)...), "fe80::1 " + a + " false false"},
		"message cut short":           {framestest.ND(a, "fe80::1", 136, 0, 0, 0, 0), ""},
		"no message":                  {framestest.ND(a, "fe80::1", 136)[:54], ""},
		"nothing":                     {nil, ""},
	} {
		got := ""
		if c, ok := read(c.frame); ok {
			got = fmt.Sprint(c.ip, " ", strings.ToLower(fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", c.mac[0], c.mac[1], c.mac[2], c.mac[3], c.mac[4], c.mac[5])), " ", c.router, " ", c.knows)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(framestest.ARP(1, a, "10.0.0.1", "10.0.0.2"))
	f.Add(framestest.ND(a, "fe80::1", 136, slices.Concat(make([]byte, 4), framestest.IP("fd01::7"), framestest.LinkAddress(2, b))...))
	f.Fuzz(func(t *testing.T, frame []byte) {
		c, ok := read(frame)
		if ok && (!c.ip.IsValid() || c.ip.IsMulticast() || c.ip.IsUnspecified() || c.ip.Zone() != "" || c.mac == [6]byte{}) {
			t.Errorf("%x is the sight %+v", frame, c)
		}
	})
}

func TestMemory(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	links := []rtnetlink.Link{{Index: near, Name: "eth0"}}
	m := newMemory(start)
	claims := func(mac byte, router bool) claim {
		return claim{ip: netip.MustParseAddr("10.0.0.1"), mac: [6]byte{2, 0, 0, 0, 0, mac}, router: router, knows: router}
	}
	if !m.note(near, claims(1, false), start) || m.note(near, claims(1, false), start.Add(time.Hour)) {
		t.Error("the first sight is a change, the second none")
	}
	at := start.Add(2 * time.Hour)
	if !m.note(near, claims(2, false), at) || m.note(near, claims(1, false), at.Add(time.Second)) || !m.note(near, claims(1, false), at.Add(settle)) {
		t.Error("another hardware address is a change, once a minute")
	}
	if !m.note(near, claims(1, true), at) || m.note(near, claims(1, false), at) {
		t.Error("a router is one until it says otherwise")
	}
	count := func(now time.Time) (n int) {
		for _, f := range m.current(links, nil, now) {
			n += len(f.Seen)
		}
		return n
	}
	if count(at.Add(kind.KeepAfterLastSight)) != 1 || count(at.Add(kind.KeepAfterLastSight+2*time.Second)) != 0 || len(m.heard) != 0 {
		t.Errorf("ageing: %v", m.heard)
	}
}

// A flood does not push out those that are there, and is told of.
func TestBounded(t *testing.T) {
	now := time.Now()
	c := listening(t, now.Add(-warmUp))
	for i := range maxSeen + 1000 {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		c.memory.note(near, claim{ip: ip, mac: [6]byte{2}}, now)
	}
	if len(c.memory.heard) != maxSeen {
		t.Errorf("%d are remembered", len(c.memory.heard))
	}
	facts, err := c.Collect(t.Context())
	if _, degraded := errors.AsType[*discovery.Degraded](err); !degraded || len(facts) != kind.Instances {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	if _, err := c.Collect(t.Context()); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}

func TestFirstFactsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Local()
		if _, err := c.Collect(t.Context()); !errors.Is(err, discovery.ErrNotYet) {
			t.Errorf("nobody listens: %v", err)
		}
		c = listening(t, time.Now())
		c.hear(near, framestest.ARP(1, a, "10.1.0.100", "10.1.0.1"))
		if facts, err := c.Collect(t.Context()); !errors.Is(err, discovery.ErrNotYet) || facts != nil {
			t.Errorf("listening has begun: %v, %v", facts, err)
		}
		time.Sleep(warmUp)
		if facts, err := c.Collect(t.Context()); err != nil || len(facts) != 1 {
			t.Errorf("all had their time: %v, %v", facts, err)
		}
	})
}

// TestWatch hears two namespaces that talk over a real link.
func TestWatch(t *testing.T) {
	host, far := netlab.New(t), netlab.New(t)
	host.IP(t, "link add near type veth peer name far address "+a+" netns "+far.PID(), "link set near up", "addr add 10.1.0.1/24 dev near", "addr add fd01::1/64 dev near nodad")
	far.IP(t, "link set far up", "addr add 10.1.0.2/24 dev far", "addr add fd01::2/64 dev far nodad")
	c := Local()
	ctx, cancel := context.WithCancel(context.Background())
	changed := make(chan struct{}, 100)
	var failed error
	ended := host.Go(t, func() { failed = c.Watch(ctx, func() { changed <- struct{}{} }) })
	for heard := false; !heard; {
		framestest.Send(t, far, "far", framestest.ARP(1, a, "10.1.0.2", "10.1.0.9"))
		framestest.Send(t, far, "far", framestest.ND(a, "fd01::2", 135, slices.Concat(make([]byte, 4), framestest.IP("fd01::9"), framestest.LinkAddress(1, a))...))
		select {
		case <-changed:
			heard = true
		case <-ended:
			t.Fatalf("watch ended: %v", failed)
		case <-time.After(3 * quiet):
		}
	}
	c.mu.Lock()
	c.since = time.Now().Add(-warmUp)
	c.mu.Unlock()
	var facts []discovery.Fact
	var err error
	host.Do(func() { facts, err = c.Collect(context.Background()) })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range facts {
		var body kind.Facts
		if err := json.Unmarshal(f.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, s := range body.Seen {
			if kind.Instance(s.IP) != f.Instance {
				t.Errorf("%s stands in instance %s", s.IP, f.Instance)
			}
			got = append(got, s.Interface+" "+s.IP+" "+s.MAC)
		}
	}
	for _, want := range []string{"near 10.1.0.2 " + a, "near fd01::2 " + a} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	cancel()
	<-ended
	if failed != nil {
		t.Error(failed)
	}
}
