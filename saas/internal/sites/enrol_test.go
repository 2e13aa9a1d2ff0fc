package sites_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/sites"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func TestRelayEnrols(t *testing.T) {
	w := newWorld(t)
	site := w.site(adminOfA, "berlin")
	_, secret := w.mint("berlin", `{"kind":"relay"}`)

	answer, err := http.Get(w.url + "/relay/v1/keys/" + hexOf(w.a.seal))
	if err != nil {
		t.Fatal(err)
	}
	key, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !bytes.Equal(key, w.a.seal.Bytes()) {
		t.Fatalf("the tenant's key = %d bytes, %v", len(key), err)
	}

	r := w.relay("relay-1", secret).mustEnrol()
	if r.answer.Tenant != w.a.id || r.answer.Site != site.ID || r.answer.SiteName != "berlin" {
		t.Errorf("answer = %+v", r.answer)
	}
	certificate, err := wire.ParseCertificate(r.answer.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := certificate.Verify(r.answer.SiteKey, time.Now()); err != nil {
		t.Error(err)
	}
	life := time.Until(time.Unix(certificate.NotAfter, 0))
	if certificate.Key != [32]byte(r.request.NoiseKey) || certificate.Relay != r.answer.Relay.UUID || certificate.Site != site.ID.UUID || life < 89*24*time.Hour {
		t.Errorf("certificate = %+v", certificate)
	}
	// The answer got lost: the same relay asks again, with a fresh envelope and
	// by the very same one.
	first := r.answer
	if again := r.enrol(); again.Relay != first.Relay || !bytes.Equal(again.Certificate, first.Certificate) {
		t.Errorf("repeated enrolment = %+v", again)
	}
	if uses := query[int](w, w.a.id, `SELECT uses FROM tokens WHERE id = $1`, secret.ID); uses != 1 {
		t.Errorf("%d uses were counted", uses)
	}
	if by := query[string](w, w.a.id, `SELECT last_used_by FROM tokens WHERE id = $1`, secret.ID); by != "relay-1" {
		t.Errorf("last used by %q", by)
	}
	var relays items[sites.Relay]
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/relays", "", &relays), http.StatusOK, "listing relays")
	if len(relays.Items) != 1 || relays.Items[0].State != sites.Waiting || relays.Items[0].Name != "relay-1" {
		t.Errorf("relays = %+v", relays.Items)
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM events WHERE type = 'relay.enrolled'`); n != 1 {
		t.Errorf("%d events of an enrolment", n)
	}
}

func TestEnrolmentRefusals(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	w.site(adminOfA, "hamburg")
	_, spent := w.mint("berlin", `{"kind":"relay","max_uses":1}`)
	enrolled := w.relay("first", spent).mustEnrol()
	_, late := w.mint("berlin", `{"kind":"relay"}`)
	w.exec(w.a.id, `UPDATE tokens SET expires_at = now() - interval '1 second' WHERE id = $1`, late.ID)
	_, ended := w.mint("berlin", `{"kind":"relay"}`)
	w.must(w.call(adminOfA, "DELETE", "/v1/tokens/"+ended.ID, "", nil), http.StatusNoContent, "revoking")
	_, probes := w.mint("berlin", `{"kind":"probe"}`)
	_, good := w.mint("berlin", `{"kind":"relay"}`)
	_, elsewhere := w.mint("hamburg", `{"kind":"relay"}`)

	wrongSecret := good
	wrongSecret.Secret[0] ^= 1
	stranger := tenancy.NewToken(tenancy.RelayToken, w.a.seal.Hash(), "")
	late2 := w.relay("slow clock", good)
	late2.request.Time -= time.Hour.Milliseconds()
	moved := *enrolled
	moved.request.TokenID, moved.request.Secret = elsewhere.ID, elsewhere.Secret[:]
	rekeyed := *enrolled
	rekeyed.request.NoiseKey = bytes.Repeat([]byte{1}, 32)

	for _, c := range []struct {
		name string
		r    *relay
		want wire.Reason
	}{
		{"used up", w.relay("second", spent), wire.UsedUp},
		{"expired", w.relay("third", late), wire.Expired},
		{"revoked", w.relay("fourth", ended), wire.Revoked},
		{"of probes", w.relay("fifth", probes), wire.WrongKind},
		{"wrong secret", w.relay("sixth", wrongSecret), wire.UnknownToken},
		{"never minted", w.relay("seventh", stranger), wire.UnknownToken},
		{"clock skew", late2, wire.ClockSkew},
		{"enrolled in another site", &moved, wire.WrongSite},
		{"enrolled with other keys", &rekeyed, wire.Replayed},
	} {
		answer := c.r.enrol()
		if answer.Reason != c.want || answer.Detail == "" || !answer.Relay.IsZero() {
			t.Errorf("%s: %s: %s", c.name, answer.Reason, answer.Detail)
		}
		shown := query[int](w, w.a.id, `
			SELECT count(*) FROM events WHERE type = 'refusal' AND detail->>'reason' = $1 AND detail->>'from' = $2 AND detail->>'token' = $3`,
			c.want.String(), c.r.request.Name, c.r.request.TokenID)
		if shown != 1 {
			t.Errorf("%s: %d events show it", c.name, shown)
		}
		if !strings.Contains(w.log.String(), `reason="`+c.want.String()+`"`) && !strings.Contains(w.log.String(), "reason="+c.want.String()) {
			t.Errorf("%s: not in the log", c.name)
		}
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM relays`); n != 1 {
		t.Errorf("%d relays", n)
	}
	if n := query[int](w, w.a.id, `SELECT uses FROM tokens WHERE id = $1`, good.ID); n != 0 {
		t.Errorf("a refused enrolment spent %d uses", n)
	}

	// Trying again every second is one event.
	before := query[int](w, w.a.id, `SELECT count(*) FROM events`)
	w.relay("third", late).enrol()
	if after := query[int](w, w.a.id, `SELECT count(*) FROM events`); after != before {
		t.Errorf("a repeated refusal is an event again")
	}

	// A revoked relay cannot come back with its old key.
	w.must(w.call(adminOfA, "DELETE", "/v1/relays/"+enrolled.answer.Relay.String(), "", nil), http.StatusNoContent, "revoking the relay")
	if answer := enrolled.enrol(); answer.Reason != wire.Revoked {
		t.Errorf("revoked relay: %s", answer.Reason)
	}
}

