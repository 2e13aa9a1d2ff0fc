// Package uplink_test runs the real programs over what lies between a relay and
// its service: load balancers, proxies, and long outages.
package uplink_test

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"assimilation/e2e/world"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	world.Alone()
	os.Exit(m.Run())
}

func hostname(t *testing.T) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// balancer is a load balancer: it gives each request to the next process, and to
// another one if that does not answer.
type balancer struct {
	address string
	targets [2]string
	turn    atomic.Uint64
	batches [2]atomic.Int64 // that reached each process
}

func newBalancer(t *testing.T) *balancer {
	b := &balancer{address: world.FreeTCP(t), targets: [2]string{world.FreeTCP(t), world.FreeTCP(t)}}
	serve(t, b.address, http.HandlerFunc(b.balance))
	return b
}

func (b *balancer) balance(w http.ResponseWriter, r *http.Request) {
	first := int(b.turn.Add(1) % 2)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(&url.URL{Scheme: "http", Host: b.targets[first]}) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
		ModifyResponse: func(res *http.Response) error {
			if r.URL.Path == "/relay/v1/batch" && res.StatusCode == http.StatusOK {
				b.batches[first].Add(1)
			}
			return nil
		},
	}
	proxy.ServeHTTP(w, r)
}

func serve(t *testing.T, address string, handler http.Handler) {
	server := &http.Server{Addr: address, Handler: handler}
	go server.ListenAndServe() // ends with the server
	t.Cleanup(func() { server.Close() })
}

// TestTwoReplicasBehindALoadBalancer sends the batches of one relay to two
// processes in turn, and kills one of them.
func TestTwoReplicasBehindALoadBalancer(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBalancer(t)
	w := world.New(t, world.Options{Listen: b.targets[0], Through: "http://" + b.address})
	second := world.Start(t, "second assim-saas", func() *exec.Cmd {
		cmd := exec.Command(filepath.Join(w.Bin, "assim-saas"), "serve")
		cmd.Env = append(append(os.Environ(), w.Env()...), "ASSIM_LISTEN="+b.targets[1], "ASSIM_URL=http://"+b.address)
		return cmd
	})
	world.Answers(t, "http://"+b.targets[1]+"/readyz")

	relayHTTP := world.FreeTCP(t)
	_, address := w.Relay(world.Node{Name: "relay", HTTP: relayHTTP})
	const hosts = 6
	for i := range hosts {
		w.Probe(world.Node{Name: fmt.Sprint("probe-", i), Relay: address, Host: fmt.Sprint("lb-", i)})
	}
	for i := range hosts {
		w.HostUp(fmt.Sprint("lb-", i), world.Patience)
	}
	second.Kill()
	listener := world.FreeTCP(t)
	world.Peer(t, world.Node{}, "listen", listener)
	w.AtRest(t, relayHTTP, world.Patience, "lb-0", "lb-5")
	second.Start()
	world.Answers(t, "http://"+b.targets[1]+"/readyz")
	world.Peer(t, world.Node{}, "listen", world.FreeTCP(t))
	w.AtRest(t, relayHTTP, world.Patience, "lb-0", "lb-5")
	if h := w.Examine(t); h.Epochs != 1 {
		t.Errorf("the history has %d epochs, want 1", h.Epochs)
	}
	t.Logf("%d batches by the first process, %d by the second", b.batches[0].Load(), b.batches[1].Load())
	if b.batches[0].Load() == 0 || b.batches[1].Load() == 0 {
		t.Error("one process had no part in it: the test shows nothing")
	}
}
