package sites_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/sites"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
	"assimilation/uplink"
	"assimilation/wire"
)

// world is the service with two tenants, over HTTP.
type world struct {
	t        *testing.T
	db       *store.DB
	admin    string // the database's URL for its administrator
	service  *sites.Service
	url      string
	metrics  *prometheus.Registry
	log      *bytes.Buffer // what the service logged; read it after the requests
	a, b     tenant
	programs []uplink.Program // that relays may hand out
}

type tenant struct {
	id   tenancy.TenantID
	seal uplink.SealKey
}

func newWorld(t *testing.T) *world {
	t.Helper()
	master, err := keys.New(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	db, admin := storetest.OpenURL(t)
	w := &world{t: t, db: db, admin: admin, metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	w.a, w.b = w.tenant(master), w.tenant(master)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	hub := web.NewHub(w.db, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); hub.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })

	server := httptest.NewUnstartedServer(nil)
	address, err := url.Parse("http://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	front := web.New(web.Config{
		Auth: actors{w}, Hub: hub, Log: slog.New(slog.DiscardHandler), Metrics: w.metrics, URL: address, Version: "test",
		Ready: func(context.Context) error { return nil },
	})
	w.service = &sites.Service{
		DB: w.db, Keys: master, Channel: relaychan.New(w.db, master, log, w.metrics), Hub: hub, Log: log, URL: address,
		ForgetTopology: func(context.Context, pgx.Tx, tenancy.TenantID, tenancy.SiteID) error { return nil },
		Questions:      func(context.Context, relaychan.Relay) ([]uplink.Question, error) { return nil, nil },
		Programs:       func() ([]uplink.Program, error) { return w.programs, nil },
	}
	w.service.Register(front.API)
	w.service.Mount(front)
	handler, err := front.Handler()
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) tenant(master *keys.Master) tenant {
	w.t.Helper()
	key, err := uplink.NewOpenKey()
	if err != nil {
		w.t.Fatal(err)
	}
	private, err := key.Bytes()
	if err != nil {
		w.t.Fatal(err)
	}
	id := tenancy.NewID[tenancy.TenantID]()
	err = w.db.Provision(w.t.Context(), store.Tenant{
		ID: id, Name: "test " + rand.Text()[:8], SealKey: key.SealKey().Bytes(), SealPrivate: master.Wrap(keys.OfTenant(id), private),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return tenant{id, key.SealKey()}
}

// says reports whether an answer to a relay gives the reason, alone or with what
// the people there can do about it.
func says(answer []byte, reason wire.Reason) bool {
	line, ended := strings.CutSuffix(string(answer), "\n")
	first, _, _ := strings.Cut(line, ": ")
	return ended && first == reason.String()
}

// actors is an Authenticator that knows three people by the id of their token.
type actors struct{ w *world }

func (a actors) BySession(context.Context, [32]byte) (web.Actor, error) {
	return web.Actor{}, web.ErrUnknownSession
}

func (a actors) ByToken(_ context.Context, token tenancy.Token, _ string) (web.Actor, error) {
	switch token.ID {
	case adminOfA.ID:
		return web.Actor{Email: "admin@a", Tenant: a.w.a.id, Role: tenancy.Admin}, nil
	case viewerOfA.ID:
		return web.Actor{Email: "viewer@a", Tenant: a.w.a.id, Role: tenancy.Viewer}, nil
	case adminOfB.ID:
		return web.Actor{Email: "admin@b", Tenant: a.w.b.id, Role: tenancy.Admin}, nil
	}
	return web.Actor{}, web.ErrUnknownToken
}

var (
	adminOfA  = tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	viewerOfA = tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
	adminOfB  = tenancy.NewToken(tenancy.APIToken, [32]byte{}, "")
)

// call makes a REST request and decodes the answer into out.
func (w *world) call(as tenancy.Token, method, path, body string, out any) int {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+as.String())
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(content, out); err != nil {
			w.t.Fatalf("%s %s: %s: %v", method, path, content, err)
		}
	}
	return answer.StatusCode
}

type items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor"`
}

func (w *world) must(status, want int, what string) {
	w.t.Helper()
	if status != want {
		w.t.Fatalf("%s: status %d, want %d", what, status, want)
	}
}

func (w *world) site(as tenancy.Token, name string) sites.Site {
	w.t.Helper()
	var site sites.Site
	w.must(w.call(as, "POST", "/v1/sites", `{"name":"`+name+`"}`, &site), http.StatusCreated, "creating a site")
	return site
}

func (w *world) mint(site, body string) (sites.Minted, tenancy.Token) {
	w.t.Helper()
	var minted sites.Minted
	w.must(w.call(adminOfA, "POST", "/v1/sites/"+site+"/tokens", body, &minted), http.StatusCreated, "minting a token")
	token, err := tenancy.ParseToken(minted.Secret)
	if err != nil {
		w.t.Fatal(err)
	}
	return minted, token
}

