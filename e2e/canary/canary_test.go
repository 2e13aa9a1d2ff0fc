package canary_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

func TestMain(m *testing.M) {
	world.PeerMain()
	os.Exit(m.Run())
}

const hosts, packages, arguments, tokens = 1, 8, 9, 2 // 20 canaries

func TestNobodyOnTheWayReadsAlong(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it installs packages and captures datagrams")
	}
	listen := world.FreeTCP(t)
	through := newProxy(t, listen)
	w := world.New(t, world.Options{Listen: listen, Through: through.server.URL})

	canaries := needles{}
	host := word("host", 0)
	canaries["host"] = []byte(host)
	for i := range packages {
		name := word("package", i)
		installPackage(t, name)
		canaries["package "+strconv.Itoa(i)] = []byte(name)
	}
	var words []string
	for i := range arguments {
		words = append(words, word("user", i))
		canaries["argument "+strconv.Itoa(i)] = []byte(words[i])
	}
	password := word("password", 0)
	listener := world.FreeTCP(t)
	world.Peer(t, world.Node{}, "listen", listener, append(words, "--password="+password, "--token", password+"-2", "DB_PASSWORD="+password+"-3")...)

	relayToken, probeToken := secret(t, w, "relay"), secret(t, w, "probe")
	canaries["relay token"] = relayToken.Secret[:]
	canaries["probe token"] = probeToken.Secret[:]
	if len(canaries) != hosts+packages+arguments+tokens {
		t.Fatalf("%d canaries", len(canaries))
	}
	texts := needles{"relay token's text": []byte(relayToken.String()), "probe token's text": []byte(probeToken.String())}

	relayListen := world.FreeUDP(t)
	_, port, _ := strings.Cut(relayListen, ":")
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	stop := captureUDP(t, uint16(number))
	_, relay := w.Relay(world.Node{Name: "relay", Listen: relayListen, Token: relayToken.String(), Env: []string{"SSL_CERT_FILE=" + through.caFile}})
	w.Probe(world.Node{Name: "probe", Host: host, Relay: relay, Token: probeToken.String()})
	w.HostUp(host, time.Minute)
	// All of it has arrived where it may be read.
	world.Eventually(t, time.Minute, "the facts in the graph", func() (bool, string) {
		out := w.Assim("query", "allpackages", "-o", "json") + w.Assim("host", "facts", host, "-o", "json") + w.Assim("host", "facts", host, "sockets", "-o", "json")
		for _, name := range append(words, string(canaries["package 0"]), string(canaries["package 7"])) {
			if !strings.Contains(out, name) {
				return false, name + " is missing"
			}
		}
		if strings.Contains(out, password) {
			t.Fatal("a password of a command line is in a fact")
		}
		return true, ""
	})
	datagrams := stop()
	exchanges := through.exchanges()

	var crossed [][]byte
	volume := 0
	for _, d := range datagrams {
		crossed = append(crossed, d)
		volume += len(d)
	}
	paths := map[string]int{}
	for _, e := range exchanges {
		paths[e.path]++
		crossed = append(crossed, []byte(e.path), e.head, e.request, e.answer)
		volume += len(e.request) + len(e.answer)
		for _, body := range [][]byte{e.request, e.answer} {
			if opensAsZstd(t, body) {
				t.Errorf("a body of %s opens as zstd", e.path)
			}
		}
	}
	if len(datagrams) < 10 || paths["/relay/v1/enrol"] == 0 || paths["/relay/v1/batch"] == 0 || paths["/relay/v1/orders"] == 0 {
		t.Fatalf("captured %d datagrams and %v: that is not all there must have been", len(datagrams), paths)
	}
	for _, n := range []needles{canaries, texts} {
		if found, _ := n.found(crossed); len(found) > 0 {
			t.Errorf("readable on a wire: %v", found)
		}
	}
	// The proxy's whole captured stream, frame boundaries or not.
	if found, _ := canaries.found([][]byte{bytes.Join(crossed, nil)}); len(found) > 0 {
		t.Errorf("readable on a wire across datagrams: %v", found)
	}

	opened := open(t, w, exchanges)
	opened = append(opened, listenUnsealed(t, w, host, probeToken, func(heard [][]byte) bool {
		_, missing := canaries.found(append(heard, relayToken.Secret[:])) // which no probe ever holds
		return len(missing) == 0
	})...)
	found, missing := canaries.found(opened)
	if len(missing) > 0 {
		t.Errorf("the control, with the seals opened, does not find %v", missing)
	}
	t.Logf("%d datagrams and %d exchanges %v, %d bytes: 0 of %d canaries; control with the seals opened: %d of %d",
		len(datagrams), len(exchanges), paths, volume, len(canaries), len(found), len(canaries))
}

// secret mints a token and returns it parsed.
func secret(t *testing.T, w *world.World, kind string) tenancy.Token {
	t.Helper()
	_, text := w.Token(kind)
	token, err := tenancy.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// vault opens the world's database with its master key: the power of the
// service itself.
func vault(t *testing.T, w *world.World) (*store.DB, *keys.Master) {
	t.Helper()
	master, err := keys.Load(filepath.Join(w.Dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{AdminURL: w.Database, Passwords: master.Derive})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db, master
}

// open opens what relays sent with the keys of the service.
func open(t *testing.T, w *world.World, exchanges []exchange) [][]byte {
	t.Helper()
	db, master := vault(t, w)
	var tenant tenancy.TenantID
	var wrapped, signKey []byte
	ctx := context.Background()
	err := db.Global(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SELECT id FROM assim.tenants`).Scan(&tenant) })
	if err != nil {
		t.Fatal(err)
	}
	err = db.In(ctx, tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT t.seal_private, r.sign_key FROM assim.tenants t JOIN assim.relays r ON r.tenant = t.id`).Scan(&wrapped, &signKey)
	})
	if err != nil {
		t.Fatal(err)
	}
	private, err := master.Unwrap(keys.OfTenant(tenant), wrapped)
	if err != nil {
		t.Fatal(err)
	}
	key, err := uplink.ParseOpenKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var opened [][]byte
	for _, e := range exchanges {
		header, err := uplink.ParseHeader(e.request)
		if err != nil {
			continue // no envelope: a key or an install script was fetched
		}
		if header.Purpose == uplink.PurposeEnrol {
			_, request, err := uplink.OpenEnrolRequest(e.request, key)
			if err != nil {
				t.Fatal(err)
			}
			opened = append(opened, request.Secret)
			continue
		}
		_, payload, err := uplink.Open(e.request, header.Purpose, key, ed25519.PublicKey(signKey))
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, payload)
	}
	return opened
}
