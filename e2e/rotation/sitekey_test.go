// Package rotation_test replaces the keys of a site and of a tenant while everything
// runs, and then tries what the old ones are still good for.
package rotation_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

var whole = flag.Bool("whole", false, "run; without it nothing is done, since it takes minutes")

func TestMain(m *testing.M) {
	world.PeerMain()
	os.Exit(m.Run())
}

const settle = 3 * time.Minute

// site is a world with a relay and hosts of these names, all of them this machine.
type site struct {
	*world.World
	t         *testing.T
	relay     *world.Process
	relayHTTP string
	address   string
	probes    map[string]*world.Process
	ids       map[string]any
}

func newSite(t *testing.T, hosts ...string) *site {
	t.Helper()
	if !*whole {
		t.Skip("make e2e-rotation does it")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it gives probes host names of their own")
	}
	s := &site{World: world.New(t, world.Options{}), t: t, relayHTTP: world.FreeTCP(t), probes: map[string]*world.Process{}, ids: map[string]any{}}
	s.relay, s.address = s.Relay(world.Node{Name: "relay", HTTP: s.relayHTTP})
	_, token := s.Token("probe")
	for _, name := range hosts {
		s.join(name, token)
	}
	return s
}

// join starts a host with a token and waits until it is up.
func (s *site) join(name, token string) {
	s.t.Helper()
	s.probes[name] = s.Probe(world.Node{Name: name, Relay: s.address, Host: name, Token: token})
	s.ids[name] = s.HostUp(name, settle)["id"]
}

// allAreWhoTheyWere checks that hosts are up, no more of them, by the same ids.
func (s *site) allAreWhoTheyWere() {
	s.t.Helper()
	for name, id := range s.ids {
		if got := s.HostUp(name, settle)["id"]; got != id {
			s.t.Errorf("%s is %v now, and was %v", name, got, id)
		}
	}
	if hosts := s.Rows("host", "list"); len(hosts) != len(s.ids) {
		s.t.Errorf("%d hosts, want %d: %v", len(hosts), len(s.ids), hosts)
	}
}

// key is what `assim site key` prints.
type key struct {
	Fingerprint string
	Next        *struct{ Fingerprint string }
	Hosts       struct {
		Total, Knowing int
		Missing        []struct{ Name, State string }
	}
	Relays  struct{ Total, Knowing int }
	Tokens  int
	Summary string
}

func (s *site) key(args ...string) (k key) {
	s.t.Helper()
	out := s.Assim(append([]string{"site", "key"}, append(args, s.Site, "-o", "json")...)...)
	if err := json.Unmarshal([]byte(out), &k); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	return k
}

// known waits until so many hosts know the newest key.
func (s *site) known(hosts int) {
	s.t.Helper()
	took := world.Eventually(s.t, settle, fmt.Sprint(hosts, " hosts know the key"), func() (bool, string) {
		k := s.key("show")
		return k.Hosts.Knowing == hosts && k.Relays.Knowing == k.Relays.Total, k.Summary
	})
	s.t.Logf("%s, after %v", s.key("show").Summary, took.Round(100*time.Millisecond))
}

// event makes something happen on this machine, and waits until all hosts that are up
// have told it once.
func (s *site) event(hosts ...string) {
	s.t.Helper()
	address := world.FreeTCP(s.t)
	world.Peer(s.t, world.Node{}, "listen", address)
	for _, host := range hosts {
		world.Eventually(s.t, settle, "the listener "+address+" of "+host, func() (bool, string) {
			told := 0
			for _, row := range s.Rows("changes", "--host", host, "--since", "24h", "--limit", "0") {
				if text := fmt.Sprint(row); strings.Contains(text, "op:added") && strings.Contains(text, "tcp "+address) {
					told++
				}
			}
			return told == 1, fmt.Sprint(told, " times")
		})
	}
}

// pins waits until a host believes this key alone.
func (s *site) pins(host string, public ed25519.PublicKey) {
	s.t.Helper()
	world.Eventually(s.t, settle, host+" believes the new key alone", func() (bool, string) {
		pin, err := os.ReadFile(filepath.Join(s.State(host), "pin")) // version, key, host
		if err != nil || len(pin) != 1+32+16 {
			return false, fmt.Sprint(len(pin), " bytes ", err)
		}
		return bytes.Equal(pin[1:33], public), fmt.Sprintf("%x", pin[1:33])
	})
}

