package tenancytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// ofTenant says which rows of a table are a tenant's ($1), where no column tells it.
// A new table of that sort must be added here.
var ofTenant = map[string]string{
	"tenants":         `t.id = $1`,
	"users":           `t.id IN (SELECT user_id FROM assim.members WHERE tenant = $1)`,
	"known_addresses": `t.user_id IN (SELECT user_id FROM assim.members WHERE tenant = $1)`,
	"recovery_codes":  `t.user_id IN (SELECT user_id FROM assim.members WHERE tenant = $1)`,
	"links":           `t.user_id IN (SELECT user_id FROM assim.members WHERE tenant = $1)`,
	"signups":         `t.email LIKE '%' || $1::text || '%'`, // of nobody yet
}

// Table is one of schema assim, with the condition that makes its rows a tenant's.
type Table struct {
	Name      string
	Condition string
	HasTenant bool // it carries the tenant
}

// Tables lists the tables of the service from the catalog. It fails for one of which
// nobody can tell whose its rows are.
func Tables(ctx context.Context, admin *pgx.Conn) ([]Table, error) {
	rows, err := admin.Query(ctx, `
		SELECT c.relname::text, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped)
		FROM pg_class c WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
		err = row.Scan(&t.Name, &t.HasTenant)
		t.Condition = `t.tenant = $1`
		return t, err
	})
	if err != nil {
		return nil, err
	}
	for i, t := range tables {
		if t.HasTenant {
			continue
		}
		if tables[i].Condition = ofTenant[t.Name]; tables[i].Condition == "" && belongsToNobody[t.Name] == "" {
			return nil, fmt.Errorf("table assim.%s has no column tenant: say in tenancy/tenancytest/digest.go (ofTenant) which of its rows are a tenant's, or in belongsToNobody why none is", t.Name)
		}
	}
	return slices.DeleteFunc(tables, func(t Table) bool { return t.Condition == "" }), nil
}

// belongsToNobody are tables without rows of a tenant's, and why.
var belongsToNobody = map[string]string{
	"operations": "what was done to the whole installation",
	"tombstones": "a random id and a date",
}

// volatile are columns that the tenant's own requests touch, so that they say
// nothing of others.
var volatile = []string{"last_used_at", "last_used_from"}

// volatileIn are such columns of single tables.
var volatileIn = map[string]string{"sessions": "seen_at"}

// Digest is a hash of all rows that are a tenant's, by schema and table.
type Digest map[string]string

// DigestOf reads it, of the tables that are named only, or of all. Nothing may write
// meanwhile.
func DigestOf(ctx context.Context, admin *pgx.Conn, tenant tenancy.TenantID, only ...string) (Digest, error) {
	tables, err := Tables(ctx, admin)
	if err != nil {
		return nil, err
	}
	d := Digest{}
	read := func(name, sql string, args ...any) error {
		if len(only) > 0 && !slices.Contains(only, name) {
			return nil
		}
		var text string
		if err := admin.QueryRow(ctx, `SELECT count(*) || ' rows ' || md5(coalesce(string_agg(row, ',' ORDER BY row), '')) FROM (`+sql+`) AS r (row)`, args...).Scan(&text); err != nil {
			return fmt.Errorf("digest of %s: %w", name, err)
		}
		d[name] = text
		return nil
	}
	for _, t := range tables {
		ignored := volatile
		if more := volatileIn[t.Name]; more != "" {
			ignored = append(slices.Clone(volatile), more)
		}
		sql := fmt.Sprintf(`SELECT (to_jsonb(t) - '{%s}'::text[])::text FROM assim.%s t WHERE %s`, strings.Join(ignored, ","), pgx.Identifier{t.Name}.Sanitize(), t.Condition)
		if err := read("assim."+t.Name, sql, tenant); err != nil {
			return nil, err
		}
	}
	graph := store.Graph(tenant)
	rows, err := admin.Query(ctx, `SELECT relname::text FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'`, graph)
	if err != nil {
		return nil, err
	}
	labels, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, label := range labels {
		if err := read(graph+"."+label, `SELECT t::text FROM ONLY `+pgx.Identifier{graph, label}.Sanitize()+` t`); err != nil {
			return nil, err
		}
	}
	return d, read("roles", `SELECT r.rolname || ' ' || r.rolsuper || r.rolcanlogin || r.rolbypassrls || coalesce(m.roleid::regrole::text, '') FROM pg_roles r
		LEFT JOIN pg_auth_members m ON m.member = r.oid WHERE r.rolname LIKE '%' || replace($1::uuid::text, '-', '')`, tenant)
}

// Of is the part of it about some tables.
func (a Digest) Of(tables []string) Digest {
	part := Digest{}
	for _, name := range tables {
		if text, ok := a[name]; ok {
			part[name] = text
		}
	}
	return part
}

// Differs names what is another in b than in a; "" when nothing is.
func (a Digest) Differs(b Digest) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] != b[name] {
			names = append(names, fmt.Sprintf("%s was %s, is %s", name, a[name], b[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, had := a[name]; !had {
			names = append(names, name+" is new")
		}
	}
	return strings.Join(names, "; ")
}

// IDsOf are all identifiers in the tenant's rows that stand in no row of the other
// tenant.
func IDsOf(ctx context.Context, admin *pgx.Conn, tenant, other tenancy.TenantID) ([]uuid.UUID, error) {
	own, err := idsOf(ctx, admin, tenant)
	if err != nil {
		return nil, err
	}
	others, err := idsOf(ctx, admin, other)
	if err != nil {
		return nil, err
	}
	for id := range others {
		delete(own, id)
	}
	return slices.Collect(maps.Keys(own)), nil
}

func idsOf(ctx context.Context, admin *pgx.Conn, tenant tenancy.TenantID) (map[uuid.UUID]bool, error) {
	tables, err := Tables(ctx, admin)
	if err != nil {
		return nil, err
	}
	ids := map[uuid.UUID]bool{tenant.UUID: true}
	for _, t := range tables {
		rows, err := admin.Query(ctx, fmt.Sprintf(`SELECT DISTINCT m[1] FROM assim.%s t, regexp_matches(t::text, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') m WHERE %s`,
			pgx.Identifier{t.Name}.Sanitize(), t.Condition), tenant)
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("identifiers in %s: %w", t.Name, err)
		}
		for _, text := range found {
			if id, err := uuid.Parse(text); err == nil && id != uuid.Nil {
				ids[id] = true
			}
		}
	}
	return ids, nil
}
