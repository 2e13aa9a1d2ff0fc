package sites_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/sites"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func (w *world) enrolled(site, name string) *relay {
	w.t.Helper()
	_, secret := w.mint(site, `{"kind":"relay"}`)
	return w.relay(name, secret).mustEnrol()
}

func (w *world) count(r *relay, token string) {
	w.t.Helper()
	err := w.db.In(w.t.Context(), w.a.id, func(tx pgx.Tx) error {
		return allowance.Count(w.t.Context(), tx, w.a.id, allowance.Use{Relay: r.answer.Relay, Token: token, Host: tenancy.NewID[tenancy.HostID](), By: "web-1", At: time.Now()})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestOrdersAreASnapshot(t *testing.T) {
	w := newWorld(t)
	site := w.site(adminOfA, "berlin")
	w.site(adminOfA, "hamburg")
	r := w.enrolled("berlin", "relay-1")
	_, free := w.mint("berlin", `{"kind":"probe","labels":{"env":"prod"}}`)
	_, five := w.mint("berlin", `{"kind":"probe","max_uses":5}`)
	_, ended := w.mint("berlin", `{"kind":"probe"}`)
	w.must(w.call(adminOfA, "DELETE", "/v1/tokens/"+ended.ID, "", nil), http.StatusNoContent, "revoking")
	_, old := w.mint("berlin", `{"kind":"probe"}`)
	w.exec(w.a.id, `UPDATE tokens SET expires_at = now() - interval '91 days' WHERE id = $1`, old.ID)
	_, late := w.mint("berlin", `{"kind":"probe"}`)
	w.exec(w.a.id, `UPDATE tokens SET expires_at = now() - interval '1 day' WHERE id = $1`, late.ID)
	_, elsewhere := w.mint("hamburg", `{"kind":"probe","labels":{"secret":"of hamburg"}}`)
	retired := uuid.New()
	w.exec(w.a.id, `
		INSERT INTO hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at, retired_at)
		VALUES ($1, $2, $3, $4, 'old', '\x00', 'up', now(), now(), now(), now())`, retired, w.a.id, site.ID, r.answer.Relay)

	o := r.orders(0, 0)
	if o.NotModified || o.Revision == 0 || o.SiteName != "berlin" || !bytes.Equal(o.Certificate, r.answer.Certificate) {
		t.Errorf("orders = %+v", o)
	}
	if len(o.Retired) != 1 || o.Retired[0].UUID != retired {
		t.Errorf("retired = %v", o.Retired)
	}
	for _, c := range []struct {
		name  string
		token tenancy.Token
		want  uplink.TokenOrder
	}{
		{"without a limit", free, uplink.TokenOrder{Allowance: -1, Labels: map[string]string{"env": "prod"}}},
		{"five uses, one relay", five, uplink.TokenOrder{Allowance: 5}},
		{"revoked", ended, uplink.TokenOrder{Allowance: -1, Revoked: true}},
		{"expired", late, uplink.TokenOrder{Allowance: -1}},
		{"of another site", elsewhere, uplink.TokenOrder{WrongSite: true}},
	} {
		got, ok := token(o, c.token.ID)
		hash := c.token.Hash()
		if !ok || got.Allowance != c.want.Allowance || got.Revoked != c.want.Revoked || got.WrongSite != c.want.WrongSite ||
			len(got.Labels) != len(c.want.Labels) || got.UsedUp || !bytes.Equal(got.Hash, hash[:]) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if expired := got.Expires != 0 && got.Expires < time.Now().UnixMilli(); expired != (c.name == "expired") {
			t.Errorf("%s: expires %d", c.name, got.Expires)
		}
	}
	if _, ok := token(o, old.ID); ok {
		t.Error("a token that expired 91 days ago is still told")
	}
	if again := r.orders(o.Revision, 0); !again.NotModified {
		t.Errorf("nothing is new, but: %+v", again)
	}
	// A database that was restored is behind: the relay takes what it says.
	if behind := r.orders(o.Revision+100, 0); behind.NotModified || behind.Revision != o.Revision {
		t.Errorf("revision of the future: %+v", behind)
	}
}

func TestOrdersWaitForNews(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	now := r.orders(0, 0)
	envelope := r.ordersEnvelope(now.Revision, 20*time.Second)
	type answer struct {
		status int
		body   []byte
	}
	answers := make(chan answer, 1)
	go func() {
		status, body := w.post("/relay/v1/orders", envelope)
		answers <- answer{status, body}
	}()
	// The token may be minted before or while the request waits: both must do.
	_, secret := w.mint("berlin", `{"kind":"probe"}`)
	got := <-answers
	o := r.read(got.status, got.body)
	if _, ok := token(o, secret.ID); !ok || o.Revision <= now.Revision {
		t.Errorf("orders = %+v", o)
	}
	if o := r.orders(o.Revision, 50*time.Millisecond); !o.NotModified || o.Revision == 0 {
		t.Errorf("after the wait: %+v", o)
	}
}

func TestRevokedRelayIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	now := r.orders(0, 0)
	envelope := r.ordersEnvelope(now.Revision, 20*time.Second)
	statuses, bodies := make(chan int, 1), make(chan []byte, 1)
	go func() {
		status, body := w.post("/relay/v1/orders", envelope)
		statuses <- status
		bodies <- body
	}()
	clicked := time.Now()
	w.must(w.call(adminOfA, "DELETE", "/v1/relays/"+r.answer.Relay.String(), "", nil), http.StatusNoContent, "revoking")
	out := time.Since(clicked)
	if o := r.read(<-statuses, <-bodies); !o.Revoked || len(o.Tokens) != 0 {
		t.Errorf("orders = %+v", o)
	}
	t.Logf("from the click: %d ms until the relay is refused, %d ms until it was told, which waited for orders", out.Milliseconds(), time.Since(clicked).Milliseconds())
	if o := r.orders(0, 0); !o.Revoked {
		t.Errorf("orders = %+v", o)
	}
}

// The other relay of the site gets the site's own word on the one that was revoked,
// for its probes; a relay of another site gets none.
func TestRevocationForProbes(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	w.site(adminOfA, "paris")
	gone, stays, elsewhere := w.enrolled("berlin", "relay-1"), w.enrolled("berlin", "relay-2"), w.enrolled("paris", "relay-3")
	if o := stays.orders(0, 0); len(o.Revocation) != 0 {
		t.Errorf("before: %x", o.Revocation)
	}
	clicked := time.Now()
	w.must(w.call(adminOfA, "DELETE", "/v1/relays/"+gone.answer.Relay.String(), "", nil), http.StatusNoContent, "revoking")
	o := stays.orders(0, 0)
	t.Logf("from the click: %d ms until the site's other relay had the word for its probes", time.Since(clicked).Milliseconds())
	r, err := wire.ParseRevocation(o.Revocation)
	if err == nil {
		err = r.Verify(stays.answer.SiteKey)
	}
	if err != nil || len(r.Relays) != 1 || r.Relays[0] != [16]byte(gone.answer.Relay.UUID) || time.Since(time.UnixMilli(r.At)).Abs() > time.Hour {
		t.Errorf("revocation %+v, %v", r, err)
	}
	if again := stays.orders(0, 0); string(again.Revocation) != string(o.Revocation) {
		t.Error("the same relays made other bytes")
	}
	if o := elsewhere.orders(0, 0); len(o.Revocation) != 0 {
		t.Errorf("at the other site: %x", o.Revocation)
	}
}

func TestSignsOfLife(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	recorded := r.ordersEnvelope(0, 0)
	r.read(w.post("/relay/v1/orders", recorded))
	var relays items[sites.Relay]
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/relays", "", &relays), http.StatusOK, "listing relays")
	if got := relays.Items[0]; got.State != sites.Online || got.Version != "1.1" || got.Backlog != 7 {
		t.Errorf("relay = %+v", got)
	}
	w.exec(w.a.id, `UPDATE relays SET seen_at = now() - interval '1 hour'`)
	r.read(w.post("/relay/v1/orders", recorded))
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/relays", "", &relays), http.StatusOK, "listing relays")
	if relays.Items[0].State != sites.Silent {
		t.Error("a recorded request played again made a silent relay look alive")
	}
	r.orders(0, 0)
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/relays", "", &relays), http.StatusOK, "listing relays")
	if relays.Items[0].State != sites.Online {
		t.Errorf("state = %s", relays.Items[0].State)
	}
	// A clock that ran ahead and was set right must not keep the relay silent.
	w.exec(w.a.id, `UPDATE relays SET seen_at = now() - interval '1 hour', sent_at = sent_at + 86400000`)
	r.orders(0, 0)
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/relays", "", &relays), http.StatusOK, "listing relays")
	if relays.Items[0].State != sites.Online {
		t.Errorf("after a clock that ran ahead: %s", relays.Items[0].State)
	}
}

func TestStrangersGetNoOrders(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	unknown := *r
	unknown.answer.Relay = tenancy.NewID[tenancy.RelayID]()
	forger := w.relay("forger", tenancy.Token{ID: "000000000000"})
	forger.answer = r.answer
	otherTenant := *r
	otherTenant.tenant = w.b.seal
	for name, c := range map[string]struct {
		envelope []byte
		status   int
		want     wire.Reason
	}{
		"unknown relay":              {unknown.ordersEnvelope(0, 0), 401, wire.NotEnrolled},
		"signed by another":          {forger.ordersEnvelope(0, 0), 401, wire.BadSignature},
		"sealed to another tenant":   {otherTenant.ordersEnvelope(0, 0), 403, wire.WrongTenant},
		"payload of another message": {r.seal(uplink.NewHeader(uplink.PurposeOrdersRequest, r.answer.Relay, time.Now()), []byte{0xa0}, nil), 400, wire.Malformed},
	} {
		status, body := w.post("/relay/v1/orders", c.envelope)
		if status != c.status || !says(body, c.want) {
			t.Errorf("%s: %d %q", name, status, body)
		}
	}
	if query[bool](w, w.a.id, `SELECT seen_at IS NOT NULL FROM relays`) {
		t.Error("a refused request counts as a sign of life")
	}
}

func TestLeasesNeverExceedTheLimit(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	_, five := w.mint("berlin", `{"kind":"probe","max_uses":5}`)
	one, two := w.enrolled("berlin", "one"), w.enrolled("berlin", "two")
	allowanceOf := func(r *relay) uplink.TokenOrder {
		t.Helper()
		o, _ := token(r.orders(0, 0), five.ID)
		total := query[int](w, w.a.id, `SELECT coalesce(sum(granted), 0)::int FROM token_leases WHERE token = $1`, five.ID)
		if total > 5 {
			t.Fatalf("%d of 5 uses are leased", total)
		}
		return o
	}
	if got := allowanceOf(one).Allowance; got != 3 {
		t.Errorf("first of two relays: %d", got)
	}
	if got := allowanceOf(two).Allowance; got != 1 {
		t.Errorf("second of two relays: %d", got)
	}
	if got := allowanceOf(one).Allowance; got != 3 {
		t.Errorf("a relay that has uses left got more: %d", got)
	}
	before := one.orders(0, 0).Revision
	w.count(two, five.ID) // its only one; one more is free
	if after := one.orders(0, 0).Revision; after <= before {
		t.Error("relays are not told that a spent lease can be filled")
	}
	if got := allowanceOf(two).Allowance; got != 2 {
		t.Errorf("after spending its lease: %d", got)
	}
	w.count(two, five.ID)
	if got := allowanceOf(two); got.Allowance != 2 || !got.UsedUp {
		t.Errorf("nothing is free: %+v", got)
	}
	// What a revoked relay did not use is free again.
	w.must(w.call(adminOfA, "DELETE", "/v1/relays/"+one.answer.Relay.String(), "", nil), http.StatusNoContent, "revoking")
	if got := allowanceOf(two); got.Allowance != 5 || got.UsedUp {
		t.Errorf("alone again: %+v", got)
	}
	for range 3 {
		w.count(two, five.ID)
	}
	if got := allowanceOf(two); !got.UsedUp {
		t.Errorf("all spent: %+v", got)
	}
	var tokens items[sites.Token]
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/tokens", "", &tokens), http.StatusOK, "listing tokens")
	for _, got := range tokens.Items {
		if got.ID == five.ID && (got.State != sites.UsedUp || got.Uses != 5 || got.LastUsedBy != "web-1") {
			t.Errorf("token = %+v", got)
		}
	}
	w.count(two, "000000000000") // not ours: counts nothing, fails nothing
}

func TestCertificateIsRenewedInTime(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	now := r.orders(0, 0)
	old, err := wire.ParseCertificate(r.answer.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	old.NotAfter = time.Now().Add(29 * 24 * time.Hour).Unix()
	w.exec(w.a.id, `UPDATE relays SET certificate = $1`, old.Append(nil))
	o := r.orders(now.Revision, 0)
	certificate, err := wire.ParseCertificate(o.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := certificate.Verify(r.answer.SiteKey, time.Now().Add(80*24*time.Hour)); err != nil {
		t.Error(err)
	}
	if certificate.Key != old.Key || o.Revision <= now.Revision {
		t.Errorf("renewed = %+v at revision %d", certificate, o.Revision)
	}
	// That answer got lost: the relay asks with its old revision.
	if again := r.orders(now.Revision, 0); !bytes.Equal(again.Certificate, o.Certificate) {
		t.Error("a lost answer loses the renewal")
	}
}

func TestACapturedRequestIsNotWorthMuch(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	captured := r.ordersEnvelope(r.orders(0, 0).Revision, 20*time.Second)
	const copies = 40
	answers := make(chan int, copies)
	for range copies {
		go func() {
			status, _ := w.post("/relay/v1/orders", captured)
			answers <- status
		}()
	}
	for range copies - 8 { // while the others wait
		if status := <-answers; status != http.StatusTooManyRequests {
			t.Errorf("a copy too many got %d", status)
		}
	}
	w.mint("berlin", `{"kind":"probe"}`) // ends the wait
	for range 8 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("one that waited got %d", status)
		}
	}
	if status, _ := w.post("/relay/v1/orders", r.ordersEnvelope(0, 0)); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}
