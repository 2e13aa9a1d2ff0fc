package saas

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // the exporters' compression
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"assimilation/uplink"
)

// taker is a collector by gRPC that does as it is told.
type taker struct {
	collogs.UnimplementedLogsServiceServer

	mu   sync.Mutex
	say  error // its answer; nil takes
	text string
	keys []string
}

func (c *taker) Export(ctx context.Context, in *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = append(c.keys, metadata.ValueFromIncomingContext(ctx, "x-key")...)
	if c.say == nil {
		c.text += in.String()
	}
	return &collogs.ExportLogsServiceResponse{}, c.say
}

func (c *taker) answer(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say = err
}

func (c *taker) has(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(c.text, text)
}

type metricsTaker struct {
	colmetrics.UnimplementedMetricsServiceServer
}

func (metricsTaker) Export(context.Context, *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

func newTaker(t *testing.T) (*taker, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server := &taker{}, grpc.NewServer()
	collogs.RegisterLogsServiceServer(server, c)
	colmetrics.RegisterMetricsServiceServer(server, metricsTaker{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return c, "http://" + listener.Addr().String()
}

type exporterAnswer struct {
	ID            string
	Tries         int
	Waiting, Sent int64
	Problem       string
	Headers       []string
}

func (e *estate) exporter(t *testing.T, body string) exporterAnswer {
	t.Helper()
	code, answer := e.do("POST", "/v1/exporters", body)
	if code != http.StatusCreated {
		t.Fatalf("making an exporter: %d %s", code, answer)
	}
	return get[list[exporterAnswer]](e.client, "/v1/exporters").Items[0]
}

// soon waits for a condition of the exporters, which work beside the test.
func soon(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// TestWhatWaitsForACollectorIsSent takes a collector through being down,
// refusing, and taking.
func TestWhatWaitsForACollectorIsSent(t *testing.T) {
	// The operator's own must not be sent to tenants' collectors.
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=operator")
	s := newServiceWith(t, func(c *Config) { c.PrivateCollectors = true })
	ada := s.signUp("ada@example.org", "Example", "paris")
	c, url := newTaker(t)
	made := ada.exporter(t, fmt.Sprintf(`{"name":"c","protocol":"grpc","endpoint":%q,"signals":["events","changes"],"headers":{"X-Key":"tenant secret"}}`, url))
	if _, body := ada.do("GET", "/v1/exporters/"+made.ID, ""); strings.Contains(body, "tenant secret") || !strings.Contains(body, "x-key") {
		t.Errorf("the exporter shows %s", body)
	}
	defer s.work(t)()
	state := func() exporterAnswer { return get[exporterAnswer](ada.client, "/v1/exporters/"+made.ID) }

	c.answer(status.Error(codes.Unavailable, "down for a while"))
	web, _ := ada.twoHosts("ada-")
	ada.conclude(uplink.HostDown, 1, web)
	ada.send()
	soon(t, "a failure is noted", func() bool { return state().Tries > 0 })
	if e := state(); e.Waiting == 0 || e.Sent != 0 || !strings.Contains(e.Problem, "down for a while") {
		t.Errorf("while the collector is down: %+v", e)
	}
	if _, body := ada.do("POST", "/v1/exporters/"+made.ID+"/test", ""); !strings.Contains(body, "down for a while") {
		t.Errorf("the test says %s", body)
	}

	c.answer(nil)
	soon(t, "all is sent", func() bool { e := state(); return e.Waiting == 0 && e.Tries == 0 })
	for _, text := range []string{"host down: ada-web", "assimilation.verdict.host-down", "host.name", web.id.String(), "assimilation.change", "host.arch", "first report"} {
		if !c.has(text) {
			t.Errorf("the collector never had %q", text)
		}
	}
	for _, key := range c.keys {
		if key != "tenant secret" {
			t.Errorf("a request came with the key %q", key)
		}
	}

	c.answer(status.Error(codes.InvalidArgument, "I do not like these"))
	web.state(uplink.Silent)
	ada.send()
	type lost struct {
		Signal  string
		Records int64
		Reason  string
		Sample  []string
	}
	undelivered := func() []lost {
		return get[list[lost]](ada.client, "/v1/exporters/"+made.ID+"/undelivered").Items
	}
	soon(t, "the refusal is noted", func() bool { return len(undelivered()) > 0 })
	if u := undelivered()[0]; u.Records == 0 || !strings.Contains(u.Reason, "I do not like these") || len(u.Sample) == 0 {
		t.Errorf("undelivered: %+v", u)
	}
	if code, page := ada.do("GET", "/export/"+made.ID, ""); code != http.StatusOK || !strings.Contains(page, "I do not like these") {
		t.Errorf("the page: %d %.300s", code, page)
	}

	// What waited too long is given up, and counted.
	c.answer(status.Error(codes.Unavailable, "down for a week"))
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.events (tenant, at, seen_at, type) VALUES ($1, now() - interval '8 days', now(), 'relay.started')`, ada.source.Tenant)
		return err
	})
	soon(t, "what is old is given up", func() bool {
		u := undelivered()
		return strings.Contains(u[0].Reason, "7 days") && u[0].Records > 0
	})
}

// Nobody sends into the service's network, however the address is said, or has a
// request led elsewhere with its headers.
func TestCollectorsAreOnTheInternet(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	for _, endpoint := range []string{"https://127.0.0.1:4317", "https://10.0.0.1", "https://[::1]:4317", "https://[::ffff:169.254.169.254]", "http://otlp.example.org", "unix:///tmp/x", "https://u:p@otlp.example.org", "https://"} {
		if code, body := ada.do("POST", "/v1/exporters", fmt.Sprintf(`{"name":"c","protocol":"http","endpoint":%q}`, endpoint)); code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", endpoint, code, body)
		}
	}
	for _, protocol := range []string{"grpc", "http"} {
		made := ada.exporter(t, fmt.Sprintf(`{"name":%q,"protocol":%q,"endpoint":"https://localhost:4317"}`, protocol, protocol))
		if _, body := ada.do("POST", "/v1/exporters/"+made.ID+"/test", ""); !strings.Contains(body, "is not a public address") {
			t.Errorf("localhost by %s: %s", protocol, body)
		}
		ada.do("DELETE", "/v1/exporters/"+made.ID, "")
	}
}

func TestAnExportersSecretsStay(t *testing.T) {
	s := newServiceWith(t, func(c *Config) { c.PrivateCollectors = true })
	ada := s.signUp("ada@example.org", "Example", "paris")
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-key") != "" {
			t.Error("the thief has the key")
		}
	}))
	defer thief.Close()
	honest := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer honest.Close()
	made := ada.exporter(t, fmt.Sprintf(`{"name":"c","protocol":"http","endpoint":%q,"headers":{"x-key":"secret"}}`, honest.URL))
	if _, body := ada.do("POST", "/v1/exporters/"+made.ID+"/test", ""); !strings.Contains(body, `"taken":false`) {
		t.Errorf("a redirect: %s", body)
	}
	path := "/v1/exporters/" + made.ID
	if code, body := ada.do("PUT", path, fmt.Sprintf(`{"name":"c","protocol":"http","endpoint":%q}`, thief.URL)); code != http.StatusUnprocessableEntity {
		t.Errorf("another endpoint with the old headers: %d %s", code, body)
	}
	if code, body := ada.do("PUT", path, fmt.Sprintf(`{"name":"d","protocol":"http","endpoint":%q}`, honest.URL)); code != http.StatusNoContent {
		t.Errorf("another name: %d %s", code, body)
	}
	if e := get[exporterAnswer](ada.client, path); len(e.Headers) != 1 {
		t.Errorf("the headers went: %+v", e)
	}
	if _, body := ada.do("GET", "/v1/audit", ""); strings.Contains(body, `"secret"`) || !strings.Contains(body, "exporter.change") {
		t.Errorf("the audit log: %s", body)
	}
}
