package agent_test

import (
	"bytes"
	"crypto/ed25519"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/probe/internal/agent"
	"assimilation/wire"
	"assimilation/wire/handshake"

	cryptorand "crypto/rand"
)

const probeAddress = "10.0.0.9:1984"

// A restarted relay has its probe back at once, not when an echo fails.
func TestARelayCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.call = true
		stop := site.start(t, n, relayAddress)
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"), factOf(t, "x", "two"))
		site.until(t, "facts", 5*time.Second, func() bool { return len(site.facts) == 2 })
		stop()
		defer site.start(t, n, relayAddress)()
		site.until(t, "digests in a session that the relay began", time.Second, func() bool { return site.count("digests") == 2 })
		h.record(factOf(t, "", "changed"), factOf(t, "x", "two"))
		site.until(t, "a change", time.Second, func() bool { return site.count("put a/") == 2 })
		site.look(func() {
			if site.count("enrol") != 1 || site.count("put a/x") != 1 || len(site.announces) != 1 || site.sessions != 2 {
				t.Errorf("%d announces, %d sessions, %v", len(site.announces), site.sessions, site.log)
			}
		})
	})
}

// Whoever is not certified by the site, or only repeats what a relay has said,
// changes nothing.
func TestForgedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		var key handshake.Keypair
		defer site.start(t, n, relayAddress)()
		h := boot(t, n, &site.token, func(c *agent.Config) { key = c.Key })
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "fact", 5*time.Second, func() bool { return len(site.facts) == 1 })

		mallory, err := handshake.NewKeypair(cryptorand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		_, foreign, err := ed25519.GenerateKey(cryptorand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		good := site.certificate()
		own := good
		own.Key = mallory.Public
		expired := good
		expired.NotAfter = 1
		socket := n.open("10.0.0.66:1984")
		for name, c := range map[string]struct {
			by      handshake.Keypair
			payload []byte
			answers int
			drop    string
		}{
			"no certificate":         {mallory, nil, 0, "malformed"},
			"somebody's certificate": {mallory, good.Append(nil), 0, "forged call"},
			"of another site":        {mallory, own.Sign(foreign).Append(nil), 0, "bad signature"},
			"expired":                {site.relay, expired.Sign(site.key).Append(nil), 0, "expired"},
			"genuine, and repeated":  {site.relay, good.Append(nil), 1, ""},
		} {
			time.Sleep(time.Second)
			_, first, err := handshake.Initiate(c.by, key.Public, 9, c.payload, cryptorand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			before, err := h.agent.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 50 { // only one of them is worth an answer
				socket.Send(netip.MustParseAddrPort(probeAddress), first)
			}
			time.Sleep(100 * time.Millisecond)
			if got := len(socket.inbox); got != c.answers {
				t.Errorf("%s: %d answers, want %d", name, got, c.answers)
			}
			for len(socket.inbox) > 0 {
				<-socket.inbox
			}
			after, err := h.agent.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.drop != "" && after.Dropped[c.drop] == before.Dropped[c.drop] {
				t.Errorf("%s: dropped %v", name, after.Dropped)
			}
			if !after.SessionSince.Equal(before.SessionSince) || !after.Settled || after.Relay != relayAddress {
				t.Errorf("%s changed the session: %+v", name, after)
			}
		}
		h.record(factOf(t, "", "changed"))
		site.until(t, "a change in the old session", time.Second, func() bool { return site.count("put a/") == 2 })
	})
}

func TestCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, site := newNetwork(), newSite(t)
		site.guard = handshake.NewGuard(site.relay.Public, cryptorand.Reader)
		stop := site.start(t, n, relayAddress)
		var sent [][]byte
		n.setLoss(func(from, _ netip.AddrPort, datagram []byte) bool {
			if from.String() == probeAddress && wire.Type(datagram[0]) == wire.PacketHandshake1 {
				sent = append(sent, bytes.Clone(datagram))
			}
			return false
		})
		h := boot(t, n, &site.token, nil)
		defer h.stop()
		h.record(factOf(t, "", "one"))
		site.until(t, "fact", 5*time.Second, func() bool { return len(site.facts) == 1 })
		stop()
		defer site.start(t, n, relayAddress)()
		h.record(factOf(t, "", "two")) // noticed within 8 s: the cookie is still good
		site.until(t, "fact in the next session", 20*time.Second, func() bool { return site.count("put a/") == 2 })
		site.look(func() {
			noMAC2 := make([]byte, wire.MACSize)
			with := slices.IndexFunc(sent, func(p []byte) bool { return !bytes.HasSuffix(p, noMAC2) })
			if site.cookies != 1 || len(sent) != 3 || with != 1 {
				t.Errorf("%d cookies, %d first messages, the first with a cookie is number %d; want 1, 3, 1", site.cookies, len(sent), with)
			}
		})
	})
}
