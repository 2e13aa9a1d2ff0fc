package tenancytest

import (
	"fmt"
	"net/http"
	"strings"
)

// Credentials sends every route that needs somebody with credentials that are no
// good, about the victim's things: the answer is who are you, and nothing else.
func (s *Service) Credentials(report *Report, routes []Route, permits map[string]Permit, bad ...As) {
	for _, r := range routes {
		if permit, known := permits[r.Name()]; !known || permit.Anyone || r.Program {
			continue
		}
		paths := r.filled(s.Victim)
		if len(paths) == 0 {
			continue
		}
		body, _ := s.body(r, s.Victim)
		for _, as := range bad {
			if report.Done() {
				return
			}
			report.Try("bad credentials", as.Name+" "+r.Method+" "+paths[0].path, func() string {
				a := s.Send(as, r.Method, paths[0].path, body)
				asked := a.Status == http.StatusUnauthorized || a.Status == http.StatusSeeOther && strings.HasPrefix(a.Redirect(), "/signin")
				if !asked {
					return fmt.Sprintf("answers %d %.100s", a.Status, a.Body)
				}
				if secret := s.Secrets.In(a.All(), spelled(paths[0].values)...); secret != "" {
					return fmt.Sprintf("shows %q", secret)
				}
				return ""
			})
		}
	}
}

// crossSite are the ways in which browsers say that another site's page sends a
// request.
var crossSite = [][]string{
	{"Origin", "https://evil.example"},
	{"Origin", "null"},
	{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
	{"Sec-Fetch-Site", "same-site"},
	{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"},
}

// Forgeries lets the pages of another site send whatever changes something, with
// the victim's own cookie.
func (s *Service) Forgeries(report *Report, routes []Route, victim As) {
	for _, r := range routes {
		if r.Safe() || report.Done() {
			continue
		}
		paths := r.filled(s.Victim)
		if len(paths) == 0 {
			continue
		}
		body, _ := s.body(r, s.Victim)
		for _, headers := range crossSite {
			report.Try("forged by another site", r.Method+" "+paths[0].path+" "+strings.Join(headers, " "), func() string {
				if a := s.Send(victim, r.Method, paths[0].path, body, headers...); a.Status != http.StatusForbidden {
					return fmt.Sprintf("answers %d", a.Status)
				}
				return ""
			})
		}
	}
}
