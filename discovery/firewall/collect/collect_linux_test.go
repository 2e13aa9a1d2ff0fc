package collect

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/firewall"
	"assimilation/discovery/internal/netlab"
	"assimilation/discovery/internal/netlink"
	"assimilation/discovery/internal/netlinktest"
	"assimilation/discovery/internal/rtnetlink"
)

var record = flag.Bool("record", false, "record what the kernel answers about rules, into testdata")

// rules are of every sort that the kernel of a small machine has.
const rules = `table inet filter {
	set ports { type inet_service; flags constant; elements = { 22, 443 } }
	set banned { type ipv4_addr; flags timeout; elements = { 192.0.2.9 timeout 1h } }
	chain input {
		type filter hook input priority -5; policy drop;
		iifname "lo" accept comment "ourselves"
		ct state established,related counter accept
		tcp dport @ports accept
		tcp dport { 80, 8080-8090 } accept
		ip saddr 10.0.0.0/8 tcp dport 5432 jump database
		ip saddr @banned drop
		counter reject with icmpx type admin-prohibited
	}
	chain database {
		counter
		counter
		return
	}
}
table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "eth0" masquerade
	}
}
`

// filter loads rules into a namespace of its own.
func filter(t *testing.T) *netlab.Net {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft(8)")
	}
	lab := netlab.New(t)
	var out []byte
	var err error
	lab.Do(func() {
		command := exec.Command("nft", "-f", "-")
		command.Stdin = strings.NewReader(rules)
		out, err = command.CombinedOutput()
	})
	if err != nil {
		t.Skipf("this kernel does not take the rules: %s", out)
	}
	return lab
}

func collect(t *testing.T, lab *netlab.Net, dial func() (rtnetlink.Conn, error)) []discovery.Fact {
	t.Helper()
	var facts []discovery.Fact
	var err error
	lab.Do(func() { facts, err = New(fstest.MapFS{}, dial).Collect(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("records only when told to")
	}
	var out bytes.Buffer
	collect(t, filter(t), func() (rtnetlink.Conn, error) {
		conn, err := Dial()
		return netlinktest.Record(conn, &out), err
	})
	if err := os.WriteFile("../testdata/rules.netlink", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replay(t testing.TB) func() (rtnetlink.Conn, error) {
	text, err := os.ReadFile("../testdata/rules.netlink")
	if err != nil {
		t.Fatal(err)
	}
	return func() (rtnetlink.Conn, error) { return netlinktest.Replay(string(text)) }
}

// refusing answers every request with an error.
type refusing struct{ err error }

func (r refusing) Execute(netlink.Message) ([]netlink.Message, error) { return nil, r.err }
func (r refusing) Close() error                                       { return nil }

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "rules", Collector: func(t *testing.T) discovery.Collector { return New(fstest.MapFS{}, replay(t)) }},
		discoverytest.Case{Name: "unprivileged", Degraded: discovery.NetAdmin, Collector: func(*testing.T) discovery.Collector {
			return New(fstest.MapFS{}, func() (rtnetlink.Conn, error) { return refusing{fmt.Errorf("netlink: %w", unix.EPERM)}, nil })
		}},
		discoverytest.Case{Name: "legacy", Collector: func(t *testing.T) discovery.Collector {
			return New(fstest.MapFS{"proc/modules": {Data: []byte("ip_tables 1 2\n")}, "proc/net/ip_tables_names": {Data: []byte("nat\nfilter\n")}}, func() (rtnetlink.Conn, error) {
				t.Error("to ask would load a module")
				return nil, fs.ErrInvalid
			})
		}},
		discoverytest.Case{Name: "none", Collector: func(*testing.T) discovery.Collector {
			return New(fstest.MapFS{}, func() (rtnetlink.Conn, error) { return refusing{unix.EINVAL}, nil })
		}},
	)
}

// TestAgainstNft holds tables, chains and the number of rules against nft(8).
func TestAgainstNft(t *testing.T) {
	lab := filter(t)
	var out []byte
	var err error
	lab.Do(func() { out, err = exec.Command("nft", "-j", "list", "ruleset").Output() })
	if err != nil {
		t.Fatal(err)
	}
	var listing struct {
		Nftables []map[string]struct {
			Family, Table, Name, Chain, Type, Hook, Policy string
			Prio                                           int64
		}
	}
	if err := json.Unmarshal(out, &listing); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	rules := map[string]int{}
	for _, object := range listing.Nftables {
		if c, is := object["chain"]; is {
			want = append(want, fmt.Sprintf("%s %s %s: %s %s %d %s", c.Family, c.Table, c.Name, c.Type, c.Hook, c.Prio, c.Policy))
		}
		if r, is := object["rule"]; is {
			rules[r.Table+" "+r.Chain]++
		}
	}
	slices.Sort(want)
	for _, f := range collect(t, lab, Dial) {
		var body kind.Facts
		if err := json.Unmarshal(f.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, c := range body.Chains {
			got = append(got, fmt.Sprintf("%s %s %s: %s %s %d %s", body.Family, body.Name, c.Name, c.Type, c.Hook, c.Priority, c.Policy))
			if n := rules[body.Name+" "+c.Name]; n != len(c.Rules) {
				t.Errorf("%s: %d rules, nft has %d", c.Name, len(c.Rules), n)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestWatch adds rules until it is told.
func TestWatch(t *testing.T) {
	lab := filter(t)
	events := make(chan struct{}, 1)
	ended := lab.Go(t, func() {
		_ = Local().Watch(t.Context(), func() {
			select {
			case events <- struct{}{}:
			default:
			}
		})
	})
	for i := 0; ; i++ {
		lab.Do(func() { _ = exec.Command("nft", "add", "chain", "inet", "filter", fmt.Sprint("c", i)).Run() })
		select {
		case <-events:
			return
		case <-ended:
			t.Fatal("the watch ended")
		default:
		}
	}
}

func FuzzMessages(f *testing.F) {
	conn, err := replay(f)()
	if err != nil {
		f.Fatal(err)
	}
	for _, request := range []netlink.Type{getTable, getChain, getRule, getSet} {
		messages, err := rtnetlink.Dump(conn, request, request-1, make([]byte, headerSize))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(messages[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(fstest.MapFS{}, func() (rtnetlink.Conn, error) { return answering(data), nil })
		facts, _ := c.Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

// answering gives the same data to every request.
type answering []byte

func (a answering) Execute(m netlink.Message) ([]netlink.Message, error) {
	return []netlink.Message{{Header: netlink.Header{Type: m.Header.Type - 1}, Data: a}}, nil
}
func (a answering) Close() error { return nil }

func BenchmarkCollect(b *testing.B) {
	c := New(fstest.MapFS{}, replay(b))
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