// private reads the site's key in force out of the database, as who runs it could.
func (s *site) private() (ed25519.PrivateKey, []byte) {
	s.t.Helper()
	var id tenancy.SiteID
	var wrapped []byte
	s.query(`SELECT id, site_private FROM assim.sites`, &id, &wrapped)
	master, err := keys.Load(filepath.Join(s.Dir, "master.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	seed, err := master.Unwrap(keys.OfSite(id), wrapped)
	if err != nil {
		s.t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed), wrapped
}

func (s *site) query(sql string, into ...any) {
	s.t.Helper()
	conn, err := pgx.Connect(context.Background(), s.Database)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), sql).Scan(into...); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// noGap checks that the stream lost and repeated nothing.
func (s *site) noGap() {
	s.t.Helper()
	s.Examine(s.t)
	var gaps, epochs int
	s.query(`SELECT (SELECT count(*) FROM assim.events WHERE type = 'relay.gap'), (SELECT count(*) FROM assim.stream_epochs)`, &gaps, &epochs)
	if gaps != 0 {
		s.t.Errorf("%d gaps in the stream, of %d epochs", gaps, epochs)
	}
}

func publicOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// TestASiteKeyIsReplacedUnderWay replaces a site's key while hosts report; one is off at
// the beginning and comes back before the end, one comes by a token of each key.
func TestASiteKeyIsReplacedUnderWay(t *testing.T) {
	s := newSite(t, "stays", "sleeps")
	_, before := s.Token("probe")
	s.event("stays", "sleeps")
	s.probes["sleeps"].Stop()

	old, wrapped := s.private()
	first := s.key("show")
	rotated := s.key("rotate")
	if rotated.Next == nil || rotated.Fingerprint != first.Fingerprint || rotated.Tokens != 2 {
		t.Fatalf("after the rotation: %+v", rotated)
	}
	if out, err := s.Try("site", "key", "rotate", s.Site); err == nil || !strings.Contains(out, "retire the old one first") {
		t.Errorf("a second rotation: %v, %s", err, out)
	}
	_, during := s.Token("probe")
	s.join("by-new", during)
	s.join("by-old", before)
	s.known(3)
	s.event("stays", "by-new", "by-old")
	out, err := s.Try("site", "key", "retire", s.Site)
	if err == nil || !strings.Contains(out, "3 of 4 hosts") || !strings.Contains(out, "sleeps (shut down since ") {
		t.Errorf("retiring without a host: %v, %s", err, out)
	}
	t.Logf("refused: %s", strings.TrimSpace(out))

	// A relay that was restarted calls its probes: each by the key that it knows.
	s.relay.Kill()
	s.relay.Start()
	s.probes["sleeps"].Start()
	s.known(4)
	s.event("stays", "sleeps", "by-new", "by-old")

	retired := s.key("retire")
	if retired.Next != nil || retired.Fingerprint != rotated.Next.Fingerprint {
		t.Fatalf("after the end of the old key: %+v", retired)
	}
	now, _ := s.private()
	for host := range s.probes {
		s.pins(host, publicOf(now))
	}
	s.relay.Kill()
	s.relay.Start()
	world.Answers(t, "http://"+s.relayHTTP+"/readyz")
	s.event("stays", "sleeps", "by-new", "by-old")
	s.allAreWhoTheyWere()
	s.noGap()

	s.oldKeyIsGone(old, now, wrapped)
	late := s.Probe(world.Node{Name: "late", Relay: s.address, Host: "late", Token: before})
	late.Says("site key retired", settle)
	world.Eventually(t, settle, "the reason among those who wait", func() (bool, string) {
		waiting := fmt.Sprint(s.Rows("host", "list", "--pending", "--site", s.Site))
		return strings.Contains(waiting, "site key retired"), waiting
	})
	if actions := fmt.Sprint(s.Rows("audit", "list")); !strings.Contains(actions, "site.key.rotate") || !strings.Contains(actions, "site.key.retire") {
		t.Errorf("the audit log: %s", actions)
	}
}

// oldKeyIsGone looks for the old key in the database, and shows it to a probe.
func (s *site) oldKeyIsGone(old, now ed25519.PrivateKey, wrapped []byte) {
	s.t.Helper()
	var kept int
	s.query(fmt.Sprintf(`SELECT count(*) FROM assim.sites WHERE site_private = '\x%x' OR next_private IS NOT NULL OR next_key IS NOT NULL`, wrapped), &kept)
	if kept != 0 {
		s.t.Error("the old private key is still in the database")
	}
	s.probes["stays"].Stop()
	for _, c := range []struct {
		name  string
		key   ed25519.PrivateKey
		taken bool
	}{{"the old key", old, false}, {"the key in force", now, true}} {
		impostor := pretend(s.t, c.key)
		probe := exec.Command(filepath.Join(s.Bin, "assim-probe"), "run", "--state", s.State("stays"), "--listen", "127.0.0.1:0")
		probe.Env = append(os.Environ(), "ASSIM_RELAY="+impostor.address)
		if err := probe.Start(); err != nil {
			s.t.Fatal(err)
		}
		announces, shaken := impostor.watch(5)
		if shaken != c.taken {
			s.t.Errorf("a relay by %s: %d announces answered, handshake begun %v, want %v", c.name, announces, shaken, c.taken)
		}
		s.t.Logf("a relay by %s: %d announces answered, handshake begun: %v", c.name, announces, shaken)
		if err := probe.Process.Kill(); err != nil {
			s.t.Error(err)
		}
		probe.Wait() // killed
	}
	s.probes["stays"].Start()
}

// TestWhoWasAwayComesBackByAToken loses a host and then everybody, and gets all back.
func TestWhoWasAwayComesBackByAToken(t *testing.T) {
	s := newSite(t, "stays", "sleeps")
	s.probes["sleeps"].Stop()
	s.key("rotate")
	s.known(1)
	forced := s.key("retire", "--force")
	if len(forced.Hosts.Missing) != 1 || forced.Hosts.Missing[0].Name != "sleeps" {
		t.Errorf("forced without %v", forced.Hosts.Missing)
	}
	now, _ := s.private()
	s.pins("stays", publicOf(now)) // until the relay has heard of it, "sleeps" would not be late
	s.probes["sleeps"].Start()
	s.probes["sleeps"].Says("site key retired", settle)
	s.comesBack("sleeps")
	s.known(2)
	s.event("stays", "sleeps")
	s.allAreWhoTheyWere()
	s.noGap()

	// The key is known to others: nothing that it signs may introduce the next one.
	replaced := s.key("rotate", "--compromised")
	if replaced.Next != nil || replaced.Fingerprint == forced.Fingerprint || replaced.Relays.Total != 0 || replaced.Hosts.Knowing != 0 {
		t.Errorf("after the replacement: %+v", replaced)
	}
	// What it asked before is answered that it is revoked; nothing after that is believed.
	world.Eventually(t, settle, "the relay out", func() (bool, string) {
		log := s.relay.Log()
		return strings.Contains(log, "enrol it again") || strings.Contains(log, "this relay was revoked"), log
	})
	s.relay.Stop()
	_, token := s.Token("relay")
	world.Run(t, []string{"ASSIM_TOKEN=" + token, "ASSIM_TOKEN_FILE="}, filepath.Join(s.Bin, "assim-relay"), "enrol", "--again", "--state", s.State("relay"))
	s.relay.Start()
	world.Answers(t, "http://"+s.relayHTTP+"/readyz")
	for _, host := range []string{"stays", "sleeps"} {
		s.probes[host].Says("site key retired", settle)
		s.comesBack(host)
	}
	s.known(2)
	s.event("stays", "sleeps")
	s.allAreWhoTheyWere()
	s.noGap()
}

// comesBack enrols a host again.
func (s *site) comesBack(host string) {
	s.t.Helper()
	s.probes[host].Stop()
	_, token := s.Token("probe")
	out := world.Run(s.t, []string{"ASSIM_TOKEN=" + token, "ASSIM_TOKEN_FILE=", "ASSIM_RELAY=" + s.address}, "unshare", "--uts", "sh", "-c", `hostname "$0" && exec "$@"`, host,
		filepath.Join(s.Bin, "assim-probe"), "enrol", "--move", "--wait", "120", "--state", s.State(host), "--listen", "127.0.0.1:0")
	if !strings.Contains(out, fmt.Sprint(s.ids[host])) {
		s.t.Errorf("%s is enrolled as another: %s", host, out)
	}
	s.probes[host].Start()
}
