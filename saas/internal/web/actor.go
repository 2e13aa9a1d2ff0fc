package web

import (
	"context"
	"fmt"
	"time"

	"assimilation/tenancy"
)

// Actor is who makes a request, for which tenant, with which rights.
type Actor struct {
	User   tenancy.UserID // zero: a token that belongs to no person
	Email  string
	Tenant tenancy.TenantID
	// TenantName is what the console shows.
	TenantName string
	// TenantEnds is when the tenant is to be deleted, for a session; zero: nobody
	// asked.
	TenantEnds time.Time
	Role       tenancy.Role
	// Sites are roles at single sites, beyond Role.
	Sites map[tenancy.SiteID]tenancy.Role
	Token string // id of the API token used; "" for a browser session
	// Session is the hash of the session's cookie; zero for a token.
	Session [32]byte
	// SSO: the tenant's identity provider began the session.
	SSO bool
	// ProvedAt is when the person last showed a secret in this session.
	ProvedAt time.Time
	// Owes: the tenant wants a second factor, and the person has none yet.
	Owes    bool
	Address string // where the request comes from
}

// May reports whether the actor may do it in the whole tenant.
func (a Actor) May(action tenancy.Action) bool { return a.Role.May(action) }

// MayAt reports whether the actor may do it at a site.
func (a Actor) MayAt(action tenancy.Action, site tenancy.SiteID) bool {
	return a.Role.May(action) || a.Sites[site].MayAt(action)
}

// Name is how the audit log calls the actor.
func (a Actor) Name() string {
	if a.Token != "" {
		return fmt.Sprintf("%s (token %s)", a.Email, a.Token)
	}
	return a.Email
}

type actorKey struct{}

// ActorFrom returns the actor of the request. In a handler whose operation or
// page needs a role there always is one; elsewhere it is the zero Actor, which
// no tenant's rows match.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// WithActor returns a context that carries the actor. Only the middleware and
// tests call it.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

const needsKey = "needs"

// anyone is the metadata value of an operation that needs no actor; no action is
// called so.
const anyone tenancy.Action = "*anyone*"

// Needs is the metadata of an operation that does something, see
// tenancy.RightFor for what that wants:
//
//	huma.Operation{OperationID: "list-sites", Metadata: web.Needs(tenancy.Read), ...}
func Needs(action tenancy.Action) map[string]any { return map[string]any{needsKey: action} }

const liveKey = "live"

// needsLive is Needs for an operation whose answer has no end. It takes no turn of
// its tenant's: what it reads, it reads by others.
func needsLive(action tenancy.Action) map[string]any {
	return map[string]any{needsKey: action, liveKey: true}
}

// Anyone is the metadata of an operation that needs no actor (sign up, log in).
func Anyone() map[string]any { return map[string]any{needsKey: anyone} }
