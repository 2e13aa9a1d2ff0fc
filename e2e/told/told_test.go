// Package told_test kills the service while a command line follows events and a
// webhook is called, and looks whether either missed one.
package told_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"assimilation/e2e/world"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	os.Exit(m.Run())
}

// receiver verifies what it is sent.
type receiver struct {
	mu       sync.Mutex
	verifier *standardwebhooks.Webhook
	forged   int
	heard    []int64
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	var m struct{ Data struct{ ID int64 } }
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.verifier.Verify(body, request.Header) != nil || json.Unmarshal(body, &m) != nil {
		r.forged++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.heard = append(r.heard, m.Data.ID)
}

func (r *receiver) events() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.heard)
	slices.Sort(all)
	return slices.Compact(all) // at least once
}

func TestNobodyMissesAnEvent(t *testing.T) {
	w := world.New(t, world.Options{Env: []string{"ASSIM_PRIVATE_COLLECTORS=true"}})
	r := &receiver{}
	server := httptest.NewServer(r)
	defer server.Close()
	var made struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(w.Assim("webhook", "create", "all", "--url", server.URL, "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.verifier, err = standardwebhooks.NewWebhook(made.Secret); err != nil {
		t.Fatal(err)
	}
	if said := w.Assim("webhook", "test", made.ID); !strings.Contains(said, "taken") || len(r.events()) != 1 {
		t.Errorf("the test: %s", said)
	}
	r.heard = nil
	follower := world.Start(t, "follower", func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(w.Bin, "assim"), "events", "--follow", "-o", "json")
		cmd.Env = append(os.Environ(), w.Config())
		return cmd
	})
	relay, _ := w.Relay(world.Node{Name: "relay"})
	follower.Says("relay.started", time.Minute)
	started := func() (n int) {
		for _, e := range w.Rows("events", "--type", "relay.started", "--limit", "0") {
			if e["type"] == "relay.started" {
				n++
			}
		}
		return n
	}
	const lives = 3
	for life := range lives {
		w.SaaS.Kill()
		// What happens now is told by the relay, later.
		relay.Kill()
		relay.Start()
		w.SaaS.Start()
		world.Answers(t, w.URL+"/readyz")
		world.Eventually(t, 3*time.Minute, "the relay's new life is told", func() (bool, string) {
			n := started()
			return n == life+2, fmt.Sprint(n)
		})
	}
	var want []int64
	world.Eventually(t, 3*time.Minute, "the webhook is told of all", func() (bool, string) {
		want = want[:0]
		for _, e := range w.Rows("events", "--limit", "0") {
			want = append(want, int64(e["id"].(float64)))
		}
		slices.Sort(want)
		got := r.events()
		return slices.Equal(got, want), fmt.Sprint(got, " of ", want)
	})
	var followed []int64
	world.Eventually(t, time.Minute, "the follower printed all", func() (bool, string) {
		followed = followed[:0]
		for line := range strings.Lines(follower.Log()) {
			var e struct{ ID int64 }
			if json.Unmarshal([]byte(line), &e) == nil && e.ID > 0 {
				followed = append(followed, e.ID)
			}
		}
		return slices.Equal(followed, want), fmt.Sprint(followed, " of ", want)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forged > 0 {
		t.Errorf("%d messages did not verify", r.forged)
	}
	t.Logf("%d events over %d lives of the service: each printed once, in order; %d messages, all verified", len(want), lives+1, len(r.heard))
}
