package netns_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	os.Exit(m.Run())
}

// A client on one host that uses a service on another shows as host -> service
// -> endpoint -> client -> host, in the query and on the page; a listener
// appears and goes within its time.
func TestDependencyBetweenTwoHosts(t *testing.T) {
	lab := netns.New(t, 2)
	w := world.New(t, world.Options{Listen: lab.Service + ":8080"})
	_, relay := w.Relay(world.Node{Name: "relay", Netns: lab.LAN, Listen: lab.Gateway + ":1984", HTTP: "127.0.0.1:1985"})
	for i, name := range []string{"alpha", "beta"} {
		w.Probe(world.Node{Name: name, Netns: lab.Hosts[i].Netns, Host: name, Relay: relay})
	}
	w.HostUp("alpha", time.Minute)
	w.HostUp("beta", time.Minute)

	// Two plain programs, the one a server on alpha, the other its client on beta.
	const port = 7077
	address := fmt.Sprintf("%s:%d", lab.Hosts[0].IP, port)
	server := world.Peer(t, world.Node{Netns: lab.Hosts[0].Netns}, "listen", address)
	listed := func() (bool, string) {
		for _, r := range w.Rows("query", "allipports") {
			if r["ip"] == lab.Hosts[0].IP && fmt.Sprint(r["port"]) == fmt.Sprint(port) && r["host"] == "alpha" {
				return true, fmt.Sprint(r)
			}
		}
		return false, "not listed"
	}
	appeared := world.Eventually(t, 15*time.Second, "the listener in allipports", listed)

	world.Peer(t, world.Node{Netns: lab.Hosts[1].Netns}, "connect", address)
	dependent := world.Eventually(t, 60*time.Second, "the dependency in hostdependencies", func() (bool, string) {
		rows := w.Rows("query", "hostdependencies", "host=alpha")
		for _, r := range rows {
			if r["client_host"] == "beta" && fmt.Sprint(r["port"]) == fmt.Sprint(port) {
				return true, ""
			}
		}
		return false, fmt.Sprint(rows)
	})
	server.Kill()
	gone := world.Eventually(t, 15*time.Second, "the listener gone from allipports", func() (bool, string) {
		ok, row := listed()
		return !ok, row
	})
	t.Logf("listener listed after %.1f s, gone after %.1f s; dependency listed after %.1f s", appeared.Seconds(), gone.Seconds(), dependent.Seconds())
}
