// Package audit writes down who changed what: one row per change, in the
// transaction that makes the change, or right after it where the change is one
// of people and not of the tenant's own tables.
package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Entry is one change.
type Entry struct {
	Actor  string            // who, as web.Actor.Name says it
	Action string            // verb and thing: "host.retire"
	Object string            // what it was done to: an id
	Detail map[string]string // what else a reader wants to know; never a secret
}

// Write adds the entry to the tenant's log. tx is a writer's transaction of
// that tenant.
func Write(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, e Entry) error {
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("audit of %s: %w", e.Action, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO assim.audit (tenant, actor, action, object, detail) VALUES ($1, $2, $3, $4, $5)`,
		tenant, e.Actor, e.Action, e.Object, detail)
	if err != nil {
		return fmt.Errorf("audit of %s: %w", e.Action, err)
	}
	return nil
}
