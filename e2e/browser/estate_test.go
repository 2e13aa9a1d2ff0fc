package browser_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

// estate is something to look at: this host, and a client and a server on a
// network of their own; a port that was closed, a probe that died, a message to
// somebody who does not answer.
type estate struct {
	*world.World
	host   string            // this one
	values map[string]string // what parameters of paths stand for: by name, or with the folder before it
	lan    string            // start of the addresses of the network
}

func newEstate(t *testing.T, lab *netns.Lab) *estate {
	t.Helper()
	w := world.New(t, world.Options{Listen: lab.Service + ":8080"})
	e := &estate{World: w, values: map[string]string{}, lan: strings.TrimSuffix(lab.Gateway, "1")}
	var err error
	if e.host, err = os.Hostname(); err != nil {
		t.Fatal(err)
	}
	w.Relay(world.Node{Name: "paris-relay", Netns: lab.LAN, Listen: "0.0.0.0:1984", HTTP: "127.0.0.1:1985"})
	w.Probe(world.Node{Name: "here", Relay: e.lan + "254:1984"})
	var probes []*world.Process
	for i, name := range []string{"db1", "web1"} {
		probes = append(probes, w.Probe(world.Node{Name: name, Netns: lab.Hosts[i].Netns, Host: name, Relay: lab.Gateway + ":1984"}))
	}
	for _, name := range []string{e.host, "db1", "web1"} {
		w.HostUp(name, time.Minute)
	}
	w.Assim("webhook", "create", "pager", "--url", "https://hooks.example.org/assimilation")
	w.Assim("export", "otlp", "create", "collector", "--endpoint", "https://otlp.example.org:4317")
	w.Assim("member", "invite", "bob@example.org")

	database, front := lab.Hosts[0].IP+":5432", lab.Hosts[1].IP+":8080"
	world.Peer(t, world.Node{Netns: lab.Hosts[0].Netns}, "listen", database)
	world.Peer(t, world.Node{Netns: lab.Hosts[1].Netns}, "connect", database)
	brief := world.Peer(t, world.Node{Netns: lab.Hosts[1].Netns}, "listen", front)
	e.appears(t, "query", "hostdependencies", "host=db1")
	e.appears(t, "changes", "--host", "web1", "--kind", "sockets")
	brief.Kill() // a change that a person can read
	world.Eventually(t, time.Minute, "the closed port among the changes", func() (bool, string) {
		changes := w.Assim("changes", "--host", "web1", "--kind", "sockets")
		return strings.Contains(changes, front+" closed by "), changes
	})
	probes[0].Kill()
	e.values["verdict"] = e.appears(t, "verdict", "list")["id"]
	e.values["webhook"] = e.appears(t, "webhook", "list")["id"]
	e.values["event"] = e.appears(t, "webhook", "deliveries", e.values["webhook"])["event"]
	e.values["exporter"] = e.appears(t, "export", "otlp", "list")["id"]
	e.values["site"] = e.appears(t, "site", "list")["id"]
	e.values["packages/name"] = e.appears(t, "query", "allpackages")["name"]
	e.values["host"] = e.appears(t, "host", "list", "--name", e.host)["id"]
	return e
}

// appears waits until a command lists something, and returns the first.
func (e *estate) appears(t *testing.T, command ...string) map[string]string {
	t.Helper()
	first := map[string]string{}
	world.Eventually(t, time.Minute, "something in assim "+strings.Join(command, " "), func() (bool, string) {
		rows := e.Rows(command...)
		if len(rows) == 0 {
			return false, "nothing"
		}
		for column, value := range rows[0] {
			if number, ok := value.(float64); ok {
				value = int64(number)
			}
			first[column] = fmt.Sprint(value)
		}
		return true, ""
	})
	return first
}
