// Package audit writes down who changed what, from where, and what it was like
// before and after: one row per change, in the transaction that makes the
// change, or right after it where the change is one of people and not of the
// tenant's own tables. It shows the log to those who may read it, and hands it
// out whole.
package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Entry is one change.
type Entry struct {
	Actor  string            // who, as web.Actor.Name says it
	Action string            // verb and thing: "host.retire"
	Object string            // what it was done to: an id
	Detail map[string]string // what else a reader wants to know; never a secret
	// Before and After are what changed, where something was already there or
	// still is.
	Before, After map[string]string
	// User and Address are of the request's actor, where there is one; whoever
	// writes for somebody who is not signed in says them.
	User    tenancy.UserID
	Address string
}

// Write adds the entry to the tenant's log. tx is a writer's transaction of
// that tenant.
func Write(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, e Entry) error {
	if by := web.ActorFrom(ctx); by.Address != "" {
		e.User, e.Address = by.User, by.Address
	}
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("audit of %s: %w", e.Action, err)
	}
	var user *tenancy.UserID
	if !e.User.IsZero() {
		user = &e.User
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO assim.audit (tenant, actor, action, object, detail, user_id, address, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tenant, e.Actor, e.Action, e.Object, detail, user, e.Address, e.Before, e.After)
	if err != nil {
		return fmt.Errorf("audit of %s: %w", e.Action, err)
	}
	return nil
}
