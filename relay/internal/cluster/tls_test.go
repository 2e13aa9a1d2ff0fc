package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"testing"

	"assimilation/tenancy"
)

// member is a relay of a made-up site.
type member struct {
	id   tenancy.RelayID
	sign ed25519.PrivateKey
}

func newMember(t testing.TB) member {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return member{tenancy.NewID[tenancy.RelayID](), key}
}

func among(members ...member) identify {
	return func(key ed25519.PublicKey) (tenancy.RelayID, bool) {
		for _, m := range members {
			if key.Equal(m.sign.Public()) {
				return m.id, true
			}
		}
		return tenancy.RelayID{}, false
	}
}

func (m member) config(t testing.TB, who identify) *tls.Config {
	t.Helper()
	certificate, err := selfSigned(m.sign)
	if err != nil {
		t.Fatal(err)
	}
	return mutual(certificate, who, streamProtocol, gossipProtocol)
}

func TestOnlyTheSitesRelaysGetIn(t *testing.T) {
	a, b, c, stranger := newMember(t), newMember(t), newMember(t), newMember(t)
	doors, err := listen("127.0.0.1:0", netip.AddrPort{}, a.config(t, among(b, c)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doors.Shutdown() })
	address := doors.listener.Addr().String()
	// call opens a stream, and reads until the other end says what it makes of it.
	call := func(config *tls.Config, protocol string) error {
		conn, err := dial(context.Background(), address, protocol, config)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		return err
	}
	let := make(chan tenancy.RelayID, 1)
	go func() {
		for {
			select {
			case conn := <-doors.streams:
				id, _ := peerOf(conn.ConnectionState(), among(b, c))
				let <- id
				conn.Close()
			case <-doors.ended.Done():
				return
			}
		}
	}()
	if err := call(b.config(t, among(a)), streamProtocol); !errors.Is(err, io.EOF) {
		t.Fatalf("a relay of the site: %v", err)
	}
	if id := <-let; id != b.id {
		t.Errorf("b was taken for %s", id)
	}
	nobody := b.config(t, among(a))
	nobody.Certificates = nil
	old := b.config(t, among(a))
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	for name, try := range map[string]struct {
		config   *tls.Config
		protocol string
	}{
		"a stranger":                {stranger.config(t, among(a)), streamProtocol},
		"nobody":                    {nobody, streamProtocol},
		"an older TLS":              {old, streamProtocol},
		"another protocol":          {b.config(t, among(a)), "h2"},
		"who expects another relay": {b.config(t, only(c.id, among(a, c))), streamProtocol},
		"who knows nobody":          {b.config(t, among()), streamProtocol},
	} {
		if err := call(try.config, try.protocol); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s got in: %v", name, err)
		}
	}
	select {
	case id := <-let:
		t.Errorf("somebody got in as %s", id)
	default:
	}
}
