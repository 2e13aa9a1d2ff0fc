package tlshello

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate makes one for a name, with many others so that it needs some records.
func certificate(t testing.TB, name string, others int) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), DNSNames: []string{name},
	}
	for i := range others {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("host-%d.%s", i, name))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve runs a server that shakes hands with each client.
func serve(t testing.TB, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return netip.MustParseAddrPort(l.Addr().String())
}

func serveTLS(t testing.TB, config *tls.Config) netip.AddrPort {
	return serve(t, func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() })
}

// TestServers asks crypto/tls in all its ways.
func TestServers(t *testing.T) {
	plain, long, named := certificate(t, "plain.example", 0), certificate(t, "long.example", 2000), certificate(t, "named.example", 0)
	issuer := certificate(t, "issuer.example", 0)
	chain := tls.Certificate{Certificate: [][]byte{plain.Certificate[0], issuer.Certificate[0]}, PrivateKey: plain.PrivateKey}
	for _, test := range []struct {
		name     string
		config   *tls.Config
		ask      string
		versions string
		chain    [][]byte
	}{
		{"both", &tls.Config{Certificates: []tls.Certificate{plain}}, "", "TLS 1.2 TLS 1.3", plain.Certificate},
		{"1.2 alone", &tls.Config{Certificates: []tls.Certificate{plain}, MaxVersion: tls.VersionTLS12}, "", "TLS 1.2", plain.Certificate},
		{"1.3 alone", &tls.Config{Certificates: []tls.Certificate{plain}, MinVersion: tls.VersionTLS13}, "", "TLS 1.3", plain.Certificate},
		{"1.1", &tls.Config{Certificates: []tls.Certificate{plain}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "", "TLS 1.1", plain.Certificate},
		{"a chain", &tls.Config{Certificates: []tls.Certificate{chain}}, "", "TLS 1.2 TLS 1.3", chain.Certificate},
		{"a chain, 1.3", &tls.Config{Certificates: []tls.Certificate{chain}, MinVersion: tls.VersionTLS13}, "", "TLS 1.3", chain.Certificate},
		{"many records", &tls.Config{Certificates: []tls.Certificate{long}}, "", "TLS 1.2 TLS 1.3", long.Certificate},
		{"many records, 1.3", &tls.Config{Certificates: []tls.Certificate{long}, MinVersion: tls.VersionTLS13}, "", "TLS 1.3", long.Certificate},
		{"by name", &tls.Config{Certificates: []tls.Certificate{plain, named}}, "named.example", "TLS 1.2 TLS 1.3", named.Certificate},
		{"by name, 1.3", &tls.Config{Certificates: []tls.Certificate{plain, named}, MinVersion: tls.VersionTLS13}, "named.example", "TLS 1.3", named.Certificate},
		{"wants ours", &tls.Config{Certificates: []tls.Certificate{plain}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}, "", "TLS 1.3", plain.Certificate},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Ask(t.Context(), serveTLS(t, test.config), test.ask)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(got.Versions, " ") != test.versions || !slices.EqualFunc(got.Chain, test.chain, bytes.Equal) {
				t.Errorf("%v and %d certificates, want %s and %d", got.Versions, len(got.Chain), test.versions, len(test.chain))
			}
		})
	}
}

// TestBothSuites decrypts by each of the suites, which crypto/tls chooses by the
// processor.
func TestBothSuites(t *testing.T) {
	plain := certificate(t, "plain.example", 0)
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{plain}, MinVersion: tls.VersionTLS13})
	for _, suite := range []uint16{aes128, chacha20} {
		got, err := greet(t.Context(), address, func(conn net.Conn) (*Answer, error) { return ask13(conn, "", []uint16{suite}) })
		if err != nil || !bytes.Equal(got.Chain[0], plain.Certificate[0]) {
			t.Errorf("suite %#04x: %v", suite, err)
		}
	}
}

// TestSchedule holds the keys against those of RFC 8448, section 3.
func TestSchedule(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	shared := unhex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d")
	none := extract(nil, make([]byte, 32))
	empty := unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	secret := extract(expand(none, "derived", empty, 32), shared)
	if got := hex.EncodeToString(secret); got != "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac" {
		t.Errorf("handshake secret %s", got)
	}
	traffic := unhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
	if got := hex.EncodeToString(expand(traffic, "key", nil, 16)); got != "3fce516009c21727d0f2e4e86ee403bc" {
		t.Errorf("key %s", got)
	}
	if got := hex.EncodeToString(expand(traffic, "iv", nil, 12)); got != "5d313eb2671276ee13000b30" {
		t.Errorf("iv %s", got)
	}
}

