package tenancytest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"assimilation/tenancy"
)

// Member is somebody of the attacker's tenant, with what they may.
type Member struct {
	As
	Role     tenancy.Role // in the whole tenant
	SiteRole tenancy.Role // at one site
	Here     bool         // it is the site that the tenant's Values are of; else it has none of them
	Owes     bool         // a second factor
	SSO      bool         // came by the tenant's provider
	Unproved bool         // showed a secret long ago
	// Own are values that are theirs, for those of the tenant.
	Own map[string][]string
}

// refused says why the permit keeps the member out of a route; "" when it does not.
func (p Permit) refused(m Member, r Route) string {
	token := m.Token != ""
	there := m.Here && p.AtSite != "" && rank(m.SiteRole) >= rank(p.AtSite) && atSite.MatchString(r.Path)
	switch {
	case p.Anyone:
		return ""
	case p.Role != "" && rank(m.Role) < rank(p.Role) && !there:
		return "it needs the role " + string(p.Role)
	case m.Owes && !p.Entering:
		return "it is not for who owes a second factor"
	case p.Personal && (token || m.SSO):
		return "it is a person's own"
	case p.Proof && !token && m.Unproved:
		return "it needs a fresh proof"
	}
	return ""
}

// atSite are paths about what is at one site.
var atSite = regexp.MustCompile(`\{(site|host|relay|token)\}`)

// rank orders the roles without asking package tenancy, whose order is under test.
func rank(r tenancy.Role) int {
	return slices.Index([]tenancy.Role{"", "viewer", "operator", "admin", "owner"}, r)
}

// Roles sends every route as every member of the attacker's tenant whom its permit
// keeps out, about the tenant's own things.
func (s *Service) Roles(report *Report, routes []Route, permits map[string]Permit, members ...Member) {
	for _, r := range routes {
		permit, known := permits[r.Name()]
		if r.Program || !known {
			continue // Unlisted tells of the unknown
		}
		for _, m := range members {
			why := permit.refused(m, r)
			if why == "" || report.Done() {
				continue
			}
			t := s.Attacker
			t.Values = with(t.Values, m.Own)
			for _, n := range r.filled(t) {
				path := n.path
				report.Try("roles", m.Name+" "+r.Method+" "+path, func() string {
					body, _ := s.body(r, t)
					a := s.Send(m.As, r.Method, path, body)
					if !a.isRefusal() {
						return fmt.Sprintf("answers %d, though %s", a.Status, why)
					}
					return ""
				})
			}
		}
	}
}

// isRefusal reports whether the guards answered, and not the route.
func (a Answer) isRefusal() bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusSeeOther:
		for _, guard := range []string{"/signin", "/prove?", "/account/second-factor"} {
			if strings.HasPrefix(a.Redirect(), guard) {
				return true
			}
		}
	}
	return false
}

// Unlisted are the routes of which no permit is written down, as lines to add, and
// the permits without a route.
func Unlisted(routes []Route, permits map[string]Permit) (add, remove []string) {
	left := map[string]bool{}
	for name := range permits {
		left[name] = true
	}
	for _, r := range routes {
		if !left[r.Name()] {
			add = append(add, r.Name()+"\t"+PermitOf(r.Action).String())
		}
		delete(left, r.Name())
	}
	for name := range left {
		remove = append(remove, name)
	}
	return add, remove
}
