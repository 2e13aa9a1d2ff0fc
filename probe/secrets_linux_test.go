package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/certificates"
	"assimilation/discovery/collectors"
	"assimilation/probe/internal/schedule"
)

// TestNoSecretInAnyFact runs a service with secrets in its arguments and its
// environment, and looks for them in everything that is discovered on this host.
func TestNoSecretInAnyFact(t *testing.T) {
	raw := make([]byte, 8)
	rand.Read(raw)
	canary := "canary" + hex.EncodeToString(raw)
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	service := exec.Command("sh", "-c", "read line", "sh", "--password", canary+"a", "--token="+canary+"b", "postgres://ada:"+canary+"c@db/shop", "API_KEY="+canary+"d", "plain")
	service.Env = append(os.Environ(), "DATABASE_PASSWORD="+canary+"e", canary+"=f")
	service.ExtraFiles = []*os.File{socket}
	in, err := service.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer service.Wait()
	defer in.Close()
	off, err := certificates.ParseHello("off") // other tests' servers
	if err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(collectors.All(collectors.Options{Hello: off}), func(c discovery.Collector) bool {
		return c.Kind().Name == "checksums" // reads some 100 MB here, and says paths and sums alone
	})
	marked := map[string]bool{}
	schedule.Once(context.Background(), all, func(kind discovery.Kind, facts []discovery.Fact, _ error) {
		for _, f := range facts {
			if bytes.Contains(f.Body, []byte(canary)) {
				i := bytes.Index(f.Body, []byte(canary))
				t.Errorf("kind %s tells a secret: %s", kind.Name, f.Body[max(0, i-40):min(len(f.Body), i+40)])
			}
			if bytes.Contains(f.Body, []byte(`"sh","--password","***","--token=***","postgres://***@db/shop","API_KEY=***","plain"`)) {
				marked[kind.Name] = true
			}
		}
	})
	for _, kind := range []string{"sockets", "processes"} {
		if !marked[kind] {
			t.Errorf("kind %s does not tell of the service at all", kind)
		}
	}
}