// TestOthers asks what is not TLS, and servers that refuse or say nothing.
func TestOthers(t *testing.T) {
	said := func(text string) netip.AddrPort {
		return serve(t, func(conn net.Conn) {
			conn.Read(make([]byte, 4096))
			io.WriteString(conn, text)
		})
	}
	for text, want := range map[string]string{
		"SSH-2.0-OpenSSH_9.2\r\n":                      ErrNotTLS.Error(),
		"HTTP/1.1 400 Bad Request\r\n\r\n":             ErrNotTLS.Error(),
		"220 mail ESMTP\r\n":                           ErrNotTLS.Error(),
		"\x15\x03\x03\x00\x02\x02\x50":                 "alert 80",
		"\x15\x03\x03\x00\x02\x02\x28":                 "alert 40", // to both greetings
		"\x16\x03\x03\x00\x04\x02\x00\x00\x00":         errMalformed.Error(),
		"\x16\x03\x03\x00\x04\x02\xff\xff\xff":         errMalformed.Error(),
		"\x17\x03\x03\x00\x04\x02\x00\x00\x00":         errMalformed.Error(),
		"\x16\x02\x00\x00\x04":                         ErrNotTLS.Error(),
		"\x16\x03\x03\xff\xff":                         ErrNotTLS.Error(),
		"":                                             "EOF",
		"\x16\x03\x03":                                 "EOF",
		"\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01": "EOF",
	} {
		if got, err := Ask(t.Context(), said(text), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
	release := make(chan struct{})
	silent := serve(t, func(net.Conn) { <-release })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, silent, ""); err == nil {
		t.Error("a server that is silent has answered")
	}
	close(release)
	if _, err := Ask(t.Context(), netip.MustParseAddrPort("127.0.0.1:1"), ""); err == nil || errors.Is(err, ErrNotTLS) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestForeignAddress shows that no packet leaves the host: anybody may listen at an
// address that is another machine's (ip(7), IP_FREEBIND).
func TestForeignAddress(t *testing.T) {
	for address, setting := range map[string]string{"192.0.2.77:0": "ipv4", "[2001:db8::77]:0": "ipv6"} {
		if b, err := os.ReadFile("/proc/sys/net/" + setting + "/ip_nonlocal_bind"); err != nil || strings.TrimSpace(string(b)) != "0" {
			t.Logf("%s: this kernel takes any address for its own, or has none of them", setting)
			continue
		}
		anywhere := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			const freebind = 15 // the same for IPv6, ipv6(7)
			if controlled := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, freebind, 1) }); controlled != nil {
				return controlled
			}
			return err
		}}
		l, err := anywhere.Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Logf("listening at %s: %v", address, err)
			continue
		}
		defer l.Close()
		if _, err := Ask(t.Context(), l.Addr().(*net.TCPAddr).AddrPort(), ""); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("%s was asked: %v", l.Addr(), err)
		}
	}
}
func FuzzServer(f *testing.F) {
	f.Add([]byte("\x16\x03\x03\x00\x04\x02\x00\x00\x00"))
	f.Add(recorded(f, &tls.Config{Certificates: []tls.Certificate{certificate(f, "a", 0)}, MaxVersion: tls.VersionTLS12}, false))
	f.Add(recorded(f, &tls.Config{Certificates: []tls.Certificate{certificate(f, "a", 0)}, MinVersion: tls.VersionTLS13}, true))
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, read := range []func() (*Answer, error){
			func() (*Answer, error) { return read12(newRecords(bytes.NewReader(said))) },
			func() (*Answer, error) { return read13(newRecords(bytes.NewReader(said)), nil, make([]byte, 32)) },
		} {
			if got, err := read(); err == nil && (len(got.Chain) == 0 || len(got.Chain) > maxChain || len(got.Versions) == 0) {
				t.Errorf("%+v", got)
			}
		}
		for _, extended := range []bool{false, true} {
			_, _ = parseChain(typeCertificate, said, extended)
		}
	})
}

// recorded is what a server says to a greeting.
func recorded(f *testing.F, config *tls.Config, newer bool) []byte {
	address := serveTLS(f, config)
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	var out bytes.Buffer
	through := tee{conn, io.TeeReader(conn, &out)}
	ask := func() (*Answer, error) { return ask12(through, "") }
	if newer {
		ask = func() (*Answer, error) { return ask13(through, "", ciphers13) }
	}
	if _, err := ask(); err != nil {
		f.Fatal(err)
	}
	return out.Bytes()
}

type tee struct {
	net.Conn
	from io.Reader
}

func (t tee) Read(b []byte) (int, error) { return t.from.Read(b) }

func BenchmarkAsk(b *testing.B) {
	address := serveTLS(b, &tls.Config{Certificates: []tls.Certificate{certificate(b, "a", 0)}})
	for b.Loop() {
		if _, err := Ask(b.Context(), address, ""); err != nil {
			b.Fatal(err)
		}
	}
}