// query reads one value behind the service's back, as the tenant's reader.
func query[T any](w *world, tenant tenancy.TenantID, sql string, args ...any) T {
	w.t.Helper()
	var v T
	err := w.db.Read(w.t.Context(), tenant, func(tx pgx.Tx) error { return tx.QueryRow(w.t.Context(), sql, args...).Scan(&v) })
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func (w *world) exec(tenant tenancy.TenantID, sql string, args ...any) {
	w.t.Helper()
	err := w.db.In(w.t.Context(), tenant, func(tx pgx.Tx) error { _, err := tx.Exec(w.t.Context(), sql, args...); return err })
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// relay is the other end.
type relay struct {
	w       *world
	request uplink.EnrolRequest
	sign    ed25519.PrivateKey
	open    uplink.OpenKey
	answer  uplink.EnrolAnswer
	tenant  uplink.SealKey
	now     time.Time
	// What its requests for orders say.
	cluster, serves, installs string
	programs, installKey      []byte
	siteKeys                  uint64
}

func (w *world) relay(name string, token tenancy.Token) *relay {
	w.t.Helper()
	public, sign, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	open, err := uplink.NewOpenKey()
	if err != nil {
		w.t.Fatal(err)
	}
	noise := make([]byte, 32)
	rand.Read(noise)
	return &relay{
		w: w, sign: sign, open: open, tenant: w.a.seal, now: time.Now(),
		request: uplink.EnrolRequest{
			TokenID: token.ID, Secret: token.Secret[:], Name: name, Version: "1.0", NoiseKey: noise, SignKey: public,
			SealKey: open.SealKey().Bytes(), Nonce: uplink.NewNonce(), Time: time.Now().UnixMilli(),
		},
	}
}

// post sends an envelope and returns the status and the body.
func (w *world) post(path string, envelope []byte) (int, []byte) {
	w.t.Helper()
	answer, err := http.Post(w.url+path, "application/octet-stream", bytes.NewReader(envelope))
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, body
}

func (r *relay) seal(h uplink.Header, payload []byte, err error) []byte {
	r.w.t.Helper()
	if err != nil {
		r.w.t.Fatal(err)
	}
	envelope, err := uplink.Seal(h, payload, r.tenant, r.sign)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return envelope
}

func (r *relay) enrolEnvelope() []byte {
	payload, err := r.request.Encode()
	return r.seal(uplink.NewHeader(uplink.PurposeEnrol, tenancy.RelayID{}, r.now), payload, err)
}

func (r *relay) enrol() uplink.EnrolAnswer {
	r.w.t.Helper()
	status, body := r.w.post("/relay/v1/enrol", r.enrolEnvelope())
	if status != http.StatusOK {
		r.w.t.Fatalf("enrolment: %d %s", status, body)
	}
	answer, err := uplink.OpenEnrolAnswer(body, r.open, r.request.Nonce)
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.answer = answer
	return answer
}

func (r *relay) mustEnrol() *relay {
	r.w.t.Helper()
	if answer := r.enrol(); answer.Reason != wire.Accepted {
		r.w.t.Fatalf("enrolment: %s: %s", answer.Reason, answer.Detail)
	}
	return r
}

func (r *relay) ordersEnvelope(revision uint64, wait time.Duration) []byte {
	r.now = r.now.Add(time.Millisecond)
	payload, err := uplink.OrdersRequest{
		Revision: revision, Version: "1.1", Backlog: 7, Time: r.now.UnixMilli(), Nonce: bytes.Repeat([]byte{8}, 16), Wait: wait.Milliseconds(),
		Cluster: r.cluster, Serves: r.serves, Programs: r.programs, Installs: r.installs, InstallKey: r.installKey, SiteKeys: r.siteKeys,
	}.Encode()
	return r.seal(uplink.NewHeader(uplink.PurposeOrdersRequest, r.answer.Relay, r.now), payload, err)
}

func (r *relay) read(status int, body []byte) uplink.Orders {
	r.w.t.Helper()
	if status != http.StatusOK {
		r.w.t.Fatalf("orders: %d %s", status, body)
	}
	_, payload, err := uplink.Open(body, uplink.PurposeOrders, r.open, r.answer.SiteKey)
	if err != nil {
		r.w.t.Fatal(err)
	}
	orders, err := uplink.DecodeOrders(payload)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return orders
}

func (r *relay) orders(revision uint64, wait time.Duration) uplink.Orders {
	r.w.t.Helper()
	return r.read(r.w.post("/relay/v1/orders", r.ordersEnvelope(revision, wait)))
}

func token(o uplink.Orders, id string) (uplink.TokenOrder, bool) {
	for _, t := range o.Tokens {
		if t.ID == id {
			return t, true
		}
	}
	return uplink.TokenOrder{}, false
}

func hexOf(k uplink.SealKey) string {
	hash := k.Hash()
	return hex.EncodeToString(hash[:])
}

// refusals are the counts of an endpoint by reason.
func (w *world) refusals(endpoint string) map[string]float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "assim_relay_requests_refused_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["endpoint"] == endpoint {
				counts[labels["reason"]] = m.GetCounter().GetValue()
			}
		}
	}
	return counts
}
