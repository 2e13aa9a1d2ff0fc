package tenancytest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Doer is an owner of the attacker's tenant who has not done anything yet, with the
// tenant's values as far as they are about this person: "{id}" of an own session,
// secrets that were sent to them.
type Doer struct {
	As
	Own map[string][]string
}

// Doings lets people do everything that changes something, to what is theirs: it must
// be done, and be done there only. fresh makes somebody for the route; after each
// doing, touched tells what is another than before and should not be.
func (s *Service) Doings(report *Report, routes []Route, fresh func(Route) Doer, touched func(Route) string) {
	for _, r := range routes {
		if r.Program || r.Safe() || s.Shy[r.Name()] {
			continue
		}
		for _, role := range s.given(r) {
			for n := range r.filled(s.Attacker) {
				if report.Done() {
					return
				}
				report.Try("doings of one's own", fmt.Sprint(r.Name(), " ", n, " ", role), func() string {
					who := fresh(r)
					t := s.Attacker
					t.Values = with(t.Values, who.Own)
					body, _ := s.body(r, t)
					body = givenRole.ReplaceAllString(body, "${1}"+role)
					a := s.Send(who.As, r.Method, r.filled(t)[n].path, body)
					if what := touched(r); what != "" {
						return what
					}
					if n == 0 && (a.Status >= http.StatusBadRequest || strings.HasPrefix(a.Redirect(), "/prove")) { // a name does not always do for an identifier
						return fmt.Sprintf("is not done: %d %s%.300s", a.Status, a.Redirect(), shown(a.Body))
					}
					return ""
				})
			}
		}
	}
}

// given are roles that a route can give; one of no meaning where it gives none.
func (s *Service) given(r Route) []string {
	switch {
	case !givenRole.MatchString(s.Bodies[r.Name()]):
		return []string{""}
	case strings.Contains(r.Path, "{id}/site"):
		return []string{"operator", "none"}
	}
	return []string{"operator", "admin"}
}

func with(values, more map[string][]string) map[string][]string {
	all := map[string][]string{}
	for _, m := range []map[string][]string{values, more} {
		for key, v := range m {
			all[key] = v
		}
	}
	return all
}

// shown is what a page says, without its frame and marks.
func shown(page string) string {
	if _, body, ok := strings.Cut(page, "<main"); ok {
		page = mark.ReplaceAllString("<main"+body, " ")
	}
	return page
}

var mark = regexp.MustCompile(`<[^>]*>`)
