package relay_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/relay"
	"assimilation/relay/internal/servicetest"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
	"assimilation/wire/handshake"
	"assimilation/wire/link"
)

// running is a relay in this process, on real sockets of loopback.
type running struct {
	config relay.Config
	udp    netip.AddrPort
	ended  chan error
	cancel context.CancelFunc
}

func free(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.LocalAddr().String()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func config(t *testing.T, token string) relay.Config {
	c := relay.Defaults()
	c.State, c.Listen, c.HTTP, c.Install, c.Version = t.TempDir(), free(t, "udp"), free(t, "tcp"), free(t, "tcp"), "test"
	c.Token = func() (string, error) { return token, nil }
	return c
}

// start runs a relay and waits until it serves.
func start(t *testing.T, c relay.Config) *running {
	t.Helper()
	r, err := relay.New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{config: c, udp: netip.MustParseAddrPort(c.Listen), ended: make(chan error, 1), cancel: cancel}
	ready := make(chan struct{})
	go func() { run.ended <- r.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() { run.stop(t) })
	select {
	case <-ready:
	case err := <-run.ended:
		run.ended <- nil
		t.Fatalf("the relay ended: %v", err)
	}
	return run
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("the relay ended with %v", err)
	}
	r.ended <- nil
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + r.config.HTTP + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// agent is a probe as far as the wire is concerned.
type agent struct {
	t    *testing.T
	conn *net.UDPConn
	to   netip.AddrPort
	link *link.Link
	key  handshake.Keypair
}

func newAgent(t *testing.T, to netip.AddrPort) *agent {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	key, err := handshake.NewKeypair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &agent{t: t, conn: conn, to: to, key: key}
}

func (a *agent) receive(until time.Time) []byte {
	buffer := make([]byte, 2048)
	if err := a.conn.SetReadDeadline(until); err != nil {
		a.t.Fatal(err)
	}
	n, err := a.conn.Read(buffer)
	if err != nil {
		return nil
	}
	return buffer[:n]
}

func (a *agent) send(datagram []byte) {
	if _, err := a.conn.WriteToUDPAddrPort(datagram, a.to); err != nil {
		a.t.Fatal(err)
	}
}

// ask sends until an answer comes.
func (a *agent) ask(datagram []byte) []byte {
	a.t.Helper()
	for range 20 {
		a.send(datagram)
		if answer := a.receive(time.Now().Add(time.Second)); answer != nil {
			return answer
		}
	}
	a.t.Fatal("the relay does not answer")
	return nil
}

func (a *agent) announce() wire.AnnounceReply {
	a.t.Helper()
	reply, err := wire.ParseAnnounceReply(a.ask(wire.Announce{Fingerprint: wire.Fingerprint(a.key.Public), Nonce: [8]byte{1}}.Append(nil)))
	if err != nil {
		a.t.Fatal(err)
	}
	return reply
}

func (a *agent) connect(relayKey [32]byte) {
	a.t.Helper()
	initiator, first, err := handshake.Initiate(a.key, relayKey, 1, nil, rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	s, _, err := initiator.Finish(a.ask(first))
	if err != nil {
		a.t.Fatal(err)
	}
	a.link = link.New(s, time.Now(), func() float64 { return 0.5 })
}

// say sends a message and waits for the verdict.
func (a *agent) say(m wire.Message) wire.Reason {
	a.t.Helper()
	id, err := a.link.Send(time.Now(), m)
	if err != nil {
		a.t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		datagrams, wake := a.link.Poll(time.Now())
		for _, d := range datagrams {
			a.send(d)
		}
		if wake.IsZero() {
			wake = end
		}
		datagram := a.receive(wake)
		if datagram == nil {
			continue
		}
		events, err := a.link.Receive(time.Now(), datagram)
		if err != nil {
			continue
		}
		for _, event := range events {
			switch e := event.(type) {
			case link.Delivered:
				if e.ID == id {
					return wire.Accepted
				}
			case link.Refused:
				if e.ID == id {
					return e.Reason
				}
			case link.Received:
				a.link.Done(e.ID)
			}
		}
	}
	a.t.Fatalf("no verdict about %T", m)
	return 0
}

func put(kind, instance, body string) *wire.FactPut {
	hash := discovery.HashBody(kind, 1, []byte(body))
	return &wire.FactPut{Digest: wire.Digest{Kind: kind, Instance: instance, Hash: hash[:], Version: 1}, Body: []byte(body)}
}

// probeToken has the service order a probe token.
func probeToken(s *servicetest.Service) tenancy.Token {
	token := tenancy.NewToken(tenancy.EnrolToken, [32]byte{}, "")
	hash := token.Hash()
	s.Order(func(o *uplink.Orders) {
		o.Tokens = append(o.Tokens, uplink.TokenOrder{ID: token.ID, Hash: hash[:], Allowance: -1})
	})
	return token
}

// enrolled retries until the token's order has reached the relay.
func (a *agent) enrol(token tenancy.Token) {
	a.t.Helper()
	for range 100 {
		switch reason := a.say(&wire.Enrol{TokenID: token.ID, Secret: token.Secret[:], HostName: "db1", Time: time.Now().UnixMilli()}); reason {
		case wire.Accepted:
			return
		case wire.UnknownToken:
			a.receive(time.Now().Add(50 * time.Millisecond))
		default:
			a.t.Fatalf("enrolment: %v", reason)
		}
	}
	a.t.Fatal("the token does not arrive")
}

func TestFromEnrolmentToTheService(t *testing.T) {
	service := servicetest.New(t)
	r := start(t, config(t, service.Token.String()))
	a := newAgent(t, r.udp)
	reply := a.announce()
	if err := reply.Certificate.Verify(service.SiteKey.Public().(ed25519.PublicKey), time.Now()); err != nil {
		t.Fatal(err)
	}
	a.connect(reply.Certificate.Key)
	a.enrol(probeToken(service))
	if reason := a.say(&wire.Hello{AgentVersion: "1", HostName: "db1", OS: "linux", Arch: "amd64"}); reason != wire.Accepted {
		t.Fatalf("hello: %v", reason)
	}
	if reason := a.say(put("os", "", `{"a":1}`)); reason != wire.Accepted {
		t.Fatalf("fact: %v", reason)
	}
	service.Await(t, func(changes []uplink.Change) bool {
		return len(changes) > 0 && changes[len(changes)-1].Type == uplink.FactPut && string(changes[len(changes)-1].Body) == `{"a":1}`
	})
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/status": `"phase": "serving"`, "/probes": `"name": "db1"`,
		"/metrics": `assim_relay_hosts{state="up"} 1`,
	} {
		if code, body := r.get(t, path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	r.stop(t)

	// The token is not needed again, and the same relay goes on with its stream.
	again := r.config
	again.Token = func() (string, error) { return "", errors.New("gone") }
	r = start(t, again)
	b := newAgent(t, r.udp)
	b.key = a.key
	b.connect(reply.Certificate.Key)
	if reason := b.say(&wire.Hello{AgentVersion: "1", HostName: "db1", OS: "linux", Arch: "amd64"}); reason != wire.Accepted {
		t.Fatalf("hello after the restart: %v", reason)
	}
	changes := service.Await(t, func(changes []uplink.Change) bool {
		last := changes[len(changes)-1]
		return last.Type == uplink.RelayState && last.Relay.Event == "started" && len(changes) > 5
	})
	for i, c := range changes {
		if c.Seq != uint64(i+1) {
			t.Errorf("record %d has number %d: the restart began a new stream", i+1, c.Seq)
		}
	}
}

func TestRefusedEnrolmentsSayWhy(t *testing.T) {
	service := servicetest.New(t)
	damaged := []byte(service.Token.String())
	damaged[30] ^= 1
	for name, c := range map[string]struct {
		token  string
		reason wire.Reason
	}{
		"none":        {"", 0},
		"damaged":     {string(damaged), 0},
		"other kind":  {tenancy.NewToken(tenancy.EnrolToken, [32]byte{}, "").String(), 0},
		"expired":     {service.Token.String(), wire.Expired},
		"used up":     {service.Token.String(), wire.UsedUp},
		"revoked":     {service.Token.String(), wire.Revoked},
		"not a token": {"hunter2", 0},
	} {
		t.Run(name, func(t *testing.T) {
			service.RefuseEnrolments(c.reason)
			r, err := relay.New(config(t, c.token), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Enrol(context.Background(), false)
			if !relay.Refused(err) {
				t.Fatalf("enrolment ended with %v, want a refusal", err)
			}
			if c.reason != 0 && !strings.Contains(err.Error(), c.reason.String()) {
				t.Errorf("%q does not say %q", err, c.reason)
			}
			if c.token != "" && strings.Contains(err.Error(), c.token) {
				t.Error("the error repeats the token")
			}
		})
	}
}

func TestALostEnrolmentAnswerIsAskedForAgain(t *testing.T) {
	service := servicetest.New(t)
	lost := false
	service.Fail(func(path string) servicetest.Fault {
		first := !lost && strings.HasSuffix(path, "/enrol")
		lost = lost || first
		return servicetest.Fault{Lost: first}
	})
	start(t, config(t, service.Token.String()))
	if n := service.Requests("/relay/v1/enrol"); n != 2 {
		t.Errorf("%d enrolments, want 2", n)
	}
}

func TestARevokedRelayStopsServingAndSaysSo(t *testing.T) {
	service := servicetest.New(t)
	r := start(t, config(t, service.Token.String()))
	a := newAgent(t, r.udp)
	a.announce()
	service.Order(func(o *uplink.Orders) { o.Revoked = true })
	for {
		code, body := r.get(t, "/readyz")
		if code == 503 && strings.Contains(body, "revoked") {
			break
		}
		a.receive(time.Now().Add(20 * time.Millisecond))
	}
	a.send(wire.Announce{}.Append(nil))
	if answer := a.receive(time.Now().Add(200 * time.Millisecond)); answer != nil {
		t.Error("a revoked relay answers announces")
	}
	if _, body := r.get(t, "/status"); !strings.Contains(body, `"phase": "revoked"`) {
		t.Errorf("status says %s", body)
	}
	r.stop(t)

	// A new token enrols it again, under new keys.
	service.Order(func(o *uplink.Orders) { o.Revoked = false })
	again, err := relay.New(r.config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Enrol(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	start(t, r.config)
}

func TestNoiseOnThePortIsDroppedAndCounted(t *testing.T) {
	service := servicetest.New(t)
	r := start(t, config(t, service.Token.String()))
	a := newAgent(t, r.udp)
	key := a.announce().Certificate.Key
	_, handshakeForOther, err := handshake.Initiate(a.key, [32]byte{9: 7}, 1, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := handshake.Initiate(a.key, key, 1, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), first...)
	damaged[20] ^= 1
	transport := append([]byte{byte(wire.PacketTransport), wire.Version}, make([]byte, 40)...)
	for _, datagram := range [][]byte{
		{1}, {99, 1}, {1, 2, 3}, make([]byte, 1201), handshakeForOther, damaged, transport, {2, 1, 0}, {1, 1, 0},
	} {
		a.send(datagram)
	}
	a.connect(key) // all before it were looked at: one socket, one order
	_, metrics := r.get(t, "/metrics")
	for _, reason := range []string{"malformed", "unsupported", "too large", "handshake for another key", "no session", "unexpected announce reply"} {
		if !strings.Contains(metrics, fmt.Sprintf("assim_relay_datagrams_dropped_total{reason=%q}", reason)) {
			t.Errorf("nothing was counted as %q", reason)
		}
	}
}
