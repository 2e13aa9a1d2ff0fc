package uplink_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// serviceName resolves nowhere but at the proxy: whoever reaches it went through.
const serviceName = "service.example"

// connectProxy is an HTTP proxy that allows CONNECT to one host (RFC 9110,
// 9.3.6), as the ones at the edge of companies do.
type connectProxy struct {
	allowed string // host:port
	to      string // where that is

	mu      sync.Mutex
	refused int
	tunnels int
	open    map[net.Conn]bool
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != p.allowed {
		p.mu.Lock()
		p.refused++
		p.mu.Unlock()
		http.Error(w, "not allowed", http.StatusForbidden)
		return
	}
	service, err := net.Dial("tcp", p.to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer service.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	p.mu.Lock()
	p.tunnels++
	p.open[client] = true
	p.mu.Unlock()
	go func() {
		io.Copy(service, client) // ends with either
		service.Close()
	}()
	io.Copy(client, service)
	p.mu.Lock()
	delete(p.open, client)
	p.mu.Unlock()
}

// cut breaks all tunnels.
func (p *connectProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

// certificate is one for serviceName that is its own authority, and the file
// that says so.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{serviceName}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestThroughProxies has a CONNECT proxy before the relay, and a proxy that ends
// TLS before the service.
func TestThroughProxies(t *testing.T) {
	t.Parallel() // it mostly waits
	saas := world.FreeTCP(t)
	pair, authority := certificate(t)
	front, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	ends := &http.Server{Handler: &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: saas})
	}}}
	go ends.Serve(front) // ends with the server
	t.Cleanup(func() { ends.Close() })
	_, port, err := net.SplitHostPort(front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	public := net.JoinHostPort(serviceName, port)
	proxy := &connectProxy{allowed: public, to: front.Addr().String(), open: map[net.Conn]bool{}}
	proxyAddress := world.FreeTCP(t)
	serve(t, proxyAddress, proxy)

	w := world.New(t, world.Options{Listen: saas, Through: "https://" + public})
	relayHTTP := world.FreeTCP(t)
	_, address := w.Relay(world.Node{Name: "relay", HTTP: relayHTTP, Env: []string{
		"HTTPS_PROXY=http://" + proxyAddress, "NO_PROXY=", "no_proxy=", "SSL_CERT_FILE=" + authority,
	}})
	w.Probe(world.Node{Name: "probe", Relay: address})
	host := hostname(t)
	w.HostUp(host, world.Patience)
	w.AtRest(t, relayHTTP, world.Patience, host)

	proxy.cut()
	listener := world.FreeTCP(t)
	world.Peer(t, world.Node{}, "listen", listener)
	w.AtRest(t, relayHTTP, world.Patience, host)
	if h := w.Examine(t); h.Epochs != 1 {
		t.Errorf("the history has %d epochs, want 1", h.Epochs)
	}
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	t.Logf("%d tunnels, %d requests refused by the proxy", proxy.tunnels, proxy.refused)
	if proxy.tunnels < 2 || proxy.refused > 0 {
		t.Error("the relay did not come back through the proxy, or asked it for something else")
	}
}
