package collect

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/netlinktest"
	"assimilation/discovery/internal/rtnetlink"
	kind "assimilation/discovery/network"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var record = flag.Bool("record", false, "record the laboratory's netlink answers anew")

const labRecord = "../testdata/lab.netlink"

func TestSuite(t *testing.T) {
	if *record {
		recordLab(t)
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "lab", Collector: func(t *testing.T) discovery.Collector {
			answers, err := os.ReadFile(labRecord)
			if err != nil {
				t.Fatal(err)
			}
			return New(func() (rtnetlink.Conn, error) { return netlinktest.Replay(string(answers)) })
		}},
	)
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
		}).Collect(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(labRecord, answers.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNoNetlink(t *testing.T) {
	refused := errors.New("refused")
	if _, err := New(func() (rtnetlink.Conn, error) { return nil, refused }).Collect(t.Context()); !errors.Is(err, refused) {
		t.Errorf("error is %v", err)
	}
}

func TestManyRoutes(t *testing.T) {
	var routes []rtnetlink.Route
	for i := range 3 * maxRoutes {
		r := rtnetlink.Route{Family: unix.AF_INET, Table: 254, Protocol: unix.RTPROT_STATIC,
			Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)}
		if i >= 2*maxRoutes {
			r.Protocol = unix.RTPROT_BGP
		}
		routes = append(routes, r)
	}
	facts, dropped := routeFacts(nil, routes)
	if len(facts) != maxRoutes || dropped != 2*maxRoutes {
		t.Errorf("%d routes, %d left out", len(facts), dropped)
	}
	facts, dropped = routeFacts(nil, routes[maxRoutes:])
	if len(facts) != maxRoutes || dropped != maxRoutes || facts[0].Protocol != "static" || facts[maxRoutes-1].Protocol != "static" {
		t.Errorf("%d routes, %d left out", len(facts), dropped)
	}
}
