package netns_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

// words occur nowhere but in what the switches tell, so that they can be looked
// for.
var words = netns.Names{Switch: "swcanaryqx", Port: "ptcanaryqx", Rack: "rkcanaryqx", Room: "rmcanaryqx"}

// site is a fabric with everything running in it: the service outside, the
// relay and twelve probes within.
type site struct {
	*netns.Fabric
	t      *testing.T
	world  *world.World
	relay  *world.Process
	probes map[string]*world.Process // by host name
	http   *http.Client              // within the relay's namespace
}

// verdict is one as the relay's local API has it.
type verdict struct {
	ID         string
	Kind       string
	Hosts      []struct{ Name string }
	LastSign   time.Time `json:"last_sign"`
	At, Over   time.Time
	Ending     string
	Confidence int
	Evidence   []struct{ What, By, About string }
}

// who are its hosts.
func (v verdict) who() string {
	var names []string
	for _, h := range v.Hosts {
		names = append(names, h.Name)
	}
	return joined(names)
}

func (v verdict) String() string {
	return fmt.Sprintf("%s of %q, last sign %s, at %s, over %s %s, %d %%: %v", v.Kind, v.who(), clock(v.LastSign), clock(v.At), clock(v.Over), v.Ending,
		v.Confidence, v.Evidence)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("15:04:05.000")
}

// newSite starts everything and waits until the rings follow the switches.
func newSite(t *testing.T, relayEnv ...string) *site {
	t.Helper()
	f := netns.NewFabric(t, words)
	w := world.New(t, world.Options{Listen: f.Service + ":8080"})
	s := &site{Fabric: f, t: t, world: w, probes: map[string]*world.Process{}, http: netns.Client(f.RelayNetns)}
	var address string
	s.relay, address = w.Relay(world.Node{
		Name: "relay", Netns: f.RelayNetns, Listen: f.RelayAddress + ":1984", HTTP: "127.0.0.1:1985", Env: relayEnv,
	})
	_, token := w.Token("probe")
	for _, h := range f.Hosts() {
		s.probes[h.Name] = w.Probe(world.Node{Name: h.Name, Netns: h.Netns, Host: h.Name, Relay: address, Token: token})
	}
	s.settle(2 * time.Minute)
	return s
}

// get reads one of the relay's local pages.
func (s *site) get(path string, into any) error {
	answer, err := s.http.Get("http://127.0.0.1:1985" + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s: %w", path, answer.Status, body, err)
	}
	return json.Unmarshal(body, into)
}

// verdicts are those that were reached since a time, oldest first.
func (s *site) verdicts(since time.Time) []verdict {
	s.t.Helper()
	var all []verdict
	if err := s.get("/verdicts", &all); err != nil {
		s.t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(v verdict) bool { return v.At.Before(since) })
	slices.SortFunc(all, func(a, b verdict) int { return a.At.Compare(b.At) })
	return all
}

// settle waits until nothing is wrong and every switch's ring has its hosts.
func (s *site) settle(within time.Duration) {
	s.t.Helper()
	world.Eventually(s.t, within, "a site at rest", func() (bool, string) {
		return s.atRest()
	})
}

func (s *site) atRest() (bool, string) {
	var probes []struct{ Host, Name, State string }
	if err := s.get("/probes", &probes); err != nil {
		return false, err.Error()
	}
	byID := map[string]string{}
	for _, p := range probes {
		byID[p.Host] = p.Name
		if p.State != "up" {
			return false, p.Name + " is " + p.State
		}
	}
	if len(probes) != len(s.Hosts()) {
		return false, fmt.Sprintf("%d probes", len(probes))
	}
	for _, v := range s.verdicts(time.Time{}) {
		if v.Over.IsZero() {
			return false, "open: " + v.String()
		}
	}
	return s.ringsFollow(byID)
}

// rings is what the relay says of who watches whom.
type rings struct {
	Rings []struct {
		Level   string
		Name    string
		Members []string // ids
	}
	Edges []struct {
		Ends [2]struct{ Name, Says string }
	}
}

// heard says whether all who are left watch each other, and hear each other.
func (r rings) heard(gone []string) (bool, string) {
	for _, e := range r.Edges {
		for i, end := range e.Ends {
			if end.Says != "heard" || slices.Contains(gone, end.Name) {
				return false, fmt.Sprintf("%s says %q of %s", end.Name, end.Says, e.Ends[1-i].Name)
			}
		}
	}
	return len(r.Edges) > 0, "nobody watches anybody"
}

// closed says whether the rings have closed without the hosts that are gone.
func (s *site) closed(gone []string) (bool, string) {
	var now rings
	if err := s.get("/rings", &now); err != nil {
		return false, err.Error()
	}
	return now.heard(gone)
}

// ringsFollow says whether there is a ring of each switch, with all its hosts.
func (s *site) ringsFollow(byID map[string]string) (bool, string) {
	var now rings
	if err := s.get("/rings", &now); err != nil {
		return false, err.Error()
	}
	if ok, why := now.heard(nil); !ok {
		return false, why
	}
	have := map[string]bool{}
	for _, r := range now.Rings {
		if r.Level != "switch" {
			continue
		}
		members := make([]string, len(r.Members))
		for i, id := range r.Members {
			members[i] = byID[id]
		}
		have[joined(members)] = true
	}
	for _, sw := range s.Switches {
		if !have[joined(names(sw.Hosts))] {
			return false, fmt.Sprintf("no ring of %s: %v", joined(names(sw.Hosts)), now)
		}
	}
	return true, ""
}

func joined(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), " ") }
