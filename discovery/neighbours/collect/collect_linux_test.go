package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/netlab"
	"assimilation/discovery/internal/netlinktest"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/neighbours"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var record = flag.Bool("record", false, "record the laboratory's netlink answers anew")

const labRecord = "../testdata/lab.netlink"

// newLab is a namespace with two neighbours on a link, one behind a private
// bridge, and entries that are no neighbours.
func newLab(t *testing.T) *netlab.Net {
	lab, far := netlab.New(t), netlab.New(t)
	lab.IP(t,
		"link add near address 02:00:00:00:00:01 type veth peer name far netns "+far.PID(),
		"link set near up", "addr add 10.1.0.1/24 dev near", "addr add fd01::1/64 dev near nodad",
		"link add br0 address 02:00:00:00:00:02 type bridge", "tuntap add tap0 mode tap", "link set tap0 master br0",
		"link set br0 up", "addr add 172.17.0.1/16 dev br0",
		"neigh add 10.1.0.2 lladdr 02:00:00:00:00:12 dev near nud reachable",
		"neigh add 10.1.0.3 lladdr 02:00:00:00:00:13 dev near nud permanent",
		"neigh add 10.1.0.4 lladdr 02:00:00:00:00:14 dev near nud noarp",
		"neigh add 10.1.0.5 dev near nud failed",
		"neigh add proxy 10.1.0.6 dev near",
		"neigh add fd01::2 lladdr 02:00:00:00:00:12 dev near nud stale router",
		"neigh add 172.17.0.2 lladdr 02:00:00:00:00:17 dev br0 nud stale",
	)
	return lab
}

func TestSuite(t *testing.T) {
	if *record {
		recordLab(t)
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "lab", Collector: func(t *testing.T) discovery.Collector { return replay(t, time.Now) }},
	)
}

func replay(t *testing.T, now func() time.Time) *Collector {
	t.Helper()
	answers, err := os.ReadFile(labRecord)
	if err != nil {
		t.Fatal(err)
	}
	return New(func() (rtnetlink.Conn, error) { return netlinktest.Replay(string(answers)) }, now)
}

