package deletion

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// found is what one search saw.
type found struct {
	tables int
	rows   int64
	hits   map[string]int      // by needle: in how many rows
	where  map[string][]string // by needle: in which tables
}

// search looks for texts in every table of every schema, the catalogs with their
// statistics, comments, names of roles and sequences and large objects among them:
// in each row as text (sequences have no more than a name, which pg_class has), where bytes are written as hexadecimal digits, so each is
// looked for in that form, too.
func search(t *testing.T, conn *pgx.Conn, needles []string) found {
	t.Helper()
	ctx := context.Background()
	rows, err := conn.Query(ctx, `SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for _, n := range needles {
		patterns = append(patterns, strings.ToLower(n))
	}
	var encoded []string
	for _, n := range needles {
		encoded = append(encoded, hex.EncodeToString([]byte(n)))
	}
	f := found{tables: len(tables), hits: map[string]int{}, where: map[string][]string{}}
	for _, table := range tables {
		var n int64
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		f.rows += n
		hits, err := conn.Query(ctx, `SELECT k.n, count(*) FROM (SELECT lower(t::text) AS row FROM `+table+` t) r
			JOIN unnest($1::text[], $2::text[]) WITH ORDINALITY k(plain, hex, n) ON strpos(r.row, k.plain) > 0 OR strpos(r.row, k.hex) > 0 GROUP BY 1`, patterns, encoded)
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		var at, count int
		if _, err := pgx.ForEachRow(hits, []any{&at, &count}, func() error {
			needle := needles[at-1]
			f.hits[needle] += count
			f.where[needle] = append(f.where[needle], table)
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	return f
}

// digests are of every table's rows of one tenant, its graph among them; but of
// what the service itself writes about relays that are silent.
func digests(t *testing.T, conn *pgx.Conn, tenant string) map[string]string {
	t.Helper()
	ctx := context.Background()
	living := []string{"relays", "verdicts", "verdict_hosts", "events", "history", "usage", "usage_days", "api_tokens", "sessions"}
	rows, err := conn.Query(ctx, `
		SELECT c.oid::regclass::text, c.relname::text, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped) AS carries
		FROM pg_class c WHERE c.relkind = 'r' AND (c.relnamespace = 'assim'::regnamespace OR c.relnamespace = $1::regnamespace)`, "g_"+strings.ReplaceAll(tenant, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	type table struct {
		Name, Short string
		Carries     bool
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, of := range tables {
		where := ""
		switch {
		case slices.Contains(living, of.Short) || strings.HasPrefix(of.Name, "assim.") && !of.Carries:
			continue
		case of.Carries:
			where = " WHERE tenant = '" + tenant + "'"
		}
		var count int
		var digest string
		if err := conn.QueryRow(ctx, `SELECT count(*), coalesce(md5(string_agg(t::text, E'\n' ORDER BY t::text)), '') FROM `+of.Name+` t`+where).Scan(&count, &digest); err != nil {
			t.Fatalf("%s: %v", of.Name, err)
		}
		if count > 0 {
			all[of.Name] = fmt.Sprintf("%d rows, %s", count, digest)
		}
	}
	return all
}
