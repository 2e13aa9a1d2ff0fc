package tenancytest

import (
	"fmt"
	"html"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// What a stranger sends is sent twice: about the victim's thing, and about one that
// nobody has, which looks alike. The two answers must be the same.

func escape(s string) string { return url.PathEscape(s) }

// likeness is a value that nobody has, of the form of the given one.
func (s *Service) likeness(v string) string {
	if _, err := time.Parse(time.RFC3339, v); err == nil || s.Vocabulary[v] {
		return v // everybody's
	}
	if ip, err := netip.ParseAddr(v); err == nil && ip.Is4() {
		return fmt.Sprintf("198.51.100.%d", 100+rand.IntN(100))
	}
	if mac, err := net.ParseMAC(v); err == nil {
		mac[len(mac)-1] = 0x80 + byte(rand.IntN(0x80))
		return mac.String()
	}
	if strings.Contains(v, s.Victim.Marker) {
		last := len(s.Victim.Marker) - 1 // sorted at the same place
		return strings.ReplaceAll(v, s.Victim.Marker, s.Victim.Marker[:last]+"n")
	}
	if _, err := uuid.Parse(v); err == nil {
		return uuid.NewString()
	}
	other := []byte(v)
	for i, c := range other {
		switch {
		case '0' <= c && c <= '9':
			other[i] = '0' + byte(rand.IntN(10))
		case 'a' <= c && c <= 'f': // it may be hexadecimal
			other[i] = 'a' + byte(rand.IntN(6))
		case 'g' <= c && c <= 'z':
			other[i] = 'g' + byte(rand.IntN(20))
		case 'A' <= c && c <= 'Z':
			other[i] = 'A' + byte(rand.IntN(26))
		}
	}
	return string(other)
}

// request is a case of HTTP, and its double about nothing.
type request struct {
	route        Route
	path, body   string
	values       []string
	pathNothing  string
	bodyNothing  string
	valueNothing []string
}

func (q request) name() string {
	if q.body == "" {
		return q.route.Method + " " + q.path
	}
	return q.route.Method + " " + q.path + " " + q.body
}

// requests are the cases of a route: each value that its path can name; then each
// query parameter, with the first that its path can name.
func (s *Service) requests(r Route) (all []request) {
	body, inBody := s.body(r, s.Victim)
	for _, n := range r.filled(s.Victim) {
		all = append(all, s.doubled(request{route: r, path: n.path, body: body, values: append(n.values, inBody...)}))
		if !r.Safe() {
			continue
		}
		for _, query := range s.Victim.Values[r.Name()] { // whole ones
			all = append(all, s.doubled(request{route: r, path: n.path + "?" + query, values: append(s.namedIn(query), n.values...)}))
		}
		for key, values := range s.Victim.Values {
			name, ok := strings.CutPrefix(key, "?")
			if !ok || !s.Takes(r, n.path, name) {
				continue
			}
			for _, v := range values {
				all = append(all, s.doubled(request{route: r, path: n.path + "?" + name + "=" + url.QueryEscape(v), values: append([]string{v}, n.values...)}))
			}
		}
	}
	return all
}

// namedIn are the victim's things that a text names.
func (s *Service) namedIn(text string) (values []string) {
	for key, all := range s.Victim.Values {
		for _, v := range all {
			if strings.HasPrefix(key, "{") && !s.Vocabulary[v] && strings.Contains(text, v) {
				values = append(values, v)
			}
		}
	}
	return values
}

// doubled adds the double.
func (s *Service) doubled(q request) request {
	q.pathNothing, q.bodyNothing = q.path, q.body
	for _, v := range q.values {
		other := s.likeness(v)
		q.valueNothing = append(q.valueNothing, other)
		for _, spell := range spellings {
			q.pathNothing = strings.ReplaceAll(q.pathNothing, spell(v), spell(other))
			q.bodyNothing = strings.ReplaceAll(q.bodyNothing, spell(v), spell(other))
		}
	}
	return q
}

// spellings are the ways in which a value may stand in an address or an answer.
var spellings = []func(string) string{func(v string) string { return v }, url.PathEscape, url.QueryEscape, html.EscapeString, strings.ToLower, func(v string) string { return url.QueryEscape(url.QueryEscape(v)) }}

// changing are what differs between any two answers.
var changing = []*regexp.Regexp{
	uuidLike, // made for each answer, as secrets are
	regexp.MustCompile(`asm_[a-z]+_[A-Za-z0-9_-]+`),
	regexp.MustCompile(`[A-Za-z0-9_-]{32,}`),
	regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d| UTC)?`),
	regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\dZ`), // in an address
	regexp.MustCompile(`\d\d:\d\d(:\d\d)?`),
	regexp.MustCompile(`\d+ ?(s|ms|µs|seconds?|minutes?|min)( ago)?\b|\b(just )?now\b`),
	regexp.MustCompile(`(?m)^(Date|Content-Length|Server-Timing|Retry-After|Etag): .*$`),
}

