package collect

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"assimilation/discovery"
	kind "assimilation/discovery/certificates"
	"assimilation/discovery/internal/tlshello"
	"assimilation/discovery/sockets"
	socketscollect "assimilation/discovery/sockets/collect"
)

// listens is a service that listens at an address, or at all.
func listens(exe, ip string, port int64) sockets.Service {
	s := sockets.Service{Name: exe, Exe: exe}
	add := func(ip, wildcard string) {
		s.Listens = append(s.Listens, sockets.Listen{Protocol: "tcp", IP: ip, Port: port, Wildcard: wildcard})
	}
	switch ip {
	case "0.0.0.0":
		add("127.0.0.1", ip)
		add("10.0.0.1", ip)
	case "::":
		add("10.0.0.1", ip)
		add("127.0.0.1", ip)
		add("::1", ip)
		add("fe80::1", ip)
	default:
		add(ip, "")
	}
	return s
}

func follows(t testing.TB, c *Collector, services ...sockets.Service) *Collector {
	fact, err := discovery.NewFact(sockets.Kind, "", sockets.Facts{Services: services})
	if err != nil {
		t.Fatal(err)
	}
	c.Follow("sockets", []discovery.Fact{fact})
	return c
}

// servers answer as the fixtures' listeners, and count who asks.
type servers struct {
	leaf, authority []byte
	asked           []string
}

func newServers(t testing.TB) *servers {
	read := func(name string) []byte {
		text, err := os.ReadFile("../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		return block.Bytes
	}
	return &servers{leaf: read("leaf.pem"), authority: read("authority.pem")}
}

func (s *servers) ask(_ context.Context, server netip.AddrPort, name string) (*tlshello.Answer, error) {
	s.asked = append(s.asked, strings.TrimSpace(server.String()+" "+name))
	both := []string{"TLS 1.2", "TLS 1.3"}
	switch {
	case server.Port() == 443 && name == "":
		return &tlshello.Answer{Versions: both, Chain: [][]byte{s.authority}}, nil
	case server.Port() == 443, server.Port() == 993 && name != "":
		return &tlshello.Answer{Versions: both[1:], Chain: [][]byte{s.leaf, s.authority}}, nil
	case server.Port() == 993:
		return nil, tlshello.Alert(112) // unrecognized_name
	case server.Port() == 6443:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	return nil, tlshello.ErrNotTLS
}

func collectListeners(t *testing.T, c *Collector) kind.Facts {
	t.Helper()
	facts, err := c.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// TestOnceADay shows that a listener is asked when it is new, and a day later.
func TestOnceADay(t *testing.T) {
	s := newServers(t)
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	c := New(fstest.MapFS{}, kind.Hello{}, s.ask, "www.example", func() time.Time { return now })
	web, odd, late := listens("/usr/sbin/nginx", "::", 443), listens("/usr/bin/odd", "10.0.0.1", 8443), listens("/usr/bin/late", "10.0.0.1", 6443)
	follows(t, c, web, odd, late, listens("/usr/sbin/sshd", "0.0.0.0", 22))
	for _, step := range []struct {
		name   string
		change func()
		asked  string
	}{
		{"new", func() {}, "127.0.0.1:443, 127.0.0.1:443 www.example, 10.0.0.1:6443, 10.0.0.1:8443"},
		{"an hour later", func() { now = now.Add(time.Hour) }, "10.0.0.1:6443"}, // it was not there
		{"another program", func() { follows(t, c, listens("/usr/sbin/caddy", "::", 443), odd) }, "127.0.0.1:443, 127.0.0.1:443 www.example"},
		{"gone", func() { follows(t, c, odd) }, ""},
		{"back", func() { follows(t, c, web, odd) }, "127.0.0.1:443, 127.0.0.1:443 www.example"},
		{"a day later", func() { now = now.Add(24 * time.Hour) }, "127.0.0.1:443, 127.0.0.1:443 www.example, 10.0.0.1:8443"},
	} {
		s.asked = nil
		step.change()
		body := collectListeners(t, c)
		if got := strings.Join(s.asked, ", "); got != step.asked {
			t.Errorf("%s: asked %s, want %s", step.name, got, step.asked)
		}
		if has := len(body.Listeners) == 2; has == (step.name == "gone") {
			t.Errorf("%s: %+v", step.name, body.Listeners)
		}
	}
}

// TestSlowListeners shows that a collection ends in time, and that nothing is told
// before all were asked.
func TestSlowListeners(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	asked := 0
	c := New(fstest.MapFS{}, kind.Hello{}, func(context.Context, netip.AddrPort, string) (*tlshello.Answer, error) {
		asked++
		now = now.Add(askWithin)
		return nil, context.DeadlineExceeded
	}, "", func() time.Time { return now })
	var many []sockets.Service
	for i := range 12 {
		many = append(many, listens(fmt.Sprint(i), fmt.Sprintf("10.0.0.%d", i+1), 443))
	}
	follows(t, c, many...)
	for _, want := range []int{5, 10} {
		if facts, err := c.Collect(t.Context()); !errors.Is(err, discovery.ErrUnfinished) || len(facts) > 0 || asked != want {
			t.Fatalf("%d asked, %d facts, %v", asked, len(facts), err)
		}
	}
	if body := collectListeners(t, c); asked != 12 || len(body.Listeners) > 0 {
		t.Errorf("%d asked, %+v", asked, body.Listeners)
	}
}

// TestNewEachTime shows that listeners that hang, and are others at each collection, do
// not keep the certificates from being told.
func TestNewEachTime(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	c := New(files(t), kind.Hello{}, func(context.Context, netip.AddrPort, string) (*tlshello.Answer, error) {
		now = now.Add(askWithin)
		return nil, context.DeadlineExceeded
	}, "", func() time.Time { return now })
	for round := range maxRounds {
		var many []sockets.Service
		for i := range maxListeners {
			many = append(many, listens(fmt.Sprint(round), fmt.Sprintf("10.0.0.%d", i+1), 443))
		}
		facts, err := follows(t, c, many...).Collect(t.Context())
		if last := round == maxRounds-1; errors.Is(err, discovery.ErrUnfinished) == last || err == nil || (len(facts) == 1) != last {
			t.Fatalf("round %d: %d facts, %v", round, len(facts), err)
		}
	}
}

// TestRefusal shows that a listener that speaks TLS and does not show its certificate
// is a gap, and what is no TLS is none.
func TestRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"alert":  {tlshello.Alert(40), "the certificate of the listener at 10.0.0.1:443: refused with alert 40, and of 1 more"},
		"suite":  {fmt.Errorf("%w: suite 0x1302", tlshello.ErrTooFew), "10.0.0.1:443: the server wants what this client does not have: suite 0x1302"},
		"no TLS": {tlshello.ErrNotTLS, ""},
		"silent": {context.DeadlineExceeded, ""},
	} {
		c := New(fstest.MapFS{}, kind.Hello{}, func(context.Context, netip.AddrPort, string) (*tlshello.Answer, error) { return nil, test.err }, "x", time.Now)
		follows(t, c, listens("a", "10.0.0.1", 443), listens("b", "10.0.0.1", 993))
		facts, err := c.Collect(t.Context())
		if len(facts) != 1 || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d facts, %v", name, len(facts), err)
		}
	}
}

