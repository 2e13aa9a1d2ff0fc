package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/web"
)

func TestOnlyTrustedProxiesSayWhoTheClientIs(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := web.New(web.Config{Hub: web.NewHub(nil, log), Log: log, Metrics: prometheus.NewRegistry(), URL: &url.URL{Scheme: "http", Host: "localhost"},
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}})
	var got string
	s.Public("GET /who", 0, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = web.ClientAddress(r) + " " + web.ClientKey(r) }))
	h, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		peer, want string
		forwarded  []string
	}{
		{"127.0.0.1:1", "192.0.2.7 192.0.2.7", []string{"192.0.2.7"}},
		{"127.0.0.1:1", "192.0.2.7 192.0.2.7", []string{"203.0.113.1, 192.0.2.7"}},             // the first is the client's own word
		{"127.0.0.1:1", "192.0.2.7 192.0.2.7", []string{"203.0.113.1", "192.0.2.7, 10.1.2.3"}}, // two proxies, two lines
		{"127.0.0.1:1", "2001:db8::7 2001:db8::/64", []string{"2001:db8::7"}},
		{"127.0.0.1:1", "192.0.2.7 192.0.2.7", []string{"::ffff:192.0.2.7"}},
		{"[::ffff:127.0.0.1]:1", "192.0.2.7 192.0.2.7", []string{"192.0.2.7"}},
		{"127.0.0.1:1", "127.0.0.1 127.0.0.1", nil},
		{"127.0.0.1:1", "127.0.0.1 127.0.0.1", []string{"192.0.2.7, unknown"}},
		{"198.51.100.1:1", "198.51.100.1 198.51.100.1", []string{"192.0.2.7"}},
	} {
		r := httptest.NewRequest("GET", "/who", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("from %s with %q: %q, want %q", c.peer, c.forwarded, got, c.want)
		}
	}
}
