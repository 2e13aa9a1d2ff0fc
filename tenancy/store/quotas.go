package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Quotas are the names of what a tenant can only have so much of; those of the
// columns, too.
var Quotas = []string{"hosts", "changes", "bytes", "questions", "sites", "tokens", "exporters"}

// Quota is a limit that holds.
type Quota struct {
	Limit int64
	Own   bool // of the tenant alone
}

// Listed is a tenant as those who run the service see it.
type Listed struct {
	ID                          tenancy.TenantID
	Name                        string
	CreatedAt                   time.Time
	Hosts, MaxHosts             int64
	Changes                     float64 // of a day
	MaxChanges, Bytes, MaxBytes int64
	Own                         bool // it has quotas of its own
	EndsAt                      *time.Time
}

// Tenants lists all tenants by name.
func Tenants(ctx context.Context, adminURL string) (all []Listed, err error) {
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `
			SELECT t.id, t.name, t.created_at, coalesce(u.hosts, 0), coalesce(o.hosts, d.hosts), coalesce(u.changes, 0), coalesce(o.changes, d.changes),
				coalesce(u.bytes, 0), coalesce(o.bytes, d.bytes), o.tenant IS NOT NULL, e.due_at
			FROM assim.tenants t JOIN assim.quotas d ON d.tenant IS NULL
			LEFT JOIN assim.quotas o ON o.tenant = t.id LEFT JOIN assim.usage u ON u.tenant = t.id LEFT JOIN assim.deletions e ON e.tenant = t.id
			ORDER BY lower(t.name), t.id`)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Listed])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing tenants: %w", err)
	}
	return all, nil
}

// SetQuotas sets quotas of one tenant, by name or id, or with "" of all that have
// none of their own, and returns what holds then. nil is none of its own.
func SetQuotas(ctx context.Context, adminURL, tenant string, set map[string]*int64) (now map[string]Quota, err error) {
	for name, limit := range set {
		switch {
		case !slices.Contains(Quotas, name):
			return nil, fmt.Errorf("%q is none of the quotas %s", name, strings.Join(Quotas, ", "))
		case limit == nil && tenant == "":
			return nil, fmt.Errorf("%s: what holds for all needs a number", name)
		case limit != nil && (*limit < 0 || name == "questions" && *limit < 1):
			return nil, fmt.Errorf("%s: %d is too few", name, *limit)
		}
	}
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			id, err := tenantCalled(ctx, tx, tenant)
			if err != nil {
				return err
			}
			if id != nil && len(set) > 0 {
				if _, err := tx.Exec(ctx, `INSERT INTO assim.quotas (tenant) VALUES ($1) ON CONFLICT (tenant) DO NOTHING`, id); err != nil {
					return err
				}
			}
			for name, limit := range set {
				if _, err := tx.Exec(ctx, `UPDATE assim.quotas SET `+quote(name)+` = $2 WHERE tenant IS NOT DISTINCT FROM $1`, id, limit); err != nil {
					return err
				}
			}
			// A tenant without any of its own is as all others.
			if _, err := tx.Exec(ctx, `DELETE FROM assim.quotas WHERE tenant = $1 AND num_nonnulls(`+strings.Join(Quotas, ", ")+`) = 0`, id); err != nil {
				return err
			}
			now, err = quotasOf(ctx, tx, id)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("setting quotas: %w", err)
	}
	return now, nil
}

func quotasOf(ctx context.Context, tx pgx.Tx, id *tenancy.TenantID) (map[string]Quota, error) {
	now := map[string]Quota{}
	for _, name := range Quotas {
		var q Quota
		sql := strings.ReplaceAll(`SELECT coalesce(o.@, d.@), o.@ IS NOT NULL FROM assim.quotas d LEFT JOIN assim.quotas o ON o.tenant = $1 WHERE d.tenant IS NULL`, "@", quote(name))
		err := tx.QueryRow(ctx, sql, id).Scan(&q.Limit, &q.Own)
		if err != nil {
			return nil, err
		}
		now[name] = q
	}
	return now, nil
}

// tenantCalled finds a tenant by id, or by a name that no other has; nil for "".
func tenantCalled(ctx context.Context, tx pgx.Tx, called string) (*tenancy.TenantID, error) {
	if called == "" {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT id FROM assim.tenants WHERE id = assim.as_id($1) OR name = $1 LIMIT 2`, called)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[tenancy.TenantID])
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, fmt.Errorf("no tenant is called %q", called)
	case len(ids) > 1:
		return nil, errors.New("several tenants have this name: say the id")
	}
	return &ids[0], nil
}