func TestOff(t *testing.T) {
	off, err := kind.ParseHello("off")
	if err != nil {
		t.Fatal(err)
	}
	s := newServers(t)
	collectListeners(t, follows(t, New(fstest.MapFS{}, off, s.ask, "x", time.Now), listens("/usr/sbin/nginx", "::", 443)))
	if len(s.asked) > 0 {
		t.Errorf("asked %v", s.asked)
	}
}

// TestManyNames shows that who serves certificates that say very much hides no other.
func TestManyNames(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{}
	for i := range maxNames {
		template.DNSNames = append(template.DNSNames, strings.Repeat(`"`, 400)+strconv.Itoa(i)) // each of which takes two bytes
	}
	serial := int64(0)
	ask := func(context.Context, netip.AddrPort, string) (*tlshello.Answer, error) {
		serial++
		template.SerialNumber = big.NewInt(serial)
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		return &tlshello.Answer{Chain: [][]byte{der}}, err
	}
	c := New(files(t), kind.Hello{}, ask, "www.example", time.Now)
	own := len(collectListeners(t, c).Certificates)
	var many []sockets.Service
	for i := range maxListeners {
		many = append(many, listens(fmt.Sprint(i), fmt.Sprintf("10.0.0.%d", i+1), 8443))
	}
	facts, err := follows(t, c, many...).Collect(t.Context())
	if len(facts) != 1 {
		t.Fatal(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if lie := slices.DeleteFunc(body.Certificates, func(c kind.Certificate) bool { return len(c.Paths) == 0 }); own == 0 || len(lie) != own || err == nil {
		t.Errorf("%d certificates in files, %d before; %v", len(lie), own, err)
	}
}

// TestRealListener finds a real server by the kernel's sockets, asks it, and holds
// what it found against crypto/x509 and openssl(1).
func TestRealListener(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "real.example"}, DNSNames: []string{"real.example"},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake(); conn.Close() }()
		}
	}()
	address := netip.MustParseAddrPort(server.Addr().String())
	only, err := kind.ParseHello(fmt.Sprint(address.Port()))
	if err != nil {
		t.Fatal(err)
	}
	found, err := socketscollect.Local().Collect(t.Context())
	if len(found) == 0 {
		t.Fatal(err)
	}
	c := Local(only)
	c.Follow("sockets", found)
	facts, err := c.Collect(t.Context())
	if len(facts) != 1 {
		t.Fatal(err)
	}
	var body kind.Facts
	if err := json.Unmarshal(facts[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(der))
	if len(body.Listeners) != 1 || !slices.Equal(body.Listeners[0].Chain, []string{sum}) || strings.Join(body.Listeners[0].Protocols, " ") != "TLS 1.2 TLS 1.3" {
		t.Fatalf("%+v, want %s", body.Listeners, sum)
	}
	i := slices.IndexFunc(body.Certificates, func(c kind.Certificate) bool { return c.SHA256 == sum })
	if i < 0 || body.Certificates[i].Subject != "CN=real.example" || body.Certificates[i].NotAfter != "2027-01-01T00:00:00Z" {
		t.Errorf("%+v", body.Certificates)
	}
	text, err := exec.Command("sh", "-c", "openssl s_client -connect "+address.String()+" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256").Output()
	if err != nil {
		t.Skipf("needs openssl: %v", err)
	}
	if _, print, _ := strings.Cut(strings.TrimSpace(string(text)), "="); strings.ToLower(strings.ReplaceAll(print, ":", "")) != sum {
		t.Errorf("openssl says %s, the fact %s", print, sum)
	}
}

func FuzzFollow(f *testing.F) {
	f.Add([]byte(`{"services":[{"exe":"/usr/sbin/nginx\u0000","listens":[{"protocol":"tcp","ip":"127.0.0.1","port":443,"wildcard":"\u0000"},{"protocol":"tcp","ip":"fe80::1%x","port":443}]}]}`))
	s := newServers(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c := New(fstest.MapFS{}, kind.Hello{}, s.ask, "x", time.Now)
		c.Follow("sockets", []discovery.Fact{{Body: body}})
		facts, _ := c.Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
