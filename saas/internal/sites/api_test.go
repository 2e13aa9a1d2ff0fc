package sites_test

import (
	"net/http"
	"strings"
	"testing"

	"assimilation/saas/internal/sites"
	"assimilation/tenancy"
)

func TestSitesTokensAndRoles(t *testing.T) {
	w := newWorld(t)
	berlin := w.site(adminOfA, "berlin")
	w.site(adminOfA, "münchen 2")

	var got sites.Site
	for _, ref := range []string{"berlin", berlin.ID.String(), strings.ToUpper(berlin.ID.String())} {
		w.must(w.call(viewerOfA, "GET", "/v1/sites/"+ref, "", &got), http.StatusOK, "getting a site by "+ref)
		if got.ID != berlin.ID || got.Name != "berlin" || got.Realm != berlin.ID.String() {
			t.Errorf("site by %s = %+v", ref, got)
		}
	}
	var page items[sites.Site]
	w.must(w.call(viewerOfA, "GET", "/v1/sites?limit=1", "", &page), http.StatusOK, "listing sites")
	if len(page.Items) != 1 || page.Items[0].Name != "berlin" || page.Next == "" {
		t.Fatalf("first page = %+v", page)
	}
	cursor := page.Next
	page = items[sites.Site]{}
	w.must(w.call(viewerOfA, "GET", "/v1/sites?limit=1&cursor="+cursor, "", &page), http.StatusOK, "listing sites")
	if len(page.Items) != 1 || page.Items[0].Name != "münchen 2" || page.Next != "" {
		t.Errorf("second page = %+v", page)
	}

	minted, secret := w.mint("berlin", `{"kind":"probe","name":"rack 1","labels":{"env":"prod"},"max_uses":3,"relay_address":"10.0.0.1:1984"}`)
	if secret.Kind != tenancy.EnrolToken || secret.Address != "10.0.0.1:1984" || minted.Token.State != sites.Active {
		t.Errorf("minted = %+v", minted)
	}
	if want := "curl -fsSL " + w.url + "/install.sh | ASSIM_TOKEN=" + minted.Secret + " sudo -E sh"; minted.Install != want {
		t.Errorf("install line = %s", minted.Install)
	}
	relayToken, relaySecret := w.mint("berlin", `{"kind":"relay"}`)
	if relaySecret.Address != w.url || relaySecret.Pin != w.a.seal.Hash() || relayToken.Token.MaxUses != nil {
		t.Errorf("relay's token = %+v %+v", relaySecret, relayToken.Token)
	}

	var tokens items[sites.Token]
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/tokens", "", &tokens), http.StatusOK, "listing tokens")
	if len(tokens.Items) != 2 || tokens.Items[0].ID != relaySecret.ID || tokens.Items[1].Labels["env"] != "prod" || tokens.Items[1].CreatedBy != "admin@a" {
		t.Errorf("tokens = %+v", tokens.Items)
	}
	for range 2 { // revoking twice is no error
		w.must(w.call(adminOfA, "DELETE", "/v1/tokens/"+secret.ID, "", nil), http.StatusNoContent, "revoking")
	}
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/tokens", "", &tokens), http.StatusOK, "listing tokens")
	if tokens.Items[1].State != sites.TokenRevoked {
		t.Errorf("state = %s", tokens.Items[1].State)
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM audit WHERE action IN ('site.create', 'token.mint', 'token.revoke')`); n != 5 {
		t.Errorf("%d rows in the audit log, want 5", n)
	}
	for _, column := range []string{"hash::text", "id || name || labels::text || created_by || last_used_by"} {
		if strings.Contains(query[string](w, w.a.id, "SELECT string_agg("+column+", ' ') FROM tokens"), string(secret.Secret[:])) {
			t.Error("a secret is stored")
		}
	}
	if strings.Contains(w.log.String(), minted.Secret) {
		t.Error("a secret is in the log")
	}
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	w.site(adminOfB, "tokyo")
	_, secret := w.mint("berlin", `{"kind":"probe"}`)
	long := strings.Repeat("x", 101)
	for _, c := range []struct {
		as                 tenancy.Token
		method, path, body string
		want               int
	}{
		{viewerOfA, "POST", "/v1/sites", `{"name":"x"}`, 403},
		{viewerOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"probe"}`, 403},
		{viewerOfA, "DELETE", "/v1/tokens/" + secret.ID, "", 403},
		{adminOfA, "POST", "/v1/sites", `{"name":"berlin"}`, 409},
		{adminOfA, "POST", "/v1/sites", `{"name":" "}`, 422},
		{adminOfA, "POST", "/v1/sites", `{"name":"` + long + `"}`, 422},
		{adminOfA, "POST", "/v1/sites", `{"name":"a\u0007"}`, 422},
		{adminOfA, "POST", "/v1/sites", `{"name":"a/b"}`, 422},
		{adminOfA, "POST", "/v1/sites", `{"name":"11111111-1111-4111-8111-111111111111"}`, 422},
		{adminOfA, "POST", "/v1/sites", `{"name":"x","extra":1}`, 422},
		{adminOfA, "POST", "/v1/sites", `nonsense`, 400},
		{adminOfA, "GET", "/v1/sites/tokyo", "", 404}, // of another tenant
		{adminOfA, "GET", "/v1/sites?limit=0", "", 422},
		{adminOfA, "GET", "/v1/sites?surprise=1", "", 422},
		{adminOfA, "POST", "/v1/sites/tokyo/tokens", `{"kind":"probe"}`, 404},
		{adminOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"api"}`, 422},
		{adminOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"probe","max_uses":0}`, 422},
		{adminOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"probe","ttl_seconds":99999999}`, 422},
		{adminOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"probe","relay_address":"nowhere"}`, 422},
		{adminOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"probe","labels":{"":"x"}}`, 422},
		{adminOfA, "POST", "/v1/sites/berlin/tokens", `{"kind":"relay","labels":{"a":"x"}}`, 422},
		{adminOfA, "DELETE", "/v1/tokens/short", "", 422},
		{adminOfA, "DELETE", "/v1/tokens/000000000000", "", 404},
		{adminOfB, "DELETE", "/v1/tokens/" + secret.ID, "", 404},
		{adminOfA, "DELETE", "/v1/relays/11111111-1111-4111-8111-111111111111", "", 404},
		{adminOfA, "DELETE", "/v1/relays/nonsense", "", 422},
		{adminOfA, "GET", "/v1/sites/nowhere/relays", "", 404},
		{adminOfA, "GET", "/v1/sites/a%00b", "", 404},
		{adminOfA, "GET", "/v1/sites/a%ffb/tokens", "", 404},
		{adminOfA, "GET", "/v1/sites?cursor=%00", "", 422},
		{adminOfA, "DELETE", "/v1/tokens/00000000000%00", "", 404},
	} {
		if got := w.call(c.as, c.method, c.path, c.body, nil); got != c.want {
			t.Errorf("%s %s %s: status %d, want %d", c.method, c.path, c.body, got, c.want)
		}
	}
	if n := query[int](w, w.a.id, `SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL`); n != 0 {
		t.Error("a refused request revoked a token")
	}
}
