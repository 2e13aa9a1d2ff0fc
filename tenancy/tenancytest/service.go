package tenancytest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"time"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Route is one that the service answers, from its own description.
type Route struct {
	Method, Path string
	Action       tenancy.Action // what it needs; "" where anyone may come
	API          bool           // answers JSON; else pages
	Program      bool           // for programs that prove by themselves who they are
	Queries      []string       // query parameters that its description names
	Stream       bool           // its answer has no end
}

// Name is how cases call the route.
func (r Route) Name() string { return r.Method + " " + r.Path }

// Safe reports whether the method promises to change nothing.
func (r Route) Safe() bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// Tenant is one of the two.
type Tenant struct {
	ID     tenancy.TenantID
	Marker string // stands in all its names
	// Values are what parameters stand for: of a path by the parameter's name with
	// braces, or with the folder before it where that decides ("members/{id}"); of a
	// query by "?" and the name; or the whole of a query by Route.Name.
	Values map[string][]string
}

// Service is what is attacked.
type Service struct {
	Handler http.Handler
	Routes  []Route
	DB      *store.DB
	// AdminURL is the superuser's, for looking at what the attacks left.
	AdminURL         string
	Victim, Attacker Tenant
	Secrets          Secrets
	// Bodies are what routes that change something take, by Route.Name: JSON or a
	// form, with @value@ for a value of Tenant.Values; @!value@ is a secret that only
	// a Doer has.
	Bodies map[string]string
	// Takes reports whether a page or operation looks at a query parameter.
	Takes func(r Route, path, parameter string) bool
	// Shy are routes that show nothing without a secret in their query, or need what no
	// test has, by Route.Name.
	Shy map[string]bool
	// Vocabulary are values that are everybody's, as names of kinds and questions.
	Vocabulary map[string]bool
}

// As is who sends a request: nobody, a token or a session.
type As struct {
	Name, Token, Session string
	Step                 string // another cookie, as name=value: what is between two steps of a log-in
	Address              string // from where; "" from where everybody comes
	Scheme               string // that the token is sent by; "" for Bearer
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Redirect is where the answer leads; "" when it does not.
func (a Answer) Redirect() string { return a.Header.Get("Location") }

// All is everything that an attacker sees.
func (a Answer) All() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if name != "Set-Cookie" {
			b.WriteString(name + ": " + strings.Join(a.Header[name], ", ") + "\n")
		}
	}
	return b.String() + a.Body
}

// patience is how long an answer may take that waits for another machine.
const patience = time.Minute

// Send asks the service. Further headers come in pairs.
func (s *Service) Send(as As, method, path, body string, headers ...string) Answer {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if strings.HasPrefix(path, "/v1/") {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
	}
	if as.Token != "" {
		r.Header.Set("Authorization", cmp.Or(as.Scheme, "Bearer")+" "+as.Token)
	}
	if as.Session != "" {
		r.AddCookie(&http.Cookie{Name: "assim", Value: as.Session})
	}
	if name, value, ok := strings.Cut(as.Step, "="); ok {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if as.Address != "" {
		r.RemoteAddr = as.Address + ":4711"
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	if panicked := s.serve(w, r); panicked != nil {
		return Answer{http.StatusInternalServerError, http.Header{}, fmt.Sprint("panic: ", panicked)}
	}
	return Answer{w.Code, w.Header(), w.Body.String()}
}

// serve is what net/http does: a panic ends one request.
func (s *Service) serve(w http.ResponseWriter, r *http.Request) (panicked any) {
	defer func() { panicked = recover() }()
	s.Handler.ServeHTTP(w, r)
	return nil
}

var parameter = regexp.MustCompile(`\{(\w+)(?:\.\.\.)?\}`)

// Parameters are the keys of Tenant.Values that a path needs, with the text that
// each replaces.
func (r Route) Parameters() (all []Parameter) {
	folders := strings.Split(r.Path, "/")
	for i, f := range folders {
		if m := parameter.FindStringSubmatch(f); m != nil {
			all = append(all, Parameter{folders[i-1] + "/" + m[0], m[0]})
		}
	}
	return all
}

// Parameter is a part of a path that stands for something.
type Parameter struct{ InFolder, Name string }

// Of are the values that the tenant has for it.
func (p Parameter) Of(t Tenant) []string {
	if v := t.Values[p.InFolder]; v != nil {
		return v
	}
	return t.Values[p.Name]
}

// filled are the paths that a route's pattern stands for, with the tenant's values
// in them, and the values of each.
func (r Route) filled(t Tenant) (paths []named) {
	paths = []named{{path: strings.TrimSuffix(r.Path, "{$}")}}
	for _, p := range r.Parameters() {
		var next []named
		for _, n := range paths {
			for _, v := range p.Of(t) {
				next = append(next, named{strings.Replace(n.path, p.Name, escape(v), 1), append(slices.Clone(n.values), v)})
			}
		}
		paths = next
	}
	return paths
}

// named is a path, or path and query, that names values of a tenant.
type named struct {
	path   string
	values []string
}

// body is the route's, with the tenant's values in it.
func (s *Service) body(r Route, t Tenant) (string, []string) {
	var values []string
	body := placeholder.ReplaceAllStringFunc(s.Bodies[r.Name()], func(key string) string {
		v := t.Values[strings.Trim(key, "@")]
		if len(v) == 0 && strings.HasPrefix(key, "@!") {
			return "x" // a secret that somebody else has
		}
		if len(v) == 0 {
			return "unknown " + key
		}
		values = append(values, v[0])
		if r.API {
			return v[0]
		}
		return escape(v[0])
	})
	return body, values
}

var placeholder = regexp.MustCompile(`@[^@\s"&]+@`)
