// Package presence shows that the service tells a probe that was killed from one
// that is frozen and from one that said goodbye, and learns of it within seconds.
package presence_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"assimilation/e2e/world"
)

func TestEndsAreToldApart(t *testing.T) {
	w := world.New(t, world.Options{})
	status := world.FreeTCP(t)
	_, address := w.Relay(world.Node{Name: "relay", HTTP: status})
	probe := func(name string) *world.Process {
		return w.Probe(world.Node{Name: name, Host: name, Relay: address})
	}
	killed, frozen, leaving := probe("killed"), probe("frozen"), probe("leaving")
	probe("living")
	for _, name := range []string{"killed", "frozen", "leaving", "living"} {
		w.HostUp(name, time.Minute)
	}
	world.Eventually(t, time.Minute, "all neighbours hear each other", func() (bool, string) { return beating(status) })

	leaving.Stop()
	left := shown(t, w, "shutdown", "leaving", "", 20*time.Second)
	frozen.Freeze()
	fell := shown(t, w, "down", "frozen", "unresponsive", 30*time.Second)
	killed.Kill()
	died := shown(t, w, "down", "killed", "agent down", 30*time.Second)
	for query, want := range map[string]int{"shutdown": 1, "down": 3, "silent": 0} {
		if rows := w.Rows("query", query); len(rows) != want {
			t.Errorf("%s answers %v", query, rows)
		}
	}
	frozen.Thaw()
	killed.Start()
	leaving.Start()
	for _, name := range []string{"frozen", "killed", "leaving"} {
		w.HostUp(name, time.Minute)
	}
	if rows := w.Rows("query", "down"); len(rows) != 0 {
		t.Errorf("when all are back, down answers %v", rows)
	}
	t.Logf("shown by the service: shut down after %.1f s, unresponsive after %.1f s, agent down after %.1f s", left.Seconds(), fell.Seconds(), died.Seconds())
}

// beating reports whether both ends of every edge hear the other: before that
// silence is no evidence.
func beating(relay string) (bool, string) {
	var rings struct {
		Edges []struct {
			Ends [2]struct{ Name, Says string }
		}
	}
	answer, err := http.Get("http://" + relay + "/rings")
	if err != nil {
		return false, err.Error()
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&rings); err != nil {
		return false, err.Error()
	}
	for _, e := range rings.Edges {
		for _, end := range e.Ends {
			if end.Says != "heard" {
				return false, fmt.Sprint(rings.Edges)
			}
		}
	}
	return len(rings.Edges) > 3, fmt.Sprint(rings.Edges)
}

// shown waits until a query lists a host, in a state if that is given.
func shown(t *testing.T, w *world.World, query, host, state string, within time.Duration) time.Duration {
	t.Helper()
	return world.Eventually(t, within, query+" lists "+host, func() (bool, string) {
		rows := w.Rows("query", query)
		for _, r := range rows {
			named, stated := false, state == ""
			for _, v := range r {
				named, stated = named || v == host, stated || v == state
			}
			if named && stated {
				return true, ""
			}
		}
		return false, fmt.Sprint(rows)
	})
}
