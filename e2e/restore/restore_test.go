// Package restore_test puts a relay's disk, and the service's database, back to
// an older copy, and then looks for what was lost, told twice, or told by a
// store that no longer knows.
package restore_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	world.Alone()
	os.Exit(m.Run())
}

// site is a world with a relay and two probes, both of this machine.
type site struct {
	*world.World
	t             *testing.T
	relay, second *world.Process
	relayHTTP     string
	host          string
}

const secondHost = "second-host"

func newSite(t *testing.T) *site {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it reads other users' processes, and gives a probe a host name of its own")
	}
	s := &site{World: world.New(t, world.Options{}), t: t, relayHTTP: world.FreeTCP(t)}
	var address string
	s.relay, address = s.Relay(world.Node{Name: "relay", HTTP: s.relayHTTP})
	s.Probe(world.Node{Name: "probe", Relay: address})
	s.second = s.Probe(world.Node{Name: "second", Relay: address, Host: secondHost})
	var err error
	if s.host, err = os.Hostname(); err != nil {
		t.Fatal(err)
	}
	s.HostUp(s.host, world.Patience)
	s.HostUp(secondHost, world.Patience)
	s.AtRest(t, s.relayHTTP, world.Patience)
	return s
}

// listen starts a listener that probes must find.
func (s *site) listen() (address string, p *world.Process) {
	s.t.Helper()
	address = world.FreeTCP(s.t)
	return address, world.Peer(s.t, world.Node{}, "listen", address)
}

// told counts how often a listener was told to have come or gone.
func (s *site) told(host, op, address string) (n int) {
	s.t.Helper()
	for _, row := range s.Rows("changes", "--host", host, "--kind", "sockets", "--since", "24h", "--limit", "0") {
		details, _ := row["details"].([]any)
		if row["more"] != nil {
			s.t.Fatalf("a change shows %d of its differences, and has %v more: where the listener is cannot be told", len(details), row["more"])
		}
		for _, d := range details {
			d, _ := d.(map[string]any)
			if text, _ := d["text"].(string); d["op"] == op && strings.Contains(text, "tcp "+address) {
				n++
			}
		}
	}
	return n
}

func (s *site) awaitTold(op, address string) {
	s.t.Helper()
	for _, host := range []string{s.host, secondHost} {
		world.Eventually(s.t, world.Patience, "the listener "+op, func() (bool, string) {
			return s.told(host, op, address) == 1, fmt.Sprint(s.told(host, op, address), " times")
		})
	}
}

// oneGap checks that the history says that it may lack something, once.
func (s *site) oneGap(detail string) {
	s.t.Helper()
	var gaps []map[string]any
	for _, e := range s.Rows("events", "--limit", "0") {
		if e["type"] == "relay.gap" {
			gaps = append(gaps, e)
		}
	}
	if len(gaps) != 1 || !strings.Contains(fmt.Sprint(gaps[0]["summary"]), detail) {
		s.t.Fatalf("the gaps are %v, want one of which the summary says %q", gaps, detail)
	}
	s.t.Logf("relay.gap: %v; %v", gaps[0]["summary"], gaps[0]["detail"])
}

// versions counts what the history holds of a host under the newest epoch.
func (s *site) versions(host string) (n int) {
	s.t.Helper()
	s.query(&n, `SELECT count(*) FROM assim.fact_versions v JOIN assim.hosts h ON h.id = v.host
		JOIN assim.streams s ON s.relay = v.relay AND s.epoch = v.epoch WHERE h.name = $1`, host)
	return n
}

func (s *site) query(into any, sql string, args ...any) {
	s.t.Helper()
	conn, err := pgx.Connect(context.Background(), s.Database)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(into); err != nil {
		s.t.Fatal(err)
	}
}

