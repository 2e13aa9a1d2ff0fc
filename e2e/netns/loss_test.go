package netns_test

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"assimilation/e2e/world"
)

var lossy = flag.Duration("lossy", 20*time.Second, "how long 5 % of all datagrams are lost")

// While 5 % of everything is lost, both processors are busy and probes freeze
// now and then, nobody is called dead who is not.
func TestNobodyDiesOfLoss(t *testing.T) {
	s := newSite(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range 2 {
		world.Start(t, "busy", func() *exec.Cmd { return exec.Command("sh", "-c", "while :; do :; done") })
	}
	for _, h := range s.Hosts() {
		s.Lose(h.Netns, 50)
	}
	s.Lose(s.RelayNetns, 50)
	begun := time.Now()
	froze := 0
	hosts := s.Hosts()
	for time.Since(begun) < *lossy {
		p := s.probes[hosts[random.IntN(len(hosts))].Name]
		p.Freeze()
		<-time.After([]time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second}[random.IntN(3)]) // the freeze itself
		p.Thaw()
		froze++
		<-time.After(time.Duration(random.Int64N(int64(5 * time.Second))))
	}
	took := time.Since(begun)
	for _, h := range s.Hosts() {
		s.Lose(h.Netns, 0)
	}
	s.Lose(s.RelayNetns, 0)
	kinds := map[string]int{}
	for _, v := range s.verdicts(begun) {
		kinds[v.Kind]++
		switch v.Kind {
		case "host down", "switch down", "zone down", "site cut off", "agent down", "shut down":
			t.Errorf("false: %v", v)
		}
	}
	t.Logf("%v with 5 %% loss, %d freezes: %v", took.Round(time.Second), froze, kinds)
	s.settle(time.Minute)
}
