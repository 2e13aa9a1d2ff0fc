// Package backup_test takes a backup of a running deployment by the real programs,
// lets things change, drops the database, restores it, and then looks for what was
// lost or told twice. `make e2e-backup` runs it.
package backup_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
)

var whole = flag.Bool("whole", false, "run; without it nothing is done, since it takes minutes")

func TestMain(m *testing.M) {
	world.PeerMain()
	flag.Parse()
	if *whole {
		world.Alone()
	}
	os.Exit(m.Run())
}

const secondHost = "second-host"

// deployment is a service with two sites, each with a relay and a probe, both of
// this machine.
type deployment struct {
	*world.World
	t     *testing.T
	http  []string // of the relays
	hosts []string
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	if !*whole {
		t.Skip("make e2e-backup runs it")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root: it reads other users' processes, and gives a probe a host name of its own")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{World: world.New(t, world.Options{}), t: t, hosts: []string{host, secondHost}}
	for i, site := range []string{d.Site, "branch"} {
		if i > 0 {
			d.Site = site
			d.Assim("site", "create", site)
		}
		http := world.FreeTCP(t)
		relay, probe := world.Node{Name: "relay-" + site, HTTP: http}, world.Node{Name: "probe-" + site}
		if i > 0 {
			relay.Host, probe.Host = "second-relay", secondHost
		}
		_, probe.Relay = d.Relay(relay)
		d.Probe(probe)
		d.http = append(d.http, http)
	}
	for _, host := range d.hosts {
		d.HostUp(host, world.Patience)
	}
	return d
}

// atRest waits until nobody has anything left to tell, and the truth is told.
func (d *deployment) atRest() {
	d.t.Helper()
	d.AtRest(d.t, d.http[1], world.Patience)
	d.AtRest(d.t, d.http[0], world.Patience, d.hosts[0])
}

// listen starts a listener that probes must find.
func (d *deployment) listen() (address string, p *world.Process) {
	d.t.Helper()
	address = world.FreeTCP(d.t)
	return address, world.Peer(d.t, world.Node{}, "listen", address)
}

// told counts how often a listener was told to have come or gone.
func (d *deployment) told(host, op, address string) (n int, err error) {
	out, err := d.Try("changes", "--host", host, "--since", "24h", "--limit", "0", "-o", "json")
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	var changes []struct{ Details []struct{ Op, Text string } }
	if err := json.Unmarshal([]byte(out), &changes); err != nil {
		return 0, err
	}
	for _, change := range changes {
		for _, detail := range change.Details {
			if detail.Op == op && strings.Contains(detail.Text, "tcp "+address) {
				n++
			}
		}
	}
	return n, nil
}

func (d *deployment) awaitTold(op, address string) {
	d.t.Helper()
	for _, host := range d.hosts {
		world.Eventually(d.t, world.Patience, "the listener "+op, func() (bool, string) {
			n, err := d.told(host, op, address)
			return n == 1 && err == nil, fmt.Sprint(n, " times, ", err)
		})
	}
}

// saas runs the service's program for its operator.
func (d *deployment) saas(args ...string) {
	d.t.Helper()
	begun := time.Now()
	out := world.Run(d.t, d.Env(), filepath.Join(d.Bin, "assim-saas"), args...)
	d.t.Logf("assim-saas %s, %v\n%s", args[0], time.Since(begun).Round(time.Millisecond), strings.TrimSpace(out))
}

// drop drops the service's database.
func (d *deployment) drop() {
	d.t.Helper()
	u, err := url.Parse(d.Database)
	if err != nil {
		d.t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	conn, err := pgx.Connect(d.t.Context(), u.String())
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(d.t.Context(), "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) count(sql string) (n int) {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.Database)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(d.t.Context(), sql).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

func TestALostDatabaseComesBack(t *testing.T) {
	d := deploy(t)
	d.atRest()
	before, gone := d.listen()
	d.awaitTold("added", before)

	// While everything runs, once sealed and once not.
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sealed, plain := filepath.Join(t.TempDir(), "sealed.backup"), filepath.Join(t.TempDir(), "plain.backup")
	d.saas("backup", "-o", plain)
	d.saas("restore", "--check", plain)
	d.saas("backup", "-o", sealed, "-r", identity.Recipient().String())

	gone.Kill()
	d.awaitTold("removed", before)
	stays, _ := d.listen()
	d.awaitTold("added", stays)
	passes, passing := d.listen()
	d.awaitTold("added", passes)
	passing.Kill()
	d.awaitTold("removed", passes)

	d.SaaS.Kill()
	d.drop()
	d.saas("restore", "--identity", key, sealed)
	d.SaaS.Start()
	world.Answers(t, d.URL+"/readyz")
	restarted := time.Now()
	d.awaitTold("added", stays)
	d.atRest()
	t.Logf("all is told %v after the service is back", time.Since(restarted).Round(time.Second))

	gaps := map[any]int{}
	for _, e := range d.Rows("events", "--limit", "0") {
		if e["type"] == "relay.gap" {
			gaps[e["relay"]]++
			t.Logf("relay.gap: %v; %v", e["summary"], e["detail"])
			if !strings.Contains(fmt.Sprint(e["summary"]), "the service was restored") {
				t.Errorf("a gap says %v", e["summary"])
			}
		}
	}
	if len(gaps) != 2 {
		t.Errorf("gaps of %d streams, want 2: %v", len(gaps), gaps)
	}
	for relay, n := range gaps {
		if n != 1 {
			t.Errorf("the stream of relay %v has %d gaps, want 1", relay, n)
		}
	}
	d.Examine(t)
	if n := d.count(`SELECT count(*) FROM (SELECT DISTINCT relay, epoch FROM assim.fact_versions) e`); n != 4 {
		t.Errorf("the history has %d epochs, want 2 of each stream", n)
	}
	for _, host := range d.hosts {
		for _, want := range []struct {
			op, address string
			times       int
		}{{"added", before, 1}, {"removed", before, 1}, {"added", stays, 1}, {"removed", stays, 0}, {"added", passes, 0}, {"removed", passes, 0}} {
			if n, err := d.told(host, want.op, want.address); n != want.times || err != nil {
				t.Errorf("%s: %s was told as %s %d times, want %d, %v", host, want.address, want.op, n, want.times, err)
			}
		}
	}
}
