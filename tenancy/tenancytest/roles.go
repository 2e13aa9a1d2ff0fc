package tenancytest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"assimilation/tenancy"
)

// Member is somebody of the attacker's tenant, with what they may.
type Member struct {
	As
	Role     tenancy.Role // in the whole tenant
	SiteRole tenancy.Role // at a site that has none of the tenant's Values
	Owes     bool         // a second factor
	SSO      bool         // came by the tenant's provider
	Unproved bool         // showed a secret long ago
}

// refused says why the permit keeps the member out; "" when it does not.
func (p Permit) refused(m Member) string {
	token := m.Token != ""
	switch {
	case p.Anyone:
		return ""
	case p.Role != "" && rank(m.Role) < rank(p.Role):
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
			why := permit.refused(m)
			if why == "" || report.Done() {
				continue
			}
			for _, path := range s.own(r) {
				report.Try("roles", m.Name+" "+r.Method+" "+path, func() string {
					body, _ := s.body(r, s.Attacker)
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

// own is where the route shows the attacker's own things.
func (s *Service) own(r Route) (paths []string) {
	for _, n := range r.filled(s.Attacker) {
		paths = append(paths, n.path)
	}
	return paths
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
