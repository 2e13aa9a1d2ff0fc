// Package cluster_test runs two relays of one site, kills one of them again and
// again while probes change, and holds what they were told to what the service
// has.
package cluster_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/tenancy"
)

var (
	probes = flag.Int("probes", 20, "how many simulated probes there are")
	kills  = flag.Int("kills", 5, "how often a relay is killed")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}

// servedWithin is what a probe may wait for another relay. It is some three seconds,
// and 10 are promised; the rest is for a machine that does other things as well.
const servedWithin = 30 * time.Second

type relay struct {
	*world.Process
	id      tenancy.RelayID
	address string
	http    string
}

type report struct {
	Members []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"members"`
	Degraded bool   `json:"degraded"`
	Buddy    string `json:"buddy"`
}

func get(address, path string, v any) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + address + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(v)
}

func start(t *testing.T, w *world.World, name, token string) *relay {
	t.Helper()
	r := &relay{http: world.FreeTCP(t)}
	r.Process, r.address = w.Relay(world.Node{
		Name: name, HTTP: r.http, Token: token,
	})
	var status struct {
		Relay tenancy.RelayID `json:"relay"`
	}
	if err := get(r.http, "/status", &status); err != nil || status.Relay.IsZero() {
		t.Fatalf("who is relay %s: %v", name, err)
	}
	r.id = status.Relay
	return r
}

// paired waits until each relay has the copy of the other.
func paired(t *testing.T, relays ...*relay) {
	t.Helper()
	world.Eventually(t, time.Minute, "two relays with each other's copies", func() (bool, string) {
		for _, r := range relays {
			var now report
			if err := get(r.http, "/cluster", &now); err != nil || now.Degraded || len(now.Members) != len(relays) {
				return false, fmt.Sprintf("%s: %+v %v", r.Name, now, err)
			}
		}
		return true, ""
	})
}

func TestRelaysStandInForEachOther(t *testing.T) {
	w := world.New(t, world.Options{})
	_, token := w.Token("relay")
	a, b := start(t, w, "relay-a", token), start(t, w, "relay-b", token) // by one token
	paired(t, a, b)
	_, text := w.Token("probe")
	probeToken, err := tenancy.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	relays := []*relay{a, b}
	all := make([]*probe, *probes)
	for i := range all {
		all[i] = newProbe(t, fmt.Sprintf("sim-%02d", i), probeToken, relays[i%2].address, relays[(i+1)%2].address)
		go all[i].run()
	}
	real := []string{"real-0", "real-1", "real-2"} // which watch each other, too
	for i, name := range real {
		w.Probe(world.Node{Name: name, Host: name, Relay: relays[i%2].address, Token: text})
	}
	world.Eventually(t, time.Minute, "every probe's first acknowledgement", func() (bool, string) {
		for _, p := range all {
			if len(p.acknowledged()) == 0 {
				return false, p.name
			}
		}
		return true, ""
	})
	for _, name := range real {
		w.HostUp(name, time.Minute)
	}

	var waits []time.Duration
	for round := range *kills {
		victim, other := relays[round%2], relays[(round+1)%2]
		<-time.After(time.Second + rand.N(time.Second)) // at a random moment of the load
		held := len(onRelay(all, victim.id))
		victim.Kill()
		killed := time.Now()
		waits = append(waits, served(t, all, victim, other, killed)...)
		t.Logf("kill %d of %s: %d probes had to move", round+1, victim.Name, held)
		victim.Start()
		world.Answers(t, "http://"+victim.http+"/readyz")
		paired(t, a, b)
	}
	// One hangs for longer than that, and goes on as if nothing had been.
	frozen, other := relays[*kills%2], relays[(*kills+1)%2]
	frozen.Freeze()
	hung := served(t, all, frozen, other, time.Now())
	frozen.Thaw()
	paired(t, a, b)
	t.Logf("%d probes moved from a relay that hung", len(hung))
	slices.Sort(waits)
	if len(waits) == 0 {
		t.Fatal("no probe ever had to move")
	}
	longest := waits[len(waits)-1]
	t.Logf("%d probes moved in %d kills: served by the other relay after p50 %.1f s, max %.1f s", len(waits), *kills,
		waits[len(waits)/2].Seconds(), longest.Seconds())
	if longest > servedWithin {
		t.Errorf("a probe was not served for %v", longest)
	}
	// One dies for good, with its disk, while the service is away: what it
	// acknowledged since is on the other's only.
	dead, left := relays[*kills%2], relays[(*kills+1)%2]
	if len(onRelay(all, dead.id)) == 0 {
		dead, left = left, dead
	}
	w.SaaS.Stop()
	<-time.After(2 * time.Second)
	dead.Kill()
	if err := os.RemoveAll(w.State(dead.Name)); err != nil {
		t.Fatal(err)
	}
	cut := served(t, all, dead, left, time.Now())
	t.Logf("%d probes moved while the service was away", len(cut))
	w.SaaS.Start()
	world.Answers(t, w.URL+"/readyz")
	for _, p := range all {
		p.conn.Close()
	}
	nothingLost(t, w, all)
	noFalseDeath(t, w)

}

// onRelay are the probes that a relay serves.
func onRelay(all []*probe, id tenancy.RelayID) (on []*probe) {
	for _, p := range all {
		if p.now() == id {
			on = append(on, p)
		}
	}
	return on
}

// served waits until the victim's probes are served by the other relay, and
// returns how long each had to wait.
func served(t *testing.T, all []*probe, victim, other *relay, killed time.Time) (waits []time.Duration) {
	t.Helper()
	for _, p := range onRelay(all, victim.id) {
		world.Eventually(t, time.Minute, p.name+" served by "+other.Name, func() (bool, string) {
			at, ok := p.servedBy(other.id, killed)
			if ok {
				waits = append(waits, at.Sub(killed))
			}
			return ok, ""
		})
	}
	return waits
}

// nothingLost looks for every change that a probe was told is durable in the
// history of the service.
func nothingLost(t *testing.T, w *world.World, all []*probe) {
	t.Helper()
	db, err := pgx.Connect(context.Background(), w.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	total := 0
	for _, p := range all {
		acked := p.acknowledged()
		total += len(acked)
		world.Eventually(t, time.Minute, "all that "+p.name+" was told is durable", func() (bool, string) {
			rows, err := db.Query(context.Background(), `SELECT v.hash FROM assim.fact_versions v JOIN assim.hosts h ON h.tenant = v.tenant AND h.id = v.host
				WHERE h.name = $1 AND v.kind = 'os' AND v.hash IS NOT NULL`, p.name)
			if err != nil {
				return false, err.Error()
			}
			hashes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
			if err != nil {
				return false, err.Error()
			}
			have := map[string]bool{}
			for _, h := range hashes {
				have[string(h)] = true
			}
			missing := 0
			for _, h := range acked {
				if !have[string(h[:])] {
					missing++
				}
			}
			return missing == 0, fmt.Sprintf("%d of %d are missing", missing, len(acked))
		})
	}
	t.Logf("all %d acknowledged changes are in the service's history", total)
}

// noFalseDeath: relays died, no host did.
func noFalseDeath(t *testing.T, w *world.World) {
	t.Helper()
	db, err := pgx.Connect(context.Background(), w.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	rows, err := db.Query(context.Background(), `SELECT type || ' ' || detail::text FROM assim.events WHERE host IS NOT NULL OR type LIKE 'verdict%'`)
	if err != nil {
		t.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	rows, err = db.Query(context.Background(), `SELECT kind || ' ' || evidence::text FROM assim.verdicts WHERE relay IS NOT NULL AND kind <> 'site cut off'`)
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		t.Errorf("a relay concluded: %s", v)
	}
	for _, e := range events {
		if !strings.HasPrefix(e, "host.enrolled") && !strings.HasPrefix(e, "host.up") {
			t.Errorf("the service was told: %s", e)
		}
	}
}
