package topology_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/topology"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
	"assimilation/uplink"
	"assimilation/wire"
)

// place is a tenant with one site, its relay and a host.
type place struct {
	t       *testing.T
	db      *store.DB
	service *topology.Service
	relay   relaychan.Relay
	host    tenancy.HostID
}

func newPlace(t *testing.T, db *store.DB, service *topology.Service) *place {
	p := &place{t: t, db: db, service: service, host: tenancy.NewID[tenancy.HostID]()}
	p.relay = relaychan.Relay{ID: tenancy.NewID[tenancy.RelayID](), Tenant: storetest.Tenant(t, db), Site: tenancy.NewID[tenancy.SiteID]()}
	p.exec(`INSERT INTO assim.sites (id, tenant, name, realm, site_key, site_private) VALUES ($1, $2, 'paris', 'r', $3, '')`,
		p.relay.Site, p.relay.Tenant, p.relay.Site.UUID[:])
	p.exec(`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate, seen_at)
		VALUES ($1, $2, $3, 'r', '', '', $4, '', '', now())`, p.relay.ID, p.relay.Tenant, p.relay.Site, p.relay.ID.UUID[:])
	p.exec(`INSERT INTO assim.hosts (id, tenant, site, relay, name, probe_key, state, state_at, enrolled_at, changed_at)
		VALUES ($1, $2, $3, $4, 'db1', '', 'up', now(), now(), now())`, p.host, p.relay.Tenant, p.relay.Site, p.relay.ID)
	return p
}

