package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// estate answers as a service does whose clock, token, relays and hosts are as
// a test wants them.
type estate struct {
	skew            time.Duration
	refuse          bool   // the token
	relays, hosts   string // hosts: those beside web1, which is up
	sites, findings string
	none            bool // no host, not even web1
}

func (e *estate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(e.skew).UTC().Format(http.TimeFormat))
	list := func(items string) { w.Write([]byte(`{"items":[` + items + `]}`)) }
	switch {
	case r.URL.Path == "/v1/login":
		json.NewEncoder(w).Encode(map[string]any{"token": "asm_api_x", "tenant": map[string]string{"name": "Example"}})
	case r.URL.Path == "/readyz":
	case e.refuse:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"title":"Unauthorized","detail":"expired token","code":"expired_token"}`))
	case r.URL.Path == "/v1/whoami":
		w.Write([]byte(`{"email":"a@b.c","role":"owner","tenant":{"name":"Example"}}`))
	case r.URL.Path == "/v1/sites":
		list(e.sites)
	case r.URL.Path == "/v1/sites/1/relays":
		list(e.relays)
	case r.URL.Path == "/v1/hosts" && e.none:
		list("")
	case r.URL.Path == "/v1/hosts":
		list(strings.Join(slices.DeleteFunc([]string{`{"name":"web1","state":"up"}`, e.hosts}, func(s string) bool { return s == "" }), ","))
	case r.URL.Path == "/v1/findings":
		list(e.findings)
	case r.URL.Path == "/v1/queries":
		list(`{"name":"findip","description":"Who has an address.","parameters":[{"name":"ip","doc":"the address"}]},{"name":"allips"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// visit runs the command line at an estate.
func visit(t *testing.T, e *estate, args ...string) (code int, out string) {
	t.Helper()
	isolate(t)
	service := httptest.NewServer(e)
	t.Cleanup(service.Close)
	if code, _, errs := run(t, "x\n", "login", "--url", service.URL, "--email", "a@b.c"); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := run(t, "", args...)
	return code, out + errs
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	const site, online = `{"id":"1","name":"paris"}`, `{"name":"r1","state":"online"}`
	for name, test := range map[string]struct {
		estate estate
		code   int
		says   []string
	}{
		"well":            {estate{sites: site, relays: online}, 0, []string{"ok         token     a@b.c, owner of Example", "1 online", "ok         hosts     1 up", "none open"}},
		"clock ahead":     {estate{skew: -time.Hour, sites: site, relays: online}, 1, []string{"wrong      clock", "ahead of the service", "-> let chrony"}},
		"clock behind":    {estate{skew: time.Hour, sites: site, relays: online}, 1, []string{"behind the service"}},
		"token":           {estate{refuse: true}, 1, []string{"wrong      token", "expired token", "-> log in again: assim login --url http"}},
		"no site":         {estate{}, 0, []string{"attention  relays", "assim site create"}},
		"no relay":        {estate{sites: site, relays: `{"name":"r1","state":"revoked"}`}, 0, []string{"no relay at paris", "assim token create --kind relay --site paris"}},
		"silent relay":    {estate{sites: site, relays: online + `,{"name":"r2","state":"silent"}`}, 1, []string{"1 online, not heard of: r2 of paris", "assim-relay doctor"}},
		"silent host":     {estate{sites: site, relays: online, hosts: `{"name":"db1","state":"silent"}`}, 0, []string{"1 up, 1 silent: db1", "assim host retire"}},
		"hosts down":      {estate{sites: site, relays: online, hosts: `{"name":"db1","state":"down"},{"name":"db2","state":"agent down"},{"name":"db3","state":"shut down"}`}, 0, []string{"attention  hosts", "1 up, 1 agent down, 1 down, 1 shut down: db1, db2\n", "assim query down"}},
		"shut down":       {estate{sites: site, relays: online, hosts: `{"name":"db1","state":"shut down"}`}, 0, []string{"ok         hosts     1 up, 1 shut down\n"}},
		"no host":         {estate{sites: site, relays: online, none: true}, 0, []string{"attention  hosts", "none is enrolled", "assim token create --kind probe"}},
		"findings":        {estate{sites: site, relays: online, findings: `{"rule":"missing-right"},{"rule":"missing-right"}`}, 0, []string{"2 open: missing-right", "assim findings"}},
		"hostile":         {estate{sites: site, relays: online, hosts: `{"name":"\u001b[31m","state":"down"}`}, 0, []string{"?[31m"}},
		"answer damaged":  {estate{sites: `7`}, 1, []string{"wrong      relays"}},
		"many are silent": {estate{sites: site, relays: online, hosts: strings.Repeat(`{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"name":"e"},{"name":"f"},`, 2) + `{"name":"g"}`}, 0, []string{"a, b, c, d, e and 2 more"}},
	} {
		code, out := visit(t, &test.estate, "doctor")
		if code != test.code {
			t.Errorf("%s: exit code %d, want %d\n%s", name, code, test.code, out)
		}
		for _, want := range test.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: does not say %q:\n%s", name, want, out)
			}
		}
	}
	if code, out := visit(t, &estate{sites: site, relays: online}, "doctor", "-o", "json"); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("as JSON: %d %s", code, out)
	}
	isolate(t)
	if code, out, _ := run(t, "", "doctor"); code != 1 || !strings.Contains(out, "not logged in") || !strings.Contains(out, "assim login") {
		t.Errorf("without a context: %d %s", code, out)
	}
}

func TestCompletionAsksTheService(t *testing.T) {
	for line, want := range map[string]string{
		"host show w": "web1\n", "host list --site ": "paris\n", "query f": "findip\tWho has an address.\n", "query findip ": "ip=\tthe address\n",
		"query hostdependencies host=w": "host=web1\n", "context use E": "Example\n", "whoami ": ":4\n",
	} {
		words := strings.Split(line, " ")
		_, out := visit(t, &estate{sites: `{"id":"1","name":"paris"}`}, append([]string{"__complete"}, words...)...)
		if !strings.HasPrefix(out, want) {
			t.Errorf("%q completes to %q, want %q", line, out, want)
		}
	}
}

func TestOnlyAMapIsAPicture(t *testing.T) {
	if code, out := visit(t, &estate{}, "host", "list", "-o", "svg"); code != 2 || !strings.Contains(out, "assim map") {
		t.Errorf("a list as picture: %d %s", code, out)
	}
}
