package sites_test

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"assimilation/saas/internal/sites"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func (w *world) key(method, path, body string, want int) (k sites.Key) {
	w.t.Helper()
	w.must(w.call(adminOfA, method, "/v1/sites/berlin/key"+path, body, &k), want, path)
	return k
}

// host makes a host of the site that has stored a statement.
func (w *world) host(site sites.Site, name string, sequence int) {
	w.t.Helper()
	w.exec(w.a.id, `INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, agent_version, os, arch, labels, token, enrolled_at, changed_at, key_sequence)
		SELECT gen_random_uuid(), $1, $2, id, $3, '\x00', 'silent', '2026-01-31T00:00:00Z', '', '', '', '{}', '', now(), now(), $4
		FROM assim.relays WHERE site = $2 LIMIT 1`, w.a.id, site.ID, name, sequence)
}

// follow reads the statement in orders by the keys trusted so far.
func follow(t *testing.T, trusted wire.Keys, o uplink.Orders) (wire.Keys, wire.KeyStatement) {
	t.Helper()
	s, err := wire.ParseKeyStatement(o.SiteKeys)
	if err != nil {
		t.Fatal(err)
	}
	if trusted, err = trusted.Extend(s); err != nil {
		t.Fatal(err)
	}
	return trusted, s
}

func certifiedBy(t *testing.T, encoded []byte, key [32]byte) {
	t.Helper()
	c, err := wire.ParseCertificate(encoded)
	if err == nil {
		err = c.Verify(key[:], time.Now())
	}
	if err != nil {
		t.Error(err)
	}
}

