package saas

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"assimilation/uplink"
)

// receiver is an endpoint that verifies what it is sent by the standard's own
// library, and answers as it is told.
type receiver struct {
	url string

	mu      sync.Mutex
	secrets []string
	say     int
	wish    string
	forged  []string
	calls   int
	taken   []told // in the order of coming
}

type told struct {
	id, kind string
	event    int64
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{say: http.StatusOK}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	for _, secret := range r.secrets {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = verifier.Verify(body, request.Header)
		}
		if err != nil {
			r.forged = append(r.forged, err.Error())
		}
	}
	if r.wish != "" {
		w.Header().Set("Retry-After", r.wish)
	}
	if r.say == http.StatusTemporaryRedirect {
		w.Header().Set("Location", "http://127.0.0.1:1/")
	}
	w.WriteHeader(r.say)
	fmt.Fprint(w, "said by the receiver")
	if r.say != http.StatusOK {
		return
	}
	var m struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			ID   int64
			Type string
		}
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Type == "" || m.Timestamp.IsZero() {
		r.forged = append(r.forged, string(body))
	}
	r.taken = append(r.taken, told{request.Header.Get("webhook-id"), m.Type, m.Data.ID})
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say = status
}

func (r *receiver) knows(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = secrets
}

// events are those that came at least once, in order; twice is how many came more
// often.
func (r *receiver) events() (all []int64, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.taken {
		all = append(all, m.event)
	}
	slices.Sort(all)
	n := len(all)
	all = slices.Compact(all)
	return all, n - len(all)
}

func (r *receiver) verified(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.forged) > 0 {
		t.Errorf("not verified: %q", r.forged)
	}
}

type webhookAnswer struct {
	ID, Secret, State, Problem string
	Failures                   int
	Waiting, Sent              int64
}

func (e *estate) webhook(t *testing.T, body string) webhookAnswer {
	t.Helper()
	code, answer := e.do("POST", "/v1/webhooks", body)
	var made webhookAnswer
	if err := json.Unmarshal([]byte(answer), &made); err != nil || code != http.StatusCreated || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("making a webhook: %d %s %v", code, answer, err)
	}
	return made
}

