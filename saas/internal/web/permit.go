package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"assimilation/tenancy"
)

// ProofLife is how long a secret that was shown in a browser is good for what
// an attacker at an unlocked screen must not do.
const ProofLife = 10 * time.Minute

// Places finds the site that a route is about.
type Places interface {
	// SiteOf takes the name of a path's parameter (site, host, relay, token) and
	// its value. ok is false when there is no such thing, or more than one.
	SiteOf(ctx context.Context, tenant tenancy.TenantID, parameter, value string) (site tenancy.SiteID, ok bool, err error)
}

// permit is authenticate with the refusals counted and the right checked; the
// problem is nil when the actor may go on.
func (s *Web) permit(r *http.Request, action tenancy.Action) (Actor, *Problem) {
	actor, err := s.authenticate(r)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		if refusal != ErrNoCredential {
			s.metrics.refused.WithLabelValues(refusal.Reason).Inc()
		}
		return Actor{}, NewProblem(http.StatusUnauthorized, refusal.Code, refusal.Reason)
	case err != nil:
		if r.Context().Err() == nil {
			s.config.Log.Error("authentication", "error", err)
		}
		return Actor{}, NewProblem(http.StatusServiceUnavailable, Unavailable, "who you are could not be looked up; try again")
	}
	actor.Address = ClientAddress(r)
	problem := s.allow(r, actor, action)
	if problem != nil {
		s.metrics.refused.WithLabelValues(string(problem.Code)).Inc()
	}
	return actor, problem
}

// allow is the one place where it is decided whether an actor may do something.
func (s *Web) allow(r *http.Request, actor Actor, action tenancy.Action) *Problem {
	right, _ := tenancy.RightFor(action)
	if !actor.May(action) {
		allowed, err := s.mayThere(r, actor, action)
		switch {
		case err != nil:
			if r.Context().Err() == nil {
				s.config.Log.Error("looking up a site", "error", err)
			}
			return NewProblem(http.StatusServiceUnavailable, Unavailable, "what you may do could not be looked up; try again")
		case !allowed:
			return NewProblem(http.StatusForbidden, Forbidden, "this needs the role "+string(right.Role)+"; yours is "+roleName(actor.Role))
		}
	}
	switch {
	case actor.Owes && !right.Entering:
		return NewProblem(http.StatusForbidden, SecondFactorOwed, "your tenant wants a second factor: set one up on the page /account/second-factor")
	case right.Personal && (actor.SSO || actor.Token != ""):
		return NewProblem(http.StatusForbidden, Forbidden, "an API token or a single sign-on is good for the tenant, not for your own account")
	case right.Proof && actor.Token == "" && time.Since(actor.ProvedAt) > ProofLife:
		return NewProblem(http.StatusForbidden, ProofRequired, "show first that it is you: open the page /prove")
	}
	return nil
}

func roleName(r tenancy.Role) string {
	if r == "" {
		return "of a single site"
	}
	return string(r)
}

// mayThere reports whether the actor's roles at sites suffice: every site that
// the request's path is about must give the right.
func (s *Web) mayThere(r *http.Request, actor Actor, action tenancy.Action) (bool, error) {
	if s.config.Places == nil || len(actor.Sites) == 0 {
		return false, nil
	}
	about := 0
	for _, parameter := range []string{"site", "host", "relay", "token"} {
		value := r.PathValue(parameter)
		if value == "" {
			continue
		}
		site, ok, err := s.config.Places.SiteOf(r.Context(), actor.Tenant, parameter, Text(value))
		if err != nil || !ok || !actor.MayAt(action, site) {
			return false, err
		}
		about++
	}
	return about > 0, nil
}
