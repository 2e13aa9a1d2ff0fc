package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/keys"
)

// wrapped is a column of secrets that the master key wraps.
type wrapped struct {
	table, column string
	ids           []string // columns whose values purpose takes
	purpose       func(ids []uuid.UUID) string
}

func (w wrapped) String() string { return w.table + "." + w.column }

// Wrapped columns: all of them, or a change of the master key loses what is not here.
// One that others are moved to comes after those: what moves meanwhile is met there.
var wrappedColumns = []wrapped{
	{"tenants", "seal_private", []string{"id"}, func(ids []uuid.UUID) string { return keys.OfTenant(tenancy.TenantID{UUID: ids[0]}) }},
	{"tenants", "former_private", []string{"id"}, func(ids []uuid.UUID) string { return keys.OfTenant(tenancy.TenantID{UUID: ids[0]}) }},
	{"sites", "next_private", []string{"id"}, ofSite},
	{"sites", "site_private", []string{"id"}, ofSite},
	{"sites", "site_secret", []string{"id"}, func(ids []uuid.UUID) string { return keys.OfSiteSecret(tenancy.SiteID{UUID: ids[0]}) }},
	{"users", "totp_secret", []string{"id"}, func(ids []uuid.UUID) string { return keys.OfSecondFactor(tenancy.UserID{UUID: ids[0]}) }},
	{"identity_providers", "client_secret", []string{"tenant"}, func(ids []uuid.UUID) string { return keys.OfIdentityProvider(tenancy.TenantID{UUID: ids[0]}) }},
	{"exporters", "secret", []string{"tenant", "id"}, func(ids []uuid.UUID) string {
		return keys.OfExporter(tenancy.TenantID{UUID: ids[0]}, tenancy.ExporterID{UUID: ids[1]})
	}},
	{"webhooks", "secret", []string{"tenant", "id"}, ofWebhook},
	{"webhooks", "previous_secret", []string{"tenant", "id"}, ofWebhook},
	{"answers", "answer", []string{"tenant"}, func(ids []uuid.UUID) string { return keys.OfAnswer(tenancy.TenantID{UUID: ids[0]}) }},
}

func ofSite(ids []uuid.UUID) string { return keys.OfSite(tenancy.SiteID{UUID: ids[0]}) }

func ofWebhook(ids []uuid.UUID) string {
	return keys.OfWebhook(tenancy.TenantID{UUID: ids[0]}, tenancy.WebhookID{UUID: ids[1]})
}

// keyIDOf is the SQL expression of the id of the key that wrapped a secret.
func keyIDOf(column string) string { return "encode(substring(" + column + " FROM 2 FOR 4), 'hex')" }

// Querier is a connection or a transaction of the administrator.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// WrappedBy counts the secrets that each master key wrapped, by its id.
func WrappedBy(ctx context.Context, q Querier) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, w := range wrappedColumns {
		rows, err := q.Query(ctx, fmt.Sprintf(`SELECT %s, count(*) FROM assim.%s WHERE %s IS NOT NULL GROUP BY 1`, keyIDOf(w.column), w.table, w.column))
		if err != nil {
			return nil, fmt.Errorf("counting the secrets of %s: %w", w, err)
		}
		var id string
		var n int64
		if _, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error { counts[id] += n; return nil }); err != nil {
			return nil, fmt.Errorf("counting the secrets of %s: %w", w, err)
		}
	}
	return counts, nil
}

// Rewrap wraps all secrets by the first key of master that are not yet. What cannot
// be opened is left, and told in the error with everything else done.
func Rewrap(ctx context.Context, adminURL string, master *keys.Master) (rewrapped int64, err error) {
	err = asAdmin(ctx, adminURL, func(from *pgx.Conn) error {
		return asAdmin(ctx, adminURL, func(to *pgx.Conn) error {
			var faults []error
			for _, w := range wrappedColumns {
				n, err := w.rewrap(ctx, from, to, master)
				rewrapped += n
				if err != nil {
					faults = append(faults, fmt.Errorf("wrapping %s anew: %w", w, err))
				}
			}
			return errors.Join(faults...)
		})
	})
	return rewrapped, err
}

func (w wrapped) rewrap(ctx context.Context, from, to *pgx.Conn, master *keys.Master) (n int64, err error) {
	rows, err := from.Query(ctx, fmt.Sprintf(`SELECT ARRAY[%s], %s FROM assim.%s WHERE %s <> $1`, strings.Join(w.ids, ", "), w.column, w.table, keyIDOf(w.column)),
		master.IDs()[0])
	if err != nil {
		return 0, err
	}
	// The service may have put another secret there meanwhile: that one stays.
	update := fmt.Sprintf(`UPDATE assim.%s SET %[2]s = $1 WHERE %[2]s = $2`, w.table, w.column)
	for i, id := range w.ids {
		update += fmt.Sprintf(" AND %s = ($3::uuid[])[%d]", id, i+1)
	}
	var ids []uuid.UUID
	var old []byte
	var faults []error
	_, err = pgx.ForEachRow(rows, []any{&ids, &old}, func() error {
		purpose := w.purpose(ids)
		secret, err := master.Unwrap(purpose, old)
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		tag, err := to.Exec(ctx, update, master.Wrap(purpose, secret), old, ids)
		n += tag.RowsAffected()
		return err
	})
	return n, errors.Join(append(faults, err)...)
}

// StillWrapped counts what looks wrapped by one of the keys in any column of any
// table, whether or not it is known to hold secrets.
func StillWrapped(ctx context.Context, adminURL string, ids []string) (map[string]int64, error) {
	var heads [][]byte
	for _, id := range ids {
		head, err := hex.DecodeString("01" + id)
		if err != nil {
			return nil, fmt.Errorf("%q is no id of a master key: %w", id, err)
		}
		heads = append(heads, head)
	}
	found := map[string]int64{}
	err := asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		columns, err := byteColumns(ctx, conn)
		if err != nil {
			return err
		}
		for _, c := range columns {
			var n int64
			if err := conn.QueryRow(ctx, fmt.Sprintf(`SELECT count(*) FROM %s WHERE substring(%s FROM 1 FOR 5) = ANY($1)`,
				quote("assim", c[0]), quote(c[1])), heads).Scan(&n); err != nil {
				return fmt.Errorf("looking into %s.%s: %w", c[0], c[1], err)
			}
			if n > 0 {
				found[c[0]+"."+c[1]] = n
			}
		}
		return nil
	})
	return found, err
}

// byteColumns lists the columns that could hold a secret: table and column.
func byteColumns(ctx context.Context, q Querier) ([][]string, error) {
	rows, err := q.Query(ctx, `SELECT ARRAY[c.relname::text, a.attname::text] FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND a.atttypid = 'bytea'::regtype AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]string])
}

// SecretsBy is WrappedBy for who has no session of the administrator.
func SecretsBy(ctx context.Context, adminURL string) (counts map[string]int64, err error) {
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error { counts, err = WrappedBy(ctx, conn); return err })
	return counts, err
}