// TestASiteKeyIsReplaced goes the whole way for who runs the site, and for a relay.
func TestASiteKeyIsReplaced(t *testing.T) {
	w := newWorld(t)
	site := w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	old := wire.Keys{[32]byte(r.answer.SiteKey)}
	_, early := w.mint("berlin", `{"kind":"probe"}`)
	first := r.orders(0, 0)
	if first.SiteKeys != nil || first.NextCertificate != nil || early.Pin != old[0] {
		t.Fatalf("before a rotation: %+v", first)
	}
	w.host(site, "hears", 0)
	if k := w.key("GET", "", "", http.StatusOK); k.Next != nil || k.Hosts.Knowing != 1 || k.Relays.Knowing != 1 || k.Tokens != 0 {
		t.Errorf("before a rotation: %+v", k)
	}
	w.key("POST", "/retire", `{}`, http.StatusConflict)

	k := w.key("POST", "/rotate", `{}`, http.StatusOK)
	if k.Next == nil || k.Tokens != 1 || k.Hosts.Knowing != 0 || len(k.Hosts.Missing) != 1 || k.Relays.Knowing != 0 {
		t.Fatalf("after a rotation: %+v", k)
	}
	w.key("POST", "/rotate", `{}`, http.StatusConflict)
	orders := r.orders(first.Revision, 0) // still by the old key: read has verified it
	both, statement := follow(t, old, orders)
	if statement.Alone || statement.Sequence != 1 || len(both) != 2 {
		t.Fatalf("%+v makes trusted %x", statement, both)
	}
	certifiedBy(t, orders.Certificate, old[0])
	certifiedBy(t, orders.NextCertificate, both[0])
	if string(orders.SiteSecret) != string(first.SiteSecret) || string(orders.Relays[0].NextCertificate) != string(orders.NextCertificate) {
		t.Errorf("the site's secret or the relays changed: %+v", orders)
	}
	_, late := w.mint("berlin", `{"kind":"probe"}`)
	if late.Pin != both[0] {
		t.Error("a token of now pins the old key")
	}
	second := w.enrolled("berlin", "relay-2")
	if got := second.orders(0, 0); second.answer.SiteKey[0] != old[0][0] || got.NextCertificate == nil {
		t.Error("a relay that joins meanwhile has no certificate by the next key")
	}

	var refusal struct{ Detail string }
	w.must(w.call(adminOfA, "POST", "/v1/sites/berlin/key/retire", `{}`, &refusal), http.StatusConflict, "retiring too early")
	for _, want := range []string{"0 of 1 hosts", "0 of 2 relays", "hears (silent since 2026-01-31T00:00:00Z)", "relay-1 (online since", "relay-2"} {
		if !strings.Contains(refusal.Detail, want) {
			t.Errorf("%q does not say %q", refusal.Detail, want)
		}
	}
	w.exec(w.a.id, `UPDATE assim.hosts SET key_sequence = 1`)
	for _, relay := range []*relay{r, second} {
		relay.siteKeys = 1
		relay.orders(0, 0)
	}
	k = w.key("GET", "", "", http.StatusOK)
	if k.Hosts.Knowing != 1 || k.Relays.Knowing != 2 {
		t.Fatalf("all know it: %+v", k)
	}

	w.host(site, "never-heard", 0)
	w.key("POST", "/retire", `{}`, http.StatusConflict)
	k = w.key("POST", "/retire", `{"force":true}`, http.StatusOK)
	if k.Next != nil || k.Former == "" || len(k.Hosts.Missing) != 1 || k.Hosts.Missing[0].Name != "never-heard" {
		t.Fatalf("after the end of the old key: %+v", k)
	}
	r.answer.SiteKey = both[0][:] // it takes both; the service signs by the new one now
	last := r.orders(orders.Revision, 0)
	alone, statement := follow(t, both, last)
	if !statement.Alone || statement.Sequence != 2 || statement.Former != old[0] || len(alone) != 1 || last.NextCertificate != nil {
		t.Errorf("%+v makes trusted %x", statement, alone)
	}
	certifiedBy(t, last.Certificate, alone[0])
	if string(last.SiteSecret) != string(first.SiteSecret) {
		t.Error("the site's secret has changed with its key")
	}
	for id, revoked := range map[string]bool{early.ID: true, late.ID: false} {
		if o, ok := token(last, id); !ok || o.Revoked != revoked {
			t.Errorf("token %s: %+v", id, o)
		}
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM assim.audit WHERE action LIKE 'site.key.%'`); n != 2 {
		t.Errorf("%d entries of the audit log", n)
	}
}

// TestACompromisedSiteKeyIsReplacedAtOnce shows that nothing introduces the next key.
func TestACompromisedSiteKeyIsReplacedAtOnce(t *testing.T) {
	w := newWorld(t)
	site := w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	_, early := w.mint("berlin", `{"kind":"probe"}`)
	before := r.orders(0, 0)
	w.host(site, "hears", 0)
	w.key("POST", "/rotate", `{}`, http.StatusOK) // it is under way
	k := w.key("POST", "/rotate", `{"compromised":true}`, http.StatusOK)
	if k.Next != nil || k.Relays.Total != 0 || k.Hosts.Knowing != 0 {
		t.Fatalf("after the replacement: %+v", k)
	}
	status, body := w.post("/relay/v1/orders", r.ordersEnvelope(before.Revision, 0))
	if _, _, err := uplink.Open(body, uplink.PurposeOrders, r.open, r.answer.SiteKey); status != http.StatusOK || wire.ReasonOf(err) != wire.BadSignature {
		t.Errorf("the old key's relay: %d, %v", status, err)
	}
	again := w.enrolled("berlin", "relay-1")
	if string(again.answer.SiteKey) == string(r.answer.SiteKey) {
		t.Fatal("the site's key is the same")
	}
	orders := again.orders(0, 0)
	keys := wire.Keys{[32]byte(again.answer.SiteKey)}
	if _, statement := follow(t, keys, orders); !statement.Alone || statement.Sequence != 3 {
		t.Errorf("%+v", statement)
	}
	if _, err := (wire.Keys{[32]byte(r.answer.SiteKey)}).Extend(mustParse(t, orders.SiteKeys)); wire.ReasonOf(err) != wire.BadSignature {
		t.Errorf("who trusts the old key is led to the new one: %v", err)
	}
	if string(orders.SiteSecret) == string(before.SiteSecret) {
		t.Error("who has the old key has what the relays share")
	}
	revoked, err := wire.ParseRevocation(orders.Revocation)
	if err != nil || revoked.Verify(ed25519.PublicKey(again.answer.SiteKey)) != nil || len(revoked.Relays) != 1 {
		t.Errorf("who is revoked: %+v, %v", revoked, err)
	}
	if o, ok := token(orders, early.ID); !ok || !o.Revoked {
		t.Errorf("a token of before: %+v", o)
	}
}

func mustParse(t *testing.T, encoded []byte) wire.KeyStatement {
	t.Helper()
	s, err := wire.ParseKeyStatement(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhoMayReplaceASiteKey(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	for _, c := range []struct {
		as   tenancy.Token
		want int
	}{{viewerOfA, http.StatusForbidden}, {adminOfB, http.StatusNotFound}} {
		for _, path := range []string{"rotate", "retire"} {
			w.must(w.call(c.as, "POST", "/v1/sites/berlin/key/"+path, `{}`, nil), c.want, path)
		}
	}
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/key", "", nil), http.StatusOK, "looking at it")
}
