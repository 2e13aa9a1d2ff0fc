package netns_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// told is a local notification, as the hook got it.
type told struct {
	Event string
	Kind  string
	Hosts []string
	At    time.Time
	// heard is when the hook ran.
	heard time.Time
}

// With the WAN cut the site goes on: hosts die and return, the local hook is
// told at once, and the service learns it all afterwards, in order and with the
// times of when it happened.
func TestIsland(t *testing.T) {
	dir := t.TempDir()
	log, hook := filepath.Join(dir, "told"), filepath.Join(dir, "hook")
	script := "#!/bin/sh\nprintf '%s %s\\n' \"$(date +%s%3N)\" \"$(cat)\" >>" + log + "\n"
	if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "ASSIM_NOTIFY_EXEC="+hook)
	begun := time.Now()
	s.CutWAN(true)

	// While nobody outside knows: a cable, a probe, a switch, one after the other.
	dead, killed, dark := s.Hosts()[0], s.Hosts()[5], s.Switches[2]
	expect := func(kind, hosts string, happen, mend func()) {
		t.Helper()
		happened := time.Now()
		happen()
		var n told
		world.Eventually(t, patience, "the hook told of "+kind, func() (bool, string) {
			all := notices(t, log)
			for _, n = range all {
				if n.Event == "opened" && n.Kind == kind && joined(n.Hosts) == hosts && !n.At.Before(happened) {
					return true, ""
				}
			}
			return false, fmt.Sprint(all)
		})
		t.Logf("%-12s of %-30s verdict after %.2f s, the hook heard of it %.2f s later", kind, hosts, n.At.Sub(happened).Seconds(), n.heard.Sub(n.At).Seconds())
		mend()
		world.Eventually(t, time.Minute, "everything back", s.atRest)
	}
	expect("host down", dead.Name, func() { dead.Cut(true) }, func() { dead.Cut(false) })
	expect("agent down", killed.Name, s.probes[killed.Name].Kill, s.probes[killed.Name].Start)
	expect("switch down", joined(names(dark.Hosts)), func() { dark.Power(false) }, func() { dark.Power(true) })

	world.Eventually(t, 3*time.Minute, "the service missing the site", func() (bool, string) {
		open := s.world.Rows("verdict", "list", "--open")
		return len(open) == 1 && open[0]["kind"] == "site dark", fmt.Sprint(open)
	})
	atRelay := s.verdicts(begun)
	s.CutWAN(false)
	world.Eventually(t, 2*time.Minute, "the service knowing all that happened", func() (bool, string) {
		var have []string
		for _, v := range s.world.Rows("verdict", "list") {
			have = append(have, fmt.Sprint(v["kind"], " ", millis(t, v["at"]), " ", millis(t, v["over_at"])))
		}
		for _, v := range atRelay {
			if want := fmt.Sprint(v.Kind, " ", v.At.UnixMilli(), " ", v.Over.UnixMilli()); !strings.Contains(strings.Join(have, "\n"), want) {
				return false, want + " is missing from\n" + strings.Join(have, "\n")
			}
		}
		return true, ""
	})
	world.Eventually(t, time.Minute, "nothing open", func() (bool, string) {
		open := s.world.Rows("verdict", "list", "--open")
		return len(open) == 0, fmt.Sprint(open)
	})
	for _, v := range s.world.Rows("verdict", "list") {
		t.Log(v["at"], v["over_at"], v["kind"], v["ending"])
	}
	// Events stand in the order in which things happened.
	var last time.Time
	events := s.world.Rows("events", "--type", "verdict", "--limit", "0")
	for i := len(events) - 1; i >= 0; i-- {
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(events[i]["seen_at"]))
		if err != nil || at.Before(last) {
			t.Errorf("event %v is out of order: %v", events[i], err)
		}
		last = at
	}
}

// notices reads what the hook wrote.
func notices(t *testing.T, path string) []told {
	t.Helper()
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []told
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var n told
		var at int64
		stamp, body, _ := strings.Cut(lines.Text(), " ")
		if _, err := fmt.Sscan(stamp, &at); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		if json.Unmarshal([]byte(body), &n) != nil {
			continue // being written
		}
		n.heard = time.UnixMilli(at)
		all = append(all, n)
	}
	return all
}

// millis reads a time of the API; 0 for none.
func millis(t *testing.T, value any) int64 {
	t.Helper()
	if value == nil {
		return 0
	}
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(value))
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}
