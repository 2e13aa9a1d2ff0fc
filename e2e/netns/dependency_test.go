package netns_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

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
	server := exec.Command("ip", "netns", "exec", lab.Hosts[0].Netns, "python3", "-u", "-c", fmt.Sprintf(`
import socket
s = socket.create_server(("%s", %d))
print("listening", flush=True)
held = []
while True: held.append(s.accept())`, lab.Hosts[0].IP, port))
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = server.Process.Kill() // gone already is as good
		_ = server.Wait()
	}
	t.Cleanup(stop)
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	listed := func() (bool, string) {
		for _, r := range w.Rows("query", "allipports") {
			if r["ip"] == lab.Hosts[0].IP && fmt.Sprint(r["port"]) == fmt.Sprint(port) && r["host"] == "alpha" {
				return true, fmt.Sprint(r)
			}
		}
		return false, "not listed"
	}
	appeared := world.Eventually(t, 15*time.Second, "the listener in allipports", listed)

	client := exec.Command("ip", "netns", "exec", lab.Hosts[1].Netns, "python3", "-c", fmt.Sprintf(`
import socket, time
s = socket.create_connection(("%s", %d))
time.sleep(3600)`, lab.Hosts[0].IP, port))
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Process.Kill(); _ = client.Wait() })
	dependent := world.Eventually(t, 60*time.Second, "the dependency in hostdependencies", func() (bool, string) {
		rows := w.Rows("query", "hostdependencies", "host=alpha")
		for _, r := range rows {
			if r["client_host"] == "beta" && fmt.Sprint(r["port"]) == fmt.Sprint(port) {
				return true, ""
			}
		}
		return false, fmt.Sprint(rows)
	})
	stop()
	gone := world.Eventually(t, 15*time.Second, "the listener gone from allipports", func() (bool, string) {
		ok, row := listed()
		return !ok, row
	})
	t.Logf("listener listed after %.1f s, gone after %.1f s; dependency listed after %.1f s", appeared.Seconds(), gone.Seconds(), dependent.Seconds())
}