func TestARelayWithAnOldDiskDoesNotTellOldNews(t *testing.T) {
	s := newSite(t)
	before, gone := s.listen()
	s.awaitTold("added", before)
	old := filepath.Join(t.TempDir(), "copy")
	copyTree(t, s.State("relay"), old) // while it runs

	gone.Kill()
	s.awaitTold("removed", before)
	stays, _ := s.listen()
	passes, passing := s.listen()
	s.awaitTold("added", stays)
	s.awaitTold("added", passes)

	s.relay.Kill()
	s.second.Kill() // and stays away: nobody but the service knows how it was
	passing.Kill()
	if err := os.RemoveAll(s.State("relay")); err != nil {
		t.Fatal(err)
	}
	copyTree(t, old, s.State("relay"))
	s.relay.Start()

	world.Eventually(t, world.Patience, "the end of the passing listener told", func() (bool, string) {
		n := s.told(s.host, "removed", passes)
		return n == 1, fmt.Sprint(n, " times")
	})
	s.AtRest(t, s.relayHTTP, world.Patience, s.host)
	s.oneGap("this relay was restored")
	if h := s.Examine(t); h.Epochs != 2 {
		t.Errorf("the history has %d epochs, want 2", h.Epochs)
	}
	for _, want := range []struct {
		op, address string
		times       int
	}{{"added", before, 1}, {"removed", before, 1}, {"added", stays, 1}, {"removed", stays, 0}, {"added", passes, 1}, {"removed", passes, 1}} {
		if n := s.told(s.host, want.op, want.address); n != want.times {
			t.Errorf("%s was told as %s %d times, want %d", want.address, want.op, n, want.times)
		}
	}
	if n := s.versions(secondHost); n != 0 {
		t.Errorf("%d facts of a host that is away were told from the old copy", n)
	}
}

func TestAServiceWithAnOldDatabaseGetsEverythingAgain(t *testing.T) {
	s := newSite(t)
	before, gone := s.listen()
	s.awaitTold("added", before)
	s.SaaS.Kill()
	s.database("DROP DATABASE IF EXISTS %[2]s", "CREATE DATABASE %[2]s TEMPLATE %[1]s")
	s.SaaS.Start()
	world.Answers(t, s.URL+"/readyz")

	gone.Kill()
	s.awaitTold("removed", before)
	stays, _ := s.listen()
	passes, passing := s.listen()
	s.awaitTold("added", stays)
	s.awaitTold("added", passes)
	passing.Kill()
	s.awaitTold("removed", passes)
	s.second.Kill() // its last facts are the relay's to tell

	s.SaaS.Kill()
	s.database("DROP DATABASE %[1]s WITH (FORCE)", "ALTER DATABASE %[2]s RENAME TO %[1]s")
	world.Run(t, s.Env(), filepath.Join(s.Bin, "assim-saas"), "migrate")
	s.SaaS.Start()
	world.Answers(t, s.URL+"/readyz")

	// A quiet site has nothing to say: the relay finds out all the same.
	world.Eventually(t, world.Patience, "what the database forgot told again", func() (bool, string) {
		n := s.told(s.host, "added", stays)
		return n == 1, fmt.Sprint(n, " times")
	})
	s.AtRest(t, s.relayHTTP, world.Patience, s.host)
	s.SameFacts(t, "relay")
	s.oneGap("the service was restored")
	if h := s.Examine(t); h.Epochs != 2 {
		t.Errorf("the history has %d epochs, want 2", h.Epochs)
	}
	for _, host := range []string{s.host, secondHost} {
		for _, want := range []struct {
			op, address string
			times       int
		}{{"added", before, 1}, {"removed", before, 1}, {"added", stays, 1}, {"removed", stays, 0}, {"added", passes, 0}, {"removed", passes, 0}} {
			if n := s.told(host, want.op, want.address); n != want.times {
				t.Errorf("%s: %s was told as %s %d times, want %d", host, want.address, want.op, n, want.times)
			}
		}
	}
}

// database runs statements about the service's database, %[1]s, and its copy,
// %[2]s.
func (s *site) database(statements ...string) {
	s.t.Helper()
	u, err := url.Parse(s.Database)
	if err != nil {
		s.t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	conn, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		statement = fmt.Sprintf(statement, name, name+"_copy")
		world.Eventually(s.t, 30*time.Second, statement, func() (bool, string) { // until the connections of the killed service are gone
			_, err := conn.Exec(context.Background(), statement)
			return err == nil, fmt.Sprint(err)
		})
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v: %s", from, err, out)
	}
}
