package web

import (
	"context"
	"fmt"

	"assimilation/tenancy"
)

// Actor is who makes a request, for which tenant, with which rights.
type Actor struct {
	User   tenancy.UserID // zero: a token that belongs to no person
	Email  string
	Tenant tenancy.TenantID
	// TenantName is what the console shows.
	TenantName string
	Role       tenancy.Role
	Token      string // id of the API token used; "" for a browser session
	// Session is the hash of the session's cookie; zero for a token.
	Session [32]byte
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

// anyone is the metadata value of an operation that needs no actor; no role is
// called so.
const anyone tenancy.Role = "*anyone*"

// Needs is the metadata of an operation that needs a role:
//
//	huma.Operation{OperationID: "list-sites", Metadata: web.Needs(tenancy.Viewer), ...}
func Needs(role tenancy.Role) map[string]any { return map[string]any{needsKey: role} }

// Anyone is the metadata of an operation that needs no actor (sign up, log in).
func Anyone() map[string]any { return map[string]any{needsKey: anyone} }
