// Package tokens shows that every way in which a token can be refused is named
// at the probe, in the relay's log and in the console, and that a use is
// counted once.
package tokens_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

func TestEveryRefusalIsNamedEverywhere(t *testing.T) {
	w := world.New(t, world.Options{})
	relay, address := w.Relay(world.Node{Name: "relay"})

	expiredID, expired := w.Token("probe", "--ttl", "1s")
	usedID, used := w.Token("probe", "--max-uses", "1")
	revokedID, revoked := w.Token("probe")
	w.Assim("token", "revoke", revokedID)
	w.Assim("site", "create", "elsewhere")
	home := w.Site
	w.Site = "elsewhere"
	_, wrongSite := w.Token("probe")
	w.Site = home
	_, good := w.Token("probe")
	middle := len(good) / 2
	replacement := "x"
	if good[middle] == 'x' {
		replacement = "y"
	}
	damaged := good[:middle] + replacement + good[middle+1:]

	w.Probe(world.Node{Name: "first", Host: "first", Relay: address, Token: used})
	w.HostUp("first", time.Minute)
	<-time.After(1500 * time.Millisecond) // the token's whole life

	for _, test := range []struct{ name, token, id, reason string }{
		{"expired", expired, expiredID, "expired"},
		{"used-up", used, usedID, "used up"},
		{"revoked", revoked, revokedID, "revoked"},
		{"wrong-site", wrongSite, "", "wrong site"},
		{"damaged", damaged, "", "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen, logged := len(relay.Log()), "reason="+test.reason
			if strings.Contains(test.reason, " ") {
				logged = "reason=" + strconv.Quote(test.reason)
			}
			p := w.Probe(world.Node{Name: test.name, Host: test.name, Relay: address, Token: test.token})
			defer p.Stop()
			p.Says(logged, 20*time.Second)
			world.Eventually(t, 20*time.Second, "the relay's log", func() (bool, string) {
				log := relay.Log()[seen:]
				return strings.Contains(log, logged), log
			})
			var event map[string]any
			world.Eventually(t, 20*time.Second, "the console's events", func() (bool, string) {
				rows := w.Rows("events")
				for _, e := range rows {
					if e["type"] == "refusal" && strings.Contains(fmt.Sprint(e["summary"]), test.reason) {
						event = e
						return true, ""
					}
				}
				return false, fmt.Sprint(rows)
			})
			for what, text := range map[string]string{"probe": p.Log(), "relay": relay.Log(), "console": fmt.Sprint(event)} {
				if strings.Contains(text, test.token) {
					t.Errorf("the %s shows the token", what)
				}
			}
			t.Logf("probe:   %s", line(p.Log(), logged))
			t.Logf("relay:   %s", line(relay.Log()[seen:], logged))
			t.Logf("console: %v", event["summary"])
		})
	}
	if hosts := w.Rows("host", "list"); len(hosts) != 1 {
		t.Errorf("hosts %v, want only the first", hosts)
	}
}

// The relay's answers to the enrolment are lost until the probe has asked
// several times; the token, good for one use, is spent once and is enough.
func TestALostAnswerSpendsNoSecondUse(t *testing.T) {
	w := world.New(t, world.Options{})
	_, address := w.Relay(world.Node{Name: "relay"})
	lossy := newLossy(t, address)
	id, token := w.Token("probe", "--max-uses", "1")
	w.Probe(world.Node{Name: "probe", Host: "patient", Relay: lossy.address, Token: token})
	lossy.lose(t, 5, time.Minute)
	w.HostUp("patient", time.Minute)
	world.Eventually(t, 20*time.Second, "the use counted", func() (bool, string) {
		for _, row := range w.Rows("token", "list", "--site", w.Site) {
			if row["id"] == id {
				return fmt.Sprint(row["uses"]) == "1", fmt.Sprint(row)
			}
		}
		return false, "token not listed"
	})
	if hosts := w.Rows("host", "list"); len(hosts) != 1 {
		t.Errorf("hosts %v, want one", hosts)
	}
	t.Logf("%d sealed answers of the relay were lost; 1 use", lossy.lost())
}

// line is the first line of a log that holds text.
func line(log, text string) string {
	for l := range strings.Lines(log) {
		if strings.Contains(l, text) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}