// eventIDs are the tenant's events of these types.
func (e *estate) eventIDs(t *testing.T, after int64, kinds ...string) (all []int64) {
	t.Helper()
	e.in(func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT id FROM assim.events WHERE id > $1 AND (coalesce(cardinality($2::text[]), 0) = 0 OR split_part(type, '.', 1) = ANY ($2)) ORDER BY id`, after, kinds)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		}
		return err
	})
	return all
}

// again is the same service after its process was killed: nothing is left but the
// database.
func (s *service) again(t *testing.T) *service {
	t.Helper()
	next, err := New(t.Context(), s.config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Close)
	return &service{next, s.t, s.core}
}

// TestWebhooksLoseNothing takes a receiver through being down while the service
// dies and comes back; meanwhile things happen.
func TestWebhooksLoseNothing(t *testing.T) {
	s := newServiceWith(t, func(c *Config) { c.PrivateCollectors = true })
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.machine("before")
	ada.send()
	r := newReceiver(t)
	from := slices.Max(ada.eventIDs(t, 0))
	made := ada.webhook(t, fmt.Sprintf(`{"name":"pager","url":%q}`, r.url))
	hosts := ada.webhook(t, fmt.Sprintf(`{"name":"hosts","url":%q,"types":["host"]}`, r.url+"s"))
	r.knows(made.Secret)
	ada.do("DELETE", "/v1/webhooks/"+hosts.ID, "")

	stop := s.work(t)
	web, _ := ada.twoHosts("")
	soon(t, "the first events come", func() bool { all, _ := r.events(); return slices.Equal(all, ada.eventIDs(t, from)) })

	r.answer(http.StatusServiceUnavailable)
	ada.conclude(uplink.HostDown, 1, web)
	ada.send()
	path := "/v1/webhooks/" + made.ID
	soon(t, "a failure is noted", func() bool { return get[webhookAnswer](ada.client, path).Failures > 0 })
	stop()
	for i := range 40 {
		ada.machine(fmt.Sprint("while-down-", i))
		ada.send()
	}
	s = s.again(t)
	ada.client.s = s
	r.answer(http.StatusOK)
	// A message that one try too few was made of waits as long as its place in the
	// schedule says: that is over.
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.webhooks SET next_at = now()`)
		if err == nil {
			_, err = tx.Exec(t.Context(), `UPDATE assim.webhook_messages SET next_at = now()`)
		}
		return err
	})
	defer s.work(t)()
	want := ada.eventIDs(t, from)
	soon(t, "all events come", func() bool { all, _ := r.events(); return slices.Equal(all, want) })
	r.verified(t)
	if _, twice := r.events(); twice > 0 {
		t.Errorf("%d of %d events came twice", twice, len(want))
	}
	soon(t, "all is settled", func() bool { return get[webhookAnswer](ada.client, path).Waiting == 0 })
	if w := get[webhookAnswer](ada.client, path); w.Sent != int64(len(want)) || w.Failures != 0 || w.Secret != "" {
		t.Errorf("after all: %+v", w)
	}
	t.Logf("%d events, each once", len(want))

	// By pages; each with its last try.
	type delivery struct {
		Event   int64
		State   string
		LastTry struct {
			Status int
			Answer string
		} `json:"last_try"`
		Tries int
		Body  json.RawMessage
	}
	seen := 0
	for cursor := ""; ; {
		page := get[list[delivery]](ada.client, path+"/deliveries?limit=7&cursor="+cursor)
		for _, d := range page.Items {
			seen++
			if d.State != "delivered" || d.LastTry.Status != 200 || d.LastTry.Answer != "said by the receiver" {
				t.Errorf("delivery %+v", d)
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if seen != len(want) {
		t.Errorf("%d deliveries, want %d", seen, len(want))
	}
	// Sent again it is the same message, and of many tries the newest are kept.
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.webhook_tries SELECT tenant, webhook, event, at - make_interval(secs => n), status, took_ms, problem, answer
			FROM assim.webhook_tries, generate_series(1, 150) n WHERE event = $1`, want[0])
		return err
	})
	one := fmt.Sprintf("%s/deliveries/%d", path, want[0])
	if code, body := ada.do("POST", one+"/redeliver", ""); code != http.StatusNoContent {
		t.Fatalf("sending again: %d %s", code, body)
	}
	soon(t, "it comes again", func() bool { _, twice := r.events(); return twice == 1 })
	soon(t, "100 tries are left", func() bool {
		return ada.count(`SELECT count(*) FROM assim.webhook_tries WHERE event = $1`, want[0]) == 100
	})
	if d := get[delivery](ada.client, one); !strings.Contains(string(d.Body), `"timestamp"`) {
		t.Errorf("the delivery: %+v", d)
	}
	if code, page := ada.do("GET", "/webhooks/"+made.ID, ""); code != http.StatusOK || !strings.Contains(page, "host.enrolled") {
		t.Errorf("the page: %d %.300s", code, page)
	}
	if code, page := ada.do("GET", fmt.Sprintf("/webhooks/%s/deliveries/%d", made.ID, want[0]), ""); code != http.StatusOK || !strings.Contains(page, "said by the receiver") {
		t.Errorf("the delivery's page: %d %.300s", code, page)
	}
}

func TestAWebhooksSecretIsRotated(t *testing.T) {
	s := newServiceWith(t, func(c *Config) { c.PrivateCollectors = true })
	ada := s.signUp("ada@example.org", "Example", "paris")
	r := newReceiver(t)
	made := ada.webhook(t, fmt.Sprintf(`{"name":"pager","url":%q,"types":["verdict"]}`, r.url))
	path := "/v1/webhooks/" + made.ID
	r.knows(made.Secret)
	test := func(want bool) {
		t.Helper()
		if _, body := ada.do("POST", path+"/test", ""); !strings.Contains(body, fmt.Sprintf(`"taken":%t`, want)) {
			t.Errorf("the test: %s", body)
		}
	}
	test(true)
	_, body := ada.do("POST", path+"/rotate", "")
	var next struct{ Secret string }
	if err := json.Unmarshal([]byte(body), &next); err != nil || next.Secret == made.Secret {
		t.Fatalf("rotating: %s %v", body, err)
	}
	// Receivers with either secret verify.
	r.knows(made.Secret, next.Secret)
	test(true)
	r.verified(t)
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.webhooks SET previous_until = now()`)
		return err
	})
	r.knows(next.Secret)
	test(true)
	r.verified(t)
	r.knows(made.Secret)
	test(true)
	if r.mu.Lock(); len(r.forged) == 0 {
		t.Error("the old secret is good for ever")
	}
	r.mu.Unlock()
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusBadRequest} {
		r.answer(status)
		test(false)
	}
	for _, path := range []string{path, "/v1/webhooks", "/v1/audit"} {
		if _, body := ada.do("GET", path, ""); strings.Contains(body, made.Secret[6:]) || strings.Contains(body, next.Secret[6:]) {
			t.Errorf("%s shows a secret", path)
		}
	}
	if n := ada.count(`SELECT count(*) FROM assim.webhooks w WHERE w::text LIKE '%' || $1 || '%'`, made.Secret[6:]); n != 0 {
		t.Error("the secret lies in the database")
	}
}