func recordLab(t *testing.T) {
	var answers bytes.Buffer
	var err error
	newLab(t).Do(func() {
		_, err = New(func() (rtnetlink.Conn, error) {
			conn, err := rtnetlink.Dial()
			if err != nil {
				return nil, err
			}
			return netlinktest.Record(conn, &answers), nil
		}, time.Now).Collect(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(labRecord, answers.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAgainstIP holds the fact against ip(8), whose states it must judge.
func TestAgainstIP(t *testing.T) {
	lab := newLab(t)
	var facts []discovery.Fact
	var err error
	lab.Do(func() { facts, err = Local().Collect(context.Background()) })
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, n := range decode(t, facts).Neighbours {
		got = append(got, fmt.Sprintln(n.Device, n.IP, n.MAC, n.Router))
	}
	var entries []struct {
		Device string          `json:"dev"`
		IP     string          `json:"dst"`
		MAC    string          `json:"lladdr"`
		Router json.RawMessage `json:"router"`
		State  []string        `json:"state"`
	}
	if err := json.Unmarshal(lab.Run(t, "ip -j neigh"), &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if slices.ContainsFunc(e.State, func(s string) bool {
			return slices.Contains([]string{"REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"}, s)
		}) {
			want = append(want, fmt.Sprintln(e.Device, e.IP, e.MAC, e.Router != nil))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) != 4 || !slices.Equal(got, want) {
		t.Errorf("ip says\n%s\nthe fact says\n%s", strings.Join(want, ""), strings.Join(got, ""))
	}
}

func decode(t *testing.T, facts []discovery.Fact) kind.Facts {
	t.Helper()
	var body kind.Facts
	if len(facts) != 1 || json.Unmarshal(facts[0].Body, &body) != nil {
		t.Fatalf("facts are %v", facts)
	}
	return body
}

func TestMemory(t *testing.T) {
	links := []rtnetlink.Link{{Index: 2, Name: "eth0"}, {Index: 1, Name: "lo", Flags: unix.IFF_LOOPBACK}}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := func(ip string, state uint16, change func(*rtnetlink.Neighbour)) rtnetlink.Neighbour {
		n := rtnetlink.Neighbour{Family: unix.AF_INET, Link: 2, State: state, IP: netip.MustParseAddr(ip), MAC: mac, Type: unix.RTN_UNICAST}
		if change != nil {
			change(&n)
		}
		return n
	}
	m := memory{seen: map[place]sight{}}
	for name, n := range map[string]rtnetlink.Neighbour{
		"failed":      seen("10.0.0.9", unix.NUD_FAILED, nil),
		"incomplete":  seen("10.0.0.9", unix.NUD_INCOMPLETE, nil),
		"noarp":       seen("10.0.0.9", unix.NUD_NOARP, nil),
		"multicast":   seen("224.0.0.251", unix.NUD_STALE, nil),
		"broadcast":   seen("10.0.0.255", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.Type = unix.RTN_BROADCAST }),
		"loopback":    seen("127.0.0.1", unix.NUD_STALE, nil),
		"proxy":       seen("10.0.0.9", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.Flags = unix.NTF_PROXY }),
		"without MAC": seen("10.0.0.9", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.MAC = nil }),
		"zero MAC":    seen("10.0.0.9", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.MAC = make(net.HardwareAddr, 6) }),
		"no address":  {Link: 2, State: unix.NUD_STALE, MAC: mac},
	} {
		if m.note(n, start) {
			t.Errorf("%s is taken as a sight", name)
		}
	}
	if !m.note(seen("10.0.0.1", unix.NUD_REACHABLE, nil), start) || m.note(seen("10.0.0.1", unix.NUD_STALE, nil), start) {
		t.Error("the first sight is a change, the second none")
	}
	if !m.note(seen("10.0.0.1", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.MAC = net.HardwareAddr{2, 0, 0, 0, 0, 9} }), start) {
		t.Error("another MAC is a change")
	}
	m.note(seen("10.0.0.2", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.Link = 7 }), start)
	m.note(seen("10.0.0.3", unix.NUD_STALE, func(n *rtnetlink.Neighbour) { n.Link = 1 }), start)
	for after, want := range map[time.Duration]int{0: 1, kind.KeepAfterLastSight: 1} {
		if got := m.current(links, start.Add(after)); len(got) != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
	m.note(seen("10.0.0.1", unix.NUD_STALE, nil), start.Add(time.Hour))
	if got := m.current(links, start.Add(kind.KeepAfterLastSight+time.Minute)); len(got) != 1 {
		t.Errorf("seen again an hour later: %v", got)
	}
	if got := m.current(links, start.Add(kind.KeepAfterLastSight+2*time.Hour)); len(got) != 0 || len(m.seen) != 0 {
		t.Errorf("too old: %v, memory %v", got, m.seen)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := memory{seen: map[place]sight{}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	const all = 2 * maxNeighbours
	for i := range all {
		m.note(rtnetlink.Neighbour{Link: 2, State: unix.NUD_STALE, IP: ip(i), MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}, start.Add(time.Duration(i)))
		if len(m.seen) > maxNeighbours {
			t.Fatalf("%d entries", len(m.seen))
		}
	}
	if _, newest := m.seen[place{2, ip(all - 1)}]; !newest || !m.evicted {
		t.Errorf("newest kept %v, eviction noted %v", newest, m.evicted)
	}
	if _, oldest := m.seen[place{2, ip(0)}]; oldest {
		t.Error("the oldest is still there")
	}
}

func TestWatch(t *testing.T) {
	lab := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan struct{}, 100)
	c := Local()
	var err error
	ended := lab.Go(t, func() { err = c.Watch(ctx, func() { changed <- struct{}{} }) })
	last := 100
	for armed := false; !armed; last++ {
		lab.IP(t, fmt.Sprintf("neigh add 10.1.0.%d lladdr 02:00:00:00:00:aa dev near nud stale", last))
		select {
		case <-changed:
			armed = true
		case <-ended:
			t.Fatalf("watch ended: %v", err)
		case <-time.After(3 * quiet):
		}
	}
	// Gone before the next dump, but it was seen.
	seen := fmt.Sprintf("10.1.0.%d", last-1)
	lab.IP(t, "neigh del "+seen+" dev near")
	var facts []discovery.Fact
	lab.Do(func() { facts, err = c.Collect(context.Background()) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(decode(t, facts).Neighbours, func(n kind.Neighbour) bool { return n.IP == seen }) {
		t.Errorf("%s, which came and went between two dumps, is not in %s", seen, facts[0].Body)
	}
	cancel()
	<-ended
	if err != nil {
		t.Error(err)
	}
}
