package saas

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/discovery"
	"assimilation/discovery/network"
	"assimilation/discovery/os"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/saas/internal/ingest"
	"assimilation/tenancy"
	"assimilation/tenancy/store/storetest"
	"assimilation/uplink"
	"assimilation/wire"
)

// service is the whole service on a real database, without a socket.
type service struct {
	*SaaS
	t    testing.TB
	core *ingest.Service
}

func newService(t testing.TB) *service { return newServiceWith(t, func(*Config) {}) }

// newServiceWith is newService with settings changed.
func newServiceWith(t testing.TB, set func(*Config)) *service {
	t.Helper()
	config := Config{DatabaseURL: storetest.URL(t), MasterKeyFile: filepath.Join(t.TempDir(), "master.key"), Listen: "127.0.0.1:0", URL: "http://localhost", Downloads: t.TempDir(), Version: "test"}
	set(&config)
	if err := Migrate(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := New(t.Context(), config, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	core, err := ingest.New(s.db, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return &service{s, t, core}
}

// work lets features do what they do by themselves, until stop is called.
func (s *service) work(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, len(s.working))
	for _, feature := range s.working {
		go func() { ended <- feature.Run(ctx) }()
	}
	return func() {
		cancel()
		for range s.working {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	}
}

// join makes somebody, who gets an account, a member of a tenant.
func (s *service) join(email, tenant string) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		id := tenancy.NewID[tenancy.UserID]()
		if _, err := tx.Exec(s.t.Context(), `INSERT INTO assim.users (id, email, password_hash) VALUES ($1, $2, '')`, id, email); err != nil {
			return err
		}
		_, err := tx.Exec(s.t.Context(), `INSERT INTO assim.members (tenant, user_id, role) VALUES ($1::uuid, $2, 'viewer')`, tenant, id)
		return err
	}
}

// client is a program that holds an API token; pages take it as well.
type client struct {
	s     *service
	token string
}

// do sends a request and returns the status and the body.
func (c client) do(method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if !strings.HasPrefix(path, "/v1/") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	w := httptest.NewRecorder()
	c.s.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// get fetches JSON; anything but 200 fails the test.
func get[T any](c client, path string) (v T) {
	c.s.t.Helper()
	status, body := c.do(http.MethodGet, path, "")
	if status != http.StatusOK {
		c.s.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		c.s.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
	return v
}

// list is the answer of every list.
type list[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// estate is a tenant with one site, one relay and its stream.
type estate struct {
	client
	source ingest.Source
	epoch  uint64
	sent   uint64
	chain  uplink.Chain
	queue  [][]byte
}

// signUp makes a tenant whose site has a relay.
func (s *service) signUp(email, tenant, site string) *estate {
	s.t.Helper()
	status, body := client{s: s}.do("POST", "/v1/signup", fmt.Sprintf(`{"email":%q,"password":"correct horse battery","tenant":%q}`, email, tenant))
	var account struct {
		Token  string
		Tenant struct{ ID tenancy.TenantID }
	}
	if err := json.Unmarshal([]byte(body), &account); err != nil || status != http.StatusCreated {
		s.t.Fatalf("sign up: %d %s %v", status, body, err)
	}
	e := &estate{client: client{s, account.Token}, epoch: 1}
	status, body = e.do("POST", "/v1/sites", fmt.Sprintf(`{"name":%q}`, site))
	var made struct{ ID tenancy.SiteID }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		s.t.Fatalf("create site: %d %s %v", status, body, err)
	}
	e.source = ingest.Source{Tenant: account.Tenant.ID, Site: made.ID, Relay: tenancy.NewID[tenancy.RelayID]()}
	e.in(func(tx pgx.Tx) error {
		certificate := wire.Certificate{Key: [32]byte{1}, NotAfter: time.Now().Add(time.Hour).Unix()}
		_, err := tx.Exec(s.t.Context(), `
			INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES ($1, $2, $3, $4, '', $7, $5, '', $6)`,
			e.source.Relay, e.source.Tenant, e.source.Site, site+"-relay", e.source.Relay.UUID[:], certificate.Append(nil), certificate.Key[:])
		if err != nil {
			return err
		}
		// There is no relay that could be asked: what is known is here.
		_, err = tx.Exec(s.t.Context(), `UPDATE assim.sites SET residency = 'replicate'`)
		return err
	})
	e.chain = uplink.ChainStart(e.source.Relay, e.epoch)
	return e
}

// in runs SQL as the tenant's writer.
func (e *estate) in(fn func(pgx.Tx) error) {
	e.s.t.Helper()
	if err := e.s.db.In(e.s.t.Context(), e.source.Tenant, fn); err != nil {
		e.s.t.Fatal(err)
	}
}

// count runs a query for one number.
func (e *estate) count(sql string, args ...any) (n int) {
	e.s.t.Helper()
	e.in(func(tx pgx.Tx) error { return tx.QueryRow(e.s.t.Context(), sql, args...).Scan(&n) })
	return n
}

// add appends a record to the relay's stream.
func (e *estate) add(c uplink.Change) {
	e.s.t.Helper()
	c.Seq = e.sent + uint64(len(e.queue)) + 1
	if c.SeenAt == 0 {
		c.SeenAt = time.Now().UnixMilli()
	}
	record, err := uplink.EncodeRecord(c)
	if err != nil {
		e.s.t.Fatal(err)
	}
	e.queue = append(e.queue, record)
}

// send delivers what was added as one batch.
func (e *estate) send() {
	e.s.t.Helper()
	payload, err := uplink.EncodeBatch(e.queue)
	if err != nil {
		e.s.t.Fatal(err)
	}
	prev, chain := e.chain, e.chain
	for _, record := range e.queue {
		chain = uplink.ChainNext(chain, record)
	}
	header := uplink.Header{Purpose: uplink.PurposeBatch, Relay: e.source.Relay, Epoch: e.epoch, First: e.sent + 1, Last: e.sent + uint64(len(e.queue)),
		Prev: prev[:], Chain: chain[:], Nonce: uplink.NewNonce()}
	ack, err := e.s.core.Apply(e.s.t.Context(), e.source, header, payload)
	if err != nil || ack.Reason != wire.Accepted || ack.Position != header.Last {
		e.s.t.Fatalf("batch: %+v, %v", ack, err)
	}
	e.sent, e.chain, e.queue = header.Last, chain, nil
}

// machine is a host of an estate.
type machine struct {
	e       *estate
	id      tenancy.HostID
	name    string
	version uint64
}

func (e *estate) machine(name string) *machine {
	e.s.t.Helper()
	m := &machine{e, tenancy.NewID[tenancy.HostID](), name, 0}
	m.state(uplink.Up)
	return m
}

func (m *machine) state(state uplink.State) {
	m.e.s.t.Helper()
	key := sha256.Sum256(m.id.UUID[:])
	m.e.add(uplink.Change{Type: uplink.HostState, Host: m.id, HostState: &uplink.HostStateBody{State: state, Name: m.name, AgentVersion: "1.0", OS: "linux",
		Arch: "amd64", ProbeKey: key[:], Enrolled: state == uplink.Up, Labels: map[string]string{"env": "prod"}}})
}

func (m *machine) put(kind discovery.Kind, instance string, body any) {
	m.e.s.t.Helper()
	f, err := discovery.NewFact(kind, instance, body)
	if err != nil {
		m.e.s.t.Fatal(err)
	}
	m.version++
	m.e.add(uplink.Change{Type: uplink.FactPut, Host: m.id, Kind: kind.Name, Instance: instance, Term: 1, Version: m.version,
		Schema: uint8(f.Version), Hash: f.Hash[:], Body: f.Body})
}

func (m *machine) install(version string) {
	m.put(packages.Kind, packages.Instance("openssl"), packages.Facts{Manager: "dpkg", Packages: []packages.Package{{Name: "openssl", Version: version, Arch: "amd64"}}})
}

// report puts the facts that a host of this address has.
func (m *machine) report(ip string, services ...sockets.Service) {
	m.put(os.Kind, "", os.Facts{Release: os.Release{ID: "debian", PrettyName: "Debian GNU/Linux 12 (bookworm)"}, Kernel: os.Kernel{Name: "Linux", Release: "6.1.0-25-amd64", Machine: "x86_64"}})
	m.put(network.Kind, "", network.Facts{
		Links: []network.Link{{Name: "eth0", Type: "ether", MAC: "02:00:00:00:00:01", MTU: 1500, AdminUp: true, OperState: "up",
			Addresses: []network.Address{{IP: ip, Prefix: 24, Scope: "global"}}}},
		Routes: []network.Route{{Family: "inet", Table: 254, Destination: "0.0.0.0/0", Gateway: "10.0.0.1", Device: "eth0", Protocol: "boot", Scope: "global", Type: "unicast"}},
	})
	m.install("3.0.15-1")
	m.put(sockets.Kind, "", sockets.Facts{Services: services})
}

// twoHosts is a web server and the database that it uses, and a refused fact.
func (e *estate) twoHosts(prefix string) (web, db *machine) {
	web, db = e.machine(prefix+"web1"), e.machine(prefix+"db1")
	web.report("10.0.0.10", sockets.Service{Name: "nginx", Exe: "/usr/sbin/nginx", Argv: []string{"nginx", prefix + "<script>"},
		Listens:  []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.10", Port: 443, Wildcard: "0.0.0.0"}},
		Connects: []sockets.Connect{{Protocol: "tcp", IP: "10.0.0.11", Port: 5432}}})
	db.report("10.0.0.11", sockets.Service{Name: "postgres", Exe: "/usr/bin/postgres",
		Listens: []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.11", Port: 5432}}})
	e.add(uplink.Change{Type: uplink.Refusal, Host: web.id, Kind: "x-big", Instance: prefix + "blob",
		Refusal: &uplink.RefusalBody{Subject: "fact", Reason: wire.TooLarge, Detail: "9000000 bytes", From: web.name}})
	e.send()
	return web, db
}
