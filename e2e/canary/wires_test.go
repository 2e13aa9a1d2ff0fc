package canary_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// captureUDP records every UDP datagram from or to a port of the loopback link,
// as tcpdump would. The returned function ends it and gives what was captured.
func captureUDP(t *testing.T, port uint16) (stop func() [][]byte) {
	t.Helper()
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL)) // htons
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, int(all))
	if err != nil {
		t.Fatalf("capturing needs CAP_NET_RAW: %v", err)
	}
	// Loopback is link 1 of every network namespace.
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: 1}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	var datagrams [][]byte
	go func() {
		defer close(ended)
		buf := make([]byte, 65536)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				select {
				case <-end:
					return
				default:
					continue // the time limit, so that end is looked at
				}
			}
			if d := udpPayload(buf[:n], port); d != nil {
				datagrams = append(datagrams, bytes.Clone(d))
			}
		}
	}()
	return func() [][]byte {
		close(end)
		<-ended
		unix.Close(fd)
		return datagrams
	}
}

// udpPayload returns the payload of an IPv4 UDP packet from or to port, or nil.
func udpPayload(packet []byte, port uint16) []byte {
	if len(packet) < 28 || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_UDP {
		return nil
	}
	head := int(packet[0]&0xf) * 4
	if len(packet) < head+8 {
		return nil
	}
	udp := packet[head:]
	if binary.BigEndian.Uint16(udp) != port && binary.BigEndian.Uint16(udp[2:]) != port {
		return nil
	}
	return udp[8:]
}

// exchange is one HTTP request and its answer as a proxy that ends TLS sees
// them.
type exchange struct {
	path            string
	head            []byte // request line and headers, both ways
	request, answer []byte // bodies
}

// proxy ends TLS in front of the service and records all that passes.
type proxy struct {
	server *httptest.Server
	caFile string

	mu   sync.Mutex
	seen []exchange
}

func newProxy(t *testing.T, service string) *proxy {
	t.Helper()
	return newProxyAt(t, service, "127.0.0.1:0")
}

// newProxyAt is newProxy that listens where it is told.
func newProxyAt(t *testing.T, service, listen string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse("http://" + service)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	back := httputil.NewSingleHostReverseProxy(target)
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		head, err := httputil.DumpRequest(r, false)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		back.ServeHTTP(answer, r)
		p.mu.Lock()
		p.seen = append(p.seen, exchange{r.URL.Path, fmt.Append(head, answer.Header()), body, answer.Body.Bytes()})
		p.mu.Unlock()
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		// A client that went away meanwhile has no use for the answer.
		_, _ = w.Write(answer.Body.Bytes())
	}))
	p.server.Listener.Close()
	p.server.Listener = listener
	address, _, _ := net.SplitHostPort(listener.Addr().String())
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificateFor(t, net.ParseIP(address))}}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	p.caFile = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	if err := os.WriteFile(p.caFile, certificate, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// certificateFor makes a certificate that is its own authority.
func certificateFor(t *testing.T, address net.IP) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{address}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

func (p *proxy) exchanges() []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]exchange(nil), p.seen...)
}