func (p *place) exec(sql string, args ...any) {
	p.t.Helper()
	err := p.db.In(p.t.Context(), p.relay.Tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(p.t.Context(), sql, args...)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) count(sql string) (n int) {
	p.t.Helper()
	err := p.db.In(p.t.Context(), p.relay.Tenant, func(tx pgx.Tx) error { return tx.QueryRow(p.t.Context(), sql).Scan(&n) })
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *place) actor(role tenancy.Role) web.Actor {
	return web.Actor{Tenant: p.relay.Tenant, Role: role, Email: "ada@example.org"}
}

type result struct {
	topology uplink.Topology
	err      error
}

// ask asks, and returns when the question can be heard.
func (p *place) ask(ctx context.Context, role tenancy.Role) (uplink.Question, <-chan result) {
	p.t.Helper()
	done := make(chan result, 1)
	go func() {
		t, err := p.service.Ask(ctx, p.actor(role), "paris")
		done <- result{t, err}
	}()
	for {
		open, err := p.service.Questions(p.t.Context(), p.relay)
		if err != nil {
			p.t.Fatal(err)
		}
		if len(open) > 0 {
			return open[0], done
		}
		select {
		case r := <-done:
			p.t.Fatalf("the question ended with %v before it was told", r.err)
		default:
		}
	}
}

// answer answers as a relay.
func (p *place) answer(q uplink.Question, body string, reason wire.Reason) (uplink.Ack, error) {
	p.t.Helper()
	payload, err := uplink.Answer{Question: q.ID, Reason: reason, Body: []byte(body), Time: 1}.Encode()
	if err != nil {
		p.t.Fatal(err)
	}
	taken, err := p.service.Take(p.t.Context(), relaychan.Request{Relay: p.relay, Payload: payload})
	if err != nil {
		return uplink.Ack{}, err
	}
	ack, err := uplink.DecodeAck(taken)
	if err != nil {
		p.t.Fatal(err)
	}
	return ack, nil
}

func (p *place) topology(hosts ...tenancy.HostID) string {
	t := uplink.Topology{Relay: "relay-1", At: time.Now().UTC(), Switches: []uplink.TopologySwitch{{Domain: "d", Chassis: "CANARY-CHASSIS", State: "up"}}}
	for _, id := range hosts {
		t.Hosts = append(t.Hosts, uplink.TopologyHost{Host: id, Name: "db1", Domain: "d", State: "up"})
		t.Switches[0].Ports = append(t.Switches[0].Ports, uplink.TopologyPort{Port: "CANARY-PORT", Host: id, Interface: "eth0", Protocol: "lldp"})
	}
	t.Rings = []uplink.TopologyRing{{Level: "site", Members: append(hosts, tenancy.HostID{})}}
	text, err := json.Marshal(t)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func status(err error) int {
	if of, ok := errors.AsType[huma.StatusError](err); ok {
		return of.GetStatus()
	}
	return 0
}

func wait(t *testing.T, done <-chan result) result {
	t.Helper()
	select {
	case r := <-done:
		return r
	case <-time.After(time.Minute):
		t.Fatal("the question is not over")
		return result{}
	}
}

func TestAnAnswerReachesWhoAsked(t *testing.T) {
	db := storetest.Open(t)
	service := &topology.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ada, eve := newPlace(t, db, service), newPlace(t, db, service)
	q, done := ada.ask(t.Context(), tenancy.Operator)
	if open, err := service.Questions(t.Context(), ada.relay); err != nil || len(open) != 0 {
		t.Errorf("a question is told twice in a row: %v, %v", open, err)
	}
	if open, err := service.Questions(t.Context(), eve.relay); err != nil || len(open) != 0 {
		t.Errorf("another tenant's relay hears the question: %v, %v", open, err)
	}
	// Another tenant's relay learns nothing by answering, and changes nothing.
	if ack, err := eve.answer(q, eve.topology(eve.host), wire.Accepted); err != nil || ack.Reason != wire.Expired {
		t.Errorf("another tenant's answer: %+v, %v", ack, err)
	}
	for name, body := range map[string]string{"no JSON": "{", "control characters": `{"relay":"a\u0007"}`, "a long name": `{"relay":"` + strings.Repeat("x", 5000) + `"}`} {
		if _, err := ada.answer(q, body, wire.Accepted); err == nil {
			t.Errorf("an answer with %s was taken", name)
		}
	}
	if ack, err := ada.answer(q, ada.topology(ada.host, eve.host), wire.Accepted); err != nil || ack.Reason != wire.Accepted {
		t.Errorf("%+v, %v", ack, err)
	}
	r := wait(t, done)
	if r.err != nil || r.topology.Relay != "relay-1" || len(r.topology.Hosts) != 1 || len(r.topology.Switches[0].Ports) != 1 || len(r.topology.Rings[0].Members) != 2 {
		t.Errorf("%+v, %v", r.topology, r.err)
	}
	if ack, err := ada.answer(q, ada.topology(ada.host), wire.Accepted); err != nil || ack.Reason != wire.Expired {
		t.Errorf("an answer that nobody waits for: %+v, %v", ack, err)
	}
	if n := ada.count(`SELECT count(*) FROM assim.audit WHERE action = 'site.ask'`); n != 1 {
		t.Errorf("the question is %d times in the audit log", n)
	}
	if n := ada.count(`SELECT count(*) FROM assim.questions`); n != 0 {
		t.Errorf("%d questions are still there", n)
	}
	if n := ada.count(`SELECT count(*) FROM assim.audit a WHERE a::text LIKE '%CANARY%'`); n != 0 {
		t.Error("the audit log holds the answer")
	}
}

func TestARelayThatCannotAnswerSaysSo(t *testing.T) {
	db := storetest.Open(t)
	p := newPlace(t, db, &topology.Service{DB: db, Log: slog.New(slog.DiscardHandler)})
	q, done := p.ask(t.Context(), tenancy.Operator)
	if _, err := p.answer(q, "", wire.Unsupported); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, done); status(r.err) != http.StatusBadGateway {
		t.Errorf("%v", r.err)
	}
	p.relay.Revoked = true
	if _, err := p.answer(q, p.topology(p.host), wire.Accepted); wire.ReasonOf(err) != wire.Revoked {
		t.Errorf("a revoked relay's answer: %v", err)
	}
	p.exec(`UPDATE assim.relays SET seen_at = now() - interval '1 hour'`)
	_, err := p.service.Ask(t.Context(), p.actor(tenancy.Operator), "paris")
	if status(err) != http.StatusGatewayTimeout || !strings.Contains(err.Error(), "silent since") {
		t.Errorf("a silent relay: %v", err)
	}
	p.exec(`UPDATE assim.relays SET revoked_at = now()`)
	if _, err := p.service.Ask(t.Context(), p.actor(tenancy.Operator), "paris"); status(err) != http.StatusConflict {
		t.Errorf("a site without a relay: %v", err)
	}
}

// A relay that answers again and again fills no memory.
func TestARelayAnswersOnce(t *testing.T) {
	db := storetest.Open(t)
	p := newPlace(t, db, &topology.Service{DB: db, Log: slog.New(slog.DiscardHandler)})
	// Another relay is to answer too, so that the question stays open.
	p.exec(`INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate, seen_at)
		VALUES (gen_random_uuid(), $1, $2, 'r2', '', '', '', '', '', now())`, p.relay.Tenant, p.relay.Site)
	ctx, cancel := context.WithCancel(t.Context())
	q, done := p.ask(ctx, tenancy.Operator)
	for i, want := range []wire.Reason{wire.Accepted, wire.Replayed, wire.Replayed} {
		if ack, err := p.answer(q, p.topology(p.host), wire.Accepted); err != nil || ack.Reason != want {
			t.Errorf("answer %d: %+v, %v", i, ack, err)
		}
	}
	cancel()
	wait(t, done)
}

func TestWhoMayAsk(t *testing.T) {
	db := storetest.Open(t)
	service := &topology.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ada, eve := newPlace(t, db, service), newPlace(t, db, service)
	if _, err := service.Ask(t.Context(), ada.actor(tenancy.Viewer), "paris"); status(err) != http.StatusForbidden {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := service.Ask(t.Context(), eve.actor(tenancy.Owner), ada.relay.Site.String()); status(err) != http.StatusNotFound {
		t.Errorf("another tenant: %v", err)
	}
	ada.exec(`UPDATE assim.sites SET residency = 'replicate'`)
	q, done := ada.ask(t.Context(), tenancy.Viewer)
	if _, err := ada.answer(q, ada.topology(ada.host), wire.Accepted); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, done); r.err != nil {
		t.Errorf("a viewer of a site that replicates: %v", r.err)
	}
}

func TestQuestionsAreLimited(t *testing.T) {
	db := storetest.Open(t)
	p := newPlace(t, db, &topology.Service{DB: db, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	_, first := p.ask(ctx, tenancy.Operator)
	_, second := p.ask(ctx, tenancy.Operator)
	if _, err := p.service.Ask(t.Context(), p.actor(tenancy.Operator), "paris"); status(err) != http.StatusTooManyRequests {
		t.Errorf("the third question of a site: %v", err)
	}
	cancel()
	for _, done := range []<-chan result{first, second} {
		if r := wait(t, done); !errors.Is(r.err, context.Canceled) {
			t.Errorf("who went away got %v", r.err)
		}
	}
	if n := p.count(`SELECT count(*) FROM assim.questions`); n != 0 {
		t.Errorf("%d questions of people who went are still there", n)
	}
}

func TestPortsOfSitesThatKeepThem(t *testing.T) {
	db := storetest.Open(t)
	p := newPlace(t, db, &topology.Service{DB: db, Log: slog.New(slog.DiscardHandler)})
	type ports struct {
		rows []map[string]any
		err  error
	}
	done := make(chan ports, 1)
	go func() {
		rows, err := p.service.Ports(t.Context(), p.actor(tenancy.Operator), p.host.String())
		done <- ports{rows, err}
	}()
	for answered := false; !answered; {
		open, err := p.service.Questions(t.Context(), p.relay)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range open {
			if _, err := p.answer(q, p.topology(p.host), wire.Accepted); err != nil {
				t.Fatal(err)
			}
			answered = true
		}
	}
	got := <-done
	if got.err != nil || len(got.rows) != 1 || got.rows[0]["chassis"] != "CANARY-CHASSIS" || got.rows[0]["host"] != "db1" || got.rows[0]["vlan"] != nil {
		t.Errorf("%v, %v", got.rows, got.err)
	}
	if rows, err := p.service.Ports(t.Context(), p.actor(tenancy.Operator), tenancy.NewID[tenancy.HostID]().String()); err != nil || len(rows) != 0 {
		t.Errorf("of a host that is not there: %v, %v", rows, err)
	}
	p.exec(`UPDATE assim.sites SET residency = 'replicate'`)
	if rows, err := p.service.Ports(t.Context(), p.actor(tenancy.Viewer), ""); err != nil || len(rows) != 0 {
		t.Errorf("of a site whose ports are here: %v, %v", rows, err)
	}
}
