package quota

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
)

// Thing is what a tenant can only have so many of, in the words of a sentence.
type Thing string

// The things that people and their programs make.
const (
	Sites       Thing = "sites"
	Tokens      Thing = "tokens"
	Exporters   Thing = "exporters"
	Relays      Thing = "relays"
	Webhooks    Thing = "webhooks"
	Views       Thing = "views"
	Members     Thing = "members"
	SiteRoles   Thing = "roles at single sites"
	Invitations Thing = "invitations that wait"
	APITokens   Thing = "API tokens"
	Domains     Thing = "domains"
	Identities  Thing = "people known to its identity provider"
)

// Things are all of them.
var Things = []Thing{Sites, Tokens, Exporters, Relays, Webhooks, Views, Members, SiteRoles, Invitations, APITokens, Domains, Identities}

// bound is how many there may be.
type bound struct {
	table string
	which string // of its rows count; "" all
	most  int64  // 0: as many as who runs the service allows
	room  string // how one makes room
}

const usable = `revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`

// ofTenant are bounds of what a tenant's own role writes.
var ofTenant = map[Thing]bound{
	Sites:     {"sites", "", 0, ""},
	Tokens:    {"tokens", usable, 0, "revoke one first"},
	Exporters: {"exporters", "", 0, "remove one first"},
	Relays:    {"relays", "revoked_at IS NULL", 1000, "revoke one first"},
	Webhooks:  {"webhooks", "", 20, "remove one first"},
	Views:     {"views", "", 10_000, "remove one first"},
}

// ofPeople are bounds of what no tenant's role reaches.
var ofPeople = map[Thing]bound{
	Members:     {"members", "", 1000, "an admin can remove one"},
	SiteRoles:   {"site_members", "", 10_000, "take one away first"},
	Invitations: {"invitations", "", 200, "revoke one first"},
	APITokens:   {"api_tokens", usable, 500, "revoke one first"},
	Domains:     {"domains", "", 20, "remove one first"},
	Identities:  {"identities", "", 5000, "an admin can remove the provider and set it anew"},
}

func (t Thing) bound() bound {
	if b, ok := ofPeople[t]; ok {
		return b
	}
	return ofTenant[t]
}

// Bound says in which table a thing is, and how many a tenant has at most; 0: who
// runs the service says it.
func (t Thing) Bound() (table string, most int64) { return t.bound().table, t.bound().most }

func (t Thing) count(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID) (has int64, err error) {
	b := t.bound()
	sql := `SELECT count(*) FROM assim.` + b.table + ` WHERE tenant = $1`
	if b.which != "" {
		sql += ` AND ` + b.which
	}
	if err := tx.QueryRow(ctx, sql, tenant).Scan(&has); err != nil {
		return 0, fmt.Errorf("counting %s: %w", t, err)
	}
	return has, nil
}

func (l Limits) of(thing Thing) int64 {
	return map[Thing]int64{Sites: l.Sites, Tokens: l.Tokens, Exporters: l.Exporters}[thing]
}

// Room returns a problem unless the tenant may have one more. tx is the transaction
// in which the thing is made, others wait for its end: a writer's of the tenant, or a
// global one for what is of people. That locks the owners' memberships, for want of
// the right to take any other lock.
func Room(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, thing Thing) error {
	wait, key := `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "assim quota "+tenant.String()
	if _, ok := ofPeople[thing]; ok {
		wait, key = `SELECT FROM assim.members WHERE tenant = $1::uuid AND role = 'owner' ORDER BY user_id FOR UPDATE`, tenant.String()
	}
	if _, err := tx.Exec(ctx, wait, key); err != nil {
		return fmt.Errorf("waiting for the tenant's quota: %w", err)
	}
	limit, room := thing.bound().most, thing.bound().room
	if limit == 0 {
		limits, _, err := Read(ctx, tx)
		if err != nil {
			return err
		}
		limit = limits.of(thing)
		if room != "" {
			room += ", or "
		}
		room += "see /usage: who runs the service can allow more"
	}
	has, err := thing.count(ctx, tx, tenant)
	if err != nil {
		return err
	}
	if has >= limit {
		return web.NewProblem(http.StatusConflict, web.OverQuota, fmt.Sprintf("the tenant has %d %s, and may have %d; %s", has, thing, limit, room))
	}
	return nil
}
