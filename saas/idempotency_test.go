package saas

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// named sends a request that names itself.
func (c client) named(key, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	c.s.handler.ServeHTTP(w, r)
	return w
}

func codeOf(w *httptest.ResponseRecorder) string {
	var problem struct{ Code string }
	if json.Unmarshal(w.Body.Bytes(), &problem) != nil {
		return ""
	}
	return problem.Code
}

func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	s := newService(t)
	ada, eve := s.signUp("ada@example.org", "Example", "paris"), s.signUp("eve@evil.example", "Evil", "lyon")
	const path, body = "/v1/sites/paris/tokens", `{"kind":"probe","name":"one"}`
	first := ada.named(`"a key"`, "POST", path, body)
	if first.Code != http.StatusCreated || !strings.Contains(first.Body.String(), "asm_enr_") || first.Header().Get("Idempotency-Replayed") != "" {
		t.Fatalf("first: %d %s", first.Code, first.Body)
	}
	// The process that answered may be dead.
	again := s.again(t)
	ada.client.s = again
	second := ada.named(`"a key"`, "POST", path, body)
	if second.Code != first.Code || second.Body.String() != first.Body.String() || second.Header().Get("Idempotency-Replayed") != "true" ||
		second.Header().Get("Content-Type") != first.Header().Get("Content-Type") {
		t.Errorf("second: %d %v %s, want %s", second.Code, second.Header(), second.Body, first.Body)
	}
	tokens := func() int { return ada.count(`SELECT count(*) FROM assim.tokens WHERE name = 'one'`) }
	if n := tokens(); n != 1 {
		t.Errorf("%d tokens were made", n)
	}
	if w := ada.named(`"a key"`, "POST", path, `{"kind":"probe","name":"other"}`); w.Code != http.StatusUnprocessableEntity || codeOf(w) != "idempotency_key_reused" {
		t.Errorf("another body: %d %s", w.Code, w.Body)
	}
	if w := ada.named(`"a key"`, "POST", "/v1/sites/paris/tokens?x=1", body); codeOf(w) == "" {
		t.Errorf("another address: %d %s", w.Code, w.Body)
	}
	for _, bad := range []string{"a b", `"`, "a\x01", strings.Repeat("x", 256), "é"} {
		if w := ada.named(bad, "POST", path, body); w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, w.Code, w.Body)
		}
	}
	// Others' keys are their own.
	if w := eve.named("a-key", "POST", "/v1/sites", `{"name":"rome"}`); w.Code != http.StatusCreated {
		t.Errorf("eve: %d %s", w.Code, w.Body)
	}
	if w := ada.named("a-key", "POST", "/v1/sites", `{"name":"rome"}`); w.Code != http.StatusCreated || w.Header().Get("Idempotency-Replayed") != "" {
		t.Errorf("ada with eve's key: %d %v", w.Code, w.Header())
	}
	// A refusal is an answer, too.
	for _, replayed := range []string{"", "true"} {
		if w := ada.named("taken", "POST", "/v1/sites", `{"name":"rome"}`); w.Code != http.StatusConflict || w.Header().Get("Idempotency-Replayed") != replayed {
			t.Errorf("a name that is taken: %d %v", w.Code, w.Header())
		}
	}
	// What was answered is not to be read in the database.
	var shown struct{ Token string }
	if err := json.Unmarshal(first.Body.Bytes(), &shown); err != nil || shown.Token == "" {
		t.Fatal(first.Body)
	}
	if n := ada.count(`SELECT count(*) FROM assim.answers a WHERE position($1 IN answer) > 0`, []byte(shown.Token)); n != 0 {
		t.Error("the token lies in the database")
	}

	// Whoever broke off while it was done leaves it open, for a day.
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.answers SET answer = NULL`)
		return err
	})
	if w := ada.named("a key", "POST", path, body); w.Code == http.StatusCreated {
		t.Errorf("a bare key with a blank: %d", w.Code)
	}
	if w := ada.named(`"a key"`, "POST", path, body); w.Code != http.StatusConflict || codeOf(w) != "idempotency_key_unanswered" {
		t.Errorf("unanswered: %d %s", w.Code, w.Body)
	}
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.answers SET begun_at = now() - interval '25 hours'`)
		return err
	})
	if w := ada.named(`"a key"`, "POST", path, body); w.Code != http.StatusCreated || w.Body.String() == first.Body.String() {
		t.Errorf("after a day: %d %s", w.Code, w.Body)
	}
}

func TestRequestsOfOneNameAtOnce(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	const tries = 8
	codes := make([]int, tries)
	var all sync.WaitGroup
	for i := range tries {
		all.Go(func() { codes[i] = ada.named("k", "POST", "/v1/sites", `{"name":"rome"}`).Code })
	}
	all.Wait()
	for _, code := range codes {
		if code != http.StatusCreated && code != http.StatusConflict {
			t.Errorf("codes %v", codes)
		}
	}
	if w := ada.named("k", "POST", "/v1/sites", `{"name":"rome"}`); w.Code != http.StatusCreated {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
	if n := ada.count(`SELECT count(*) FROM assim.sites WHERE name = 'rome'`); n != 1 {
		t.Errorf("%d sites", n)
	}
}

// Who sends more named requests than one person may does not keep others from theirs.
func TestOnePersonsNamesAreNotAllOfTheTenants(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	secret := tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	hash := secret.Hash()
	err := s.db.Global(t.Context(), func(tx pgx.Tx) error {
		if err := s.join("bob@example.org", ada.source.Tenant.String())(tx); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.api_tokens (id, tenant, user_id, name, hash, role) SELECT $1, $2, id, '', $3, 'viewer' FROM assim.users WHERE email = 'bob@example.org'`,
			secret.ID, ada.source.Tenant, hash[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bob := client{s, secret.String()}
	const path = "/v1/views"
	view := func(c client, name string) *httptest.ResponseRecorder {
		return c.named(name, "POST", path, `{"page":"/hosts","query":"state=down","name":"`+name+`"}`)
	}
	if w := view(bob, "first"); w.Code != http.StatusCreated {
		t.Fatalf("first: %d %s", w.Code, w.Body)
	}
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.answers (tenant, key, fingerprint, begun_at)
			SELECT tenant, substring(key FOR 8) || substring(sha256(n::text::bytea) FOR 24), fingerprint, begun_at FROM assim.answers, generate_series(2, 5000) n`)
		return err
	})
	if w := view(bob, "beyond"); w.Code != http.StatusTooManyRequests {
		t.Errorf("one more: %d %s", w.Code, w.Body)
	}
	if w := view(ada.client, "another's"); w.Code != http.StatusCreated {
		t.Errorf("another person's: %d %s", w.Code, w.Body)
	}
}