// An endpoint that takes nothing for days, or says that it is gone, is turned off,
// and that is an event.
func TestAWebhookIsTurnedOff(t *testing.T) {
	s := newServiceWith(t, func(c *Config) { c.PrivateCollectors = true })
	ada := s.signUp("ada@example.org", "Example", "paris")
	dead, lost, other := newReceiver(t), newReceiver(t), newReceiver(t)
	dead.answer(http.StatusBadGateway)
	lost.answer(http.StatusGone)
	slow := ada.webhook(t, fmt.Sprintf(`{"name":"dead","url":%q,"types":["host"]}`, dead.url))
	quick := ada.webhook(t, fmt.Sprintf(`{"name":"lost","url":%q,"types":["host"]}`, lost.url))
	ada.webhook(t, fmt.Sprintf(`{"name":"other","url":%q,"types":["webhook.turned-off"]}`, other.url))
	state := func(w webhookAnswer) webhookAnswer {
		return get[webhookAnswer](ada.client, "/v1/webhooks/"+w.ID)
	}
	defer s.work(t)()
	ada.machine("one")
	ada.send()
	soon(t, "both failed", func() bool { return state(slow).Failures > 0 && state(quick).State == "failed" })
	if w := state(slow); w.State != "on" || w.Waiting == 0 || !strings.Contains(w.Problem, "502") {
		t.Errorf("after one failure: %+v", w)
	}
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.webhooks SET next_at = now(), failing_since = now() - interval '5 days' WHERE failing_since IS NOT NULL`)
		if err == nil {
			_, err = tx.Exec(t.Context(), `UPDATE assim.webhook_messages SET next_at = now()`)
		}
		return err
	})
	soon(t, "it is turned off", func() bool { return state(slow).State == "failed" })
	soon(t, "the others are told", func() bool { all, _ := other.events(); return len(all) == 2 })
	if _, body := ada.do("GET", "/v1/events?type=webhook", ""); !strings.Contains(body, "webhook dead took nothing: answered 502") {
		t.Errorf("events: %s", body)
	}
	if code, _ := ada.do("POST", fmt.Sprintf("/v1/webhooks/%s/deliveries/1/redeliver", slow.ID), ""); code != http.StatusConflict {
		t.Errorf("sending again what is off: %d", code)
	}
	// Turned on again it goes on where it was.
	dead.answer(http.StatusOK)
	ada.machine("two")
	ada.send()
	if code, body := ada.do("PUT", "/v1/webhooks/"+slow.ID, fmt.Sprintf(`{"name":"dead","url":%q,"types":["host"]}`, dead.url)); code != http.StatusNoContent {
		t.Fatalf("turning on: %d %s", code, body)
	}
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE assim.webhook_messages SET next_at = now() WHERE state = 'waiting'`)
		return err
	})
	soon(t, "both hosts are told of", func() bool { all, _ := dead.events(); return slices.Equal(all, ada.eventIDs(t, 0, "host")) })
}

func TestWebhooksAreOnTheInternet(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	for _, body := range []string{`"url":"https://127.0.0.1/"`, `"url":"https://10.0.0.1"`, `"url":"https://[::ffff:169.254.169.254]/x"`, `"url":"http://hooks.example.org"`, `"url":"https://u:p@hooks.example.org"`,
		`"url":"file:///etc/passwd"`, `"url":"https://"`, `"url":"https://hooks.example.org","types":["no type"]`, `"url":"https://hooks.example.org","site_id":"0b54fd0c-9d7f-4b8e-8f1f-3a3c36d2a1aa"`} {
		if code, answer := ada.do("POST", "/v1/webhooks", `{"name":"w",`+body+`}`); code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", body, code, answer)
		}
	}
	made := ada.webhook(t, `{"name":"w","url":"https://localhost/"}`)
	if _, body := ada.do("POST", "/v1/webhooks/"+made.ID+"/test", ""); !strings.Contains(body, "is not a public address") {
		t.Errorf("localhost: %s", body)
	}
	if code, _ := ada.do("POST", "/v1/webhooks", `{"name":"w","url":"https://hooks.example.org"}`); code != http.StatusConflict {
		t.Errorf("a name that is taken: %d", code)
	}
}