// short are the forms in which a value may stand where there is little room: the
// beginning of an identifier, and what stands for the tenant's name in it.
func (s *Service) short(values []string) (all []string) {
	nobody := s.likeness(s.Victim.Marker)
	for _, v := range values {
		if s.Vocabulary[v] {
			continue
		}
		all = append(all, v)
		for _, marker := range []string{s.Victim.Marker, nobody} {
			if strings.Contains(v, marker) {
				all = append(all, marker)
			}
		}
		if _, err := uuid.Parse(v); err == nil {
			all = append(all, v[:8])
		}
	}
	return all
}

// plain is an answer without what it was asked about, and without time.
func plain(a Answer, values []string) string {
	text := a.All()
	for _, v := range values {
		for _, spell := range spellings {
			text = strings.ReplaceAll(text, spell(v), "IT")
		}
	}
	for _, c := range changing {
		text = c.ReplaceAllString(text, "~")
	}
	return fmt.Sprint(a.Status, "\n", text)
}

// Strangers sends every request that the routes know as each of the attackers.
// What changes something, and names nothing of the victim's, is not sent.
func (s *Service) Strangers(report *Report, routes []Route, attackers ...As) {
	for _, r := range routes {
		if r.Program || r.Stream {
			continue
		}
		for _, q := range s.requests(r) {
			for _, as := range attackers {
				if report.Done() {
					return
				}
				if r.Safe() || len(q.values) > 0 {
					report.Try("requests of strangers", as.Name+" "+q.name(), func() string { return s.stranger(as, q) })
				}
			}
		}
	}
}

// Untold names what the suite must be told of the routes: what parameters stand for,
// and what a request that changes something takes.
func (s *Service) Untold(routes []Route) (missing []string) {
	for _, r := range routes {
		for _, p := range r.Parameters() {
			for _, t := range []Tenant{s.Victim, s.Attacker} {
				if len(p.Of(t)) == 0 && !r.Program {
					missing = append(missing, fmt.Sprintf("%s: no value of %s stands for %s: give one as %q or %q", r.Name(), t.Marker, p.Name, p.Name, p.InFolder))
				}
			}
		}
		if _, told := s.Bodies[r.Name()]; !told && !r.Safe() && r.Method != http.MethodDelete && !r.Program {
			missing = append(missing, fmt.Sprintf("%s: say in the table of bodies what it takes (\"\" for nothing), with @host@ and the like where it may name a thing", r.Name()))
		}
	}
	return missing
}

// Deaf are the routes that show nothing to the victim itself, so that it proves
// nothing when they show nothing to a stranger.
func (s *Service) Deaf(routes []Route, victim As) (deaf []string) {
	for _, r := range routes {
		if !r.Safe() || r.Program || r.Stream || s.Shy[r.Name()] {
			continue
		}
		hears, last := false, ""
		for _, q := range s.requests(r) {
			a := s.Send(victim, r.Method, q.path, "")
			if hears = a.Status < http.StatusBadRequest; hears {
				break
			}
			last = fmt.Sprintf("%s %s: %d %.300s", r.Method, q.path, a.Status, a.Body)
		}
		if !hears {
			deaf = append(deaf, last)
		}
	}
	return deaf
}

func (s *Service) stranger(as As, q request) string {
	got := s.Send(as, q.route.Method, q.path, q.body)
	asked, askedNothing := s.short(q.values), s.short(q.valueNothing)
	written := spelled(asked)
	if secret := s.Secrets.In(got.All(), written...); secret != "" {
		return fmt.Sprintf("%d shows %q", got.Status, secret)
	}
	if got.Status >= 500 {
		return fmt.Sprintf("answers %d: %.200s", got.Status, got.Body)
	}
	if q.path == q.pathNothing && q.body == q.bodyNothing {
		return ""
	}
	nothing := s.Send(as, q.route.Method, q.pathNothing, q.bodyNothing)
	if got.Status == http.StatusTooManyRequests || nothing.Status == http.StatusTooManyRequests {
		return "" // whoever asks so often hears nothing
	}
	if !q.route.Safe() && !q.route.API { // the page shows what the first of the two did
		got.Body, nothing.Body = "", ""
	}
	if a, b := plain(got, asked), plain(nothing, askedNothing); a != b {
		return fmt.Sprintf("%d, for what nobody has %d; they differ at %s", got.Status, nothing.Status, difference(a, b))
	}
	return ""
}

func spelled(values []string) (all []string) {
	for _, v := range values {
		for _, spell := range spellings {
			all = append(all, spell(v))
		}
	}
	return all
}

// difference is where two texts part.
func difference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-30)
	return fmt.Sprintf("%q and %q", a[from:min(len(a), i+60)], b[from:min(len(b), i+60)])
}
