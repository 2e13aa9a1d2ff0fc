package webhooks

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"assimilation/tenancy"
)

// The vector of the standard's own libraries.
func TestSignaturesAreTheStandards(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1614265330, 0)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, `{"test": 2432232314}`, secret); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := strings.Fields(sign("m", at, "", secret, newSecret())); len(got) != 2 || !strings.HasPrefix(got[1], "v1,") {
		t.Errorf("by two secrets: %q", got)
	}
}

func TestEndpointsWantWhatTheySaid(t *testing.T) {
	paris, lyon := tenancy.NewID[tenancy.SiteID](), tenancy.NewID[tenancy.SiteID]()
	for _, test := range []struct {
		types []string
		site  *tenancy.SiteID
		event Event
		want  bool
	}{
		{nil, nil, Event{Type: "host.up"}, true},
		{[]string{"host"}, nil, Event{Type: "host.up"}, true},
		{[]string{"host"}, nil, Event{Type: "hostile"}, false},
		{[]string{"refusal"}, nil, Event{Type: "refusal"}, true},
		{[]string{"host.up", "verdict"}, nil, Event{Type: "host.silent"}, false},
		{nil, &paris, Event{Type: "host.up"}, false},
		{nil, &paris, Event{Type: "host.up", Site: &lyon}, false},
		{nil, &paris, Event{Type: "host.up", Site: &paris}, true},
	} {
		if got := (Endpoint{Types: test.types, Site: test.site}).wants(test.event); got != test.want {
			t.Errorf("%+v: %t", test, got)
		}
	}
}

func TestTriesEnd(t *testing.T) {
	now := time.Now()
	var whole time.Duration
	for tries := 0; ; tries++ {
		state, next := fate(message{Tries: tries}, Try{Status: 500}, now)
		if state == "failed" {
			if tries != len(waits) {
				t.Errorf("given up after %d tries", tries+1)
			}
			break
		}
		wait := next.Sub(now)
		if wait < waits[tries] || wait > waits[tries]*6/5+1 {
			t.Errorf("try %d waits %v, want %v and up to a fifth more", tries, wait, waits[tries])
		}
		whole += waits[tries]
	}
	if whole < 3*24*time.Hour || whole > 4*24*time.Hour {
		t.Errorf("tried over %v", whole)
	}
	if state, _ := fate(message{}, Try{Status: gone}, now); state != "failed" {
		t.Errorf("410: %s", state)
	}
	if _, next := fate(message{}, Try{Status: 429, wish: time.Hour}, now); next.Sub(now) < time.Hour {
		t.Errorf("an endpoint that wants an hour is tried after %v", next.Sub(now))
	}
	for failures, least := range map[int]time.Duration{0: firstPause, 3: 40 * time.Second, 9: longPause, 1000: longPause} {
		if p := pause(failures); p < least || p > least*6/5+1 {
			t.Errorf("after %d failures a pause of %v, want %v", failures, p, least)
		}
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "120": 2 * time.Minute, "99999999999": longestWish, "999999999999999999999999": 0,
		"Sat, 21 Nov 2026 12:01:00 GMT": time.Minute, "Fri, 20 Nov 2026 12:01:00 GMT": 0, "Fri, 21 Nov 2036 12:01:00 GMT": longestWish,
	} {
		if got := wishOf(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("4711")
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		if before, err := parseCursor(cursor); err == nil && before < 1 {
			t.Errorf("%q: before %d", cursor, before)
		}
	})
}

func TestATenantCallsAFewEndpointsAtATime(t *testing.T) {
	c := newCalling()
	slow, other := tenancy.NewID[tenancy.TenantID](), tenancy.NewID[tenancy.TenantID]()
	endpoint := func(of tenancy.TenantID) awake { return awake{of, tenancy.NewID[tenancy.WebhookID]()} }
	first := endpoint(slow)
	if !c.begin(first) || c.begin(first) {
		t.Error("an endpoint is called not at all, or twice at a time")
	}
	for range ofTenant - 1 {
		if !c.begin(endpoint(slow)) {
			t.Error("fewer than are allowed")
		}
	}
	if c.begin(endpoint(slow)) || !c.begin(endpoint(other)) {
		t.Error("one tenant's endpoints make others wait")
	}
	c.end(first)
	if !c.begin(endpoint(slow)) {
		t.Error("a place that was given back is not free")
	}
}