func TestEnrolmentThatCannotBeAnswered(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	_, secret := w.mint("berlin", `{"kind":"relay"}`)
	r := w.relay("relay", secret)
	other, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	astray := *r
	astray.tenant = other.SealKey()
	flipped := r.enrolEnvelope()
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name     string
		envelope []byte
		status   int
		want     wire.Reason
	}{
		{"nothing", nil, 400, wire.Malformed},
		{"too large", make([]byte, 65<<10), 413, wire.TooLarge},
		{"nobody's key", astray.enrolEnvelope(), 403, wire.WrongTenant},
		{"signature", flipped, 401, wire.BadSignature},
		{"orders instead", func() []byte { r.answer.Relay = tenancy.NewID[tenancy.RelayID](); return r.ordersEnvelope(0, 0) }(), 400, wire.Malformed},
	} {
		status, body := w.post("/relay/v1/enrol", c.envelope)
		if status != c.status || !says(body, c.want) {
			t.Errorf("%s: %d %q", c.name, status, body)
		}
	}
	want := map[string]float64{"bad signature": 1, "malformed": 2, "too large": 1, "wrong tenant": 1}
	if got := w.refusals("enrol"); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM relays`); n != 0 {
		t.Errorf("%d relays", n)
	}
	for path, want := range map[string]int{"/relay/v1/keys/zz": 400, "/relay/v1/keys/" + strings.Repeat("00", 32): 403} {
		answer, err := http.Get(w.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

func TestEnrolmentIsRateLimited(t *testing.T) {
	w := newWorld(t)
	for try := range 300 { // on a slow machine the allowance refills meanwhile
		status, body := w.post("/relay/v1/enrol", []byte("x"))
		switch {
		case status == http.StatusTooManyRequests && string(body) == "busy\n" && try >= 60:
			return
		case status != http.StatusBadRequest:
			t.Fatalf("try %d: %d %q", try, status, body)
		}
	}
	t.Error("300 tries at once were let through")
}

// A site's relays, and those of other sites, are so many: one more hears how many.
func TestOneRelayMore(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	_, most := quota.Relays.Bound()
	w.exec(w.a.id, `INSERT INTO relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate)
		SELECT gen_random_uuid(), tenant, site, n::text, '', '', sha256(n::text::bytea), '', '' FROM relays, generate_series(2, $1::bigint) n`, most)
	_, secret := w.mint("berlin", `{"kind":"relay"}`)
	last := w.relay("relay-2", secret)
	if answer := last.enrol(); answer.Reason != wire.OverQuota || !strings.Contains(answer.Detail, fmt.Sprintf("may have %d; revoke one first", most)) {
		t.Errorf("one more: %s: %s", answer.Reason, answer.Detail)
	}
	w.must(w.call(adminOfA, "DELETE", "/v1/relays/"+r.answer.Relay.String(), "", nil), http.StatusNoContent, "revoking")
	last.mustEnrol()
}
