package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Database attacks in SQL, as code of the service would that was taken over: behind
// each of the store's doors, as one tenant after another's rows. Every attack is
// rolled back, so what it reached is told by the rows that it touched.
type Database struct {
	DB               *store.DB
	Admin            *pgx.Conn // the superuser's, to read the catalog
	Victim, Attacker tenancy.TenantID
	EveryDoor        bool // also those that are as the reader's, or as Global
}

// door is a way to a transaction, of a kind: writer, reader or global.
type door struct {
	name, kind string
	open       func(context.Context, func(pgx.Tx) error) error
}

// methods are what the store can do: doors, or why a method is none. A new one must be
// added here, and to doors when it hands out a transaction.
var methods = map[string]string{
	"In": "door", "Read": "door", "ReadBounded": "door", "Global": "door", "Snapshot": "door",
	"Listen": "hands out what was sent to a channel", "Provision": "for who runs the service", "Drop": "for who runs the service", "Close": "", "Ping": "",
}

// UnknownMethods are methods of the store of which nothing is said.
func UnknownMethods() (unknown []string) {
	t := reflect.TypeFor[*store.DB]()
	for i := range t.NumMethod() {
		if _, known := methods[t.Method(i).Name]; !known {
			unknown = append(unknown, t.Method(i).Name)
		}
	}
	return unknown
}

func (d *Database) doors() []door {
	all := []door{
		{"writer", "writer", func(ctx context.Context, fn func(pgx.Tx) error) error { return d.DB.In(ctx, d.Attacker, fn) }},
		{"reader", "reader", func(ctx context.Context, fn func(pgx.Tx) error) error { return d.DB.Read(ctx, d.Attacker, fn) }},
		{"global", "global", d.DB.Global},
	}
	if !d.EveryDoor {
		return all
	}
	return append(all,
		door{"bounded reader", "reader", func(ctx context.Context, fn func(pgx.Tx) error) error {
			return d.DB.ReadBounded(ctx, d.Attacker, store.Memory{Sort: 1 << 20, Value: 1 << 20}, fn)
		}},
		door{"snapshot's reader", "reader", func(ctx context.Context, fn func(pgx.Tx) error) error {
			return d.DB.Snapshot(ctx, d.Attacker, func(own, _ pgx.Tx) error { return fn(own) })
		}},
		door{"snapshot's global", "global", func(ctx context.Context, fn func(pgx.Tx) error) error {
			return d.DB.Snapshot(ctx, d.Attacker, func(_, people pgx.Tx) error { return fn(people) })
		}})
}

var errRolledBack = errors.New("rolled back")

// try runs statements behind a door, and reports how many rows the last returned or
// touched. Nothing stays.
func (o door) try(ctx context.Context, statements []string, args ...any) (n int64, err error) {
	err = o.open(ctx, func(tx pgx.Tx) error {
		for i, sql := range statements {
			if i < len(statements)-1 {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
				continue
			}
			rows, err := tx.Query(ctx, sql, args...)
			if err != nil {
				return err
			}
			n = 0
			for rows.Next() {
				n++
			}
			rows.Close()
			if tag := rows.CommandTag(); !tag.Select() {
				n = tag.RowsAffected()
			}
			if rows.Err() != nil {
				return rows.Err()
			}
		}
		return errRolledBack
	})
	if err == errRolledBack {
		err = nil
	}
	return n, err
}

// What Postgres says when a guard stood in the way: no right, read-only.
const (
	noRight  = "42501"
	readOnly = "25006"
)

func code(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// none is a leak when a statement touched rows, or failed of something else than a
// guard.
func none(n int64, err error) string {
	switch {
	case err == nil && n == 0:
		return ""
	case err == nil:
		return fmt.Sprintf("reaches %d rows", n)
	case code(err) == noRight || code(err) == readOnly:
		return ""
	}
	return "got past the guards: " + err.Error()
}

// refused is a leak when a statement was not stopped by a guard.
func refused(n int64, err error) string {
	if err == nil {
		return fmt.Sprintf("is done, on %d rows", n)
	}
	return none(n, err)
}

// peoples are the tables that Global is for: they belong to people first, who may be
// of several tenants.
var peoples = []string{"users", "members", "sessions", "api_tokens", "known_addresses", "recovery_codes", "signups", "links", "site_members",
	"invitations", "entry_rules", "identity_providers", "domains", "identities", "sso_attempts", "tenants",
	"deletions"} // which go on when the tenant's own roles are gone

// Attack tries everything, or what concerns one part: a table, "partitions",
// "columns", "graph", "roles", "functions", "calls", "catalogs" or "server"; behind
// "graph" and "functions" may stand the one that is meant.
func (d *Database) Attack(ctx context.Context, report *Report, part string) error {
	tables, err := Tables(ctx, d.Admin)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if part == "" || part == t.Name {
			if err := d.attackTable(ctx, report, t); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
	}
	for _, of := range []struct {
		name   string
		attack func(ctx context.Context, report *Report, only string) error
	}{{"partitions", d.attackPartitions}, {"columns", d.attackColumns}, {"graph", d.attackGraph}, {"roles", d.attackRoles}, {"functions", d.attackFunctions},
		{"calls", d.callFunctions}, {"catalogs", d.attackCatalogs}, {"server", d.attackServer}} {
		if name, only, _ := strings.Cut(part, " "); part == "" || name == of.name {
			if err := of.attack(ctx, report, only); err != nil {
				return fmt.Errorf("%s: %w", of.name, err)
			}
		}
	}
	return nil
}

// attackTable reads, changes, makes and moves rows of the victim.
func (d *Database) attackTable(ctx context.Context, report *Report, t Table) error {
	name := pgx.Identifier{"assim", t.Name}.Sanitize()
	var row []byte
	err := d.Admin.QueryRow(ctx, `SELECT to_jsonb(t) FROM `+name+` t WHERE `+t.Condition+` LIMIT 1`, d.Victim).Scan(&row)
	if err != nil {
		return fmt.Errorf("no row of the victim's: give it one (seed in tenancy/store/isolation_test.go): %w", err)
	}
	const columnsOf = `SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`
	columns, err := texts(ctx, d.Admin, columnsOf, name)
	if err != nil {
		return err
	}
	changeable, err := texts(ctx, d.Admin, columnsOf+` AND attidentity <> 'a'`, name)
	if err != nil {
		return err
	}
	list := strings.Join(columns, ", ")
	where := ` WHERE ` + t.Condition
	for _, door := range d.doors() {
		try := func(what string, leak func(int64, error) string, sql string, args ...any) {
			report.Try("tables", door.name+" "+what+" "+t.Name, func() string { return leak(door.try(ctx, []string{sql}, args...)) })
		}
		try("empties", refused, `TRUNCATE `+name)
		try("empties all behind", refused, `TRUNCATE `+name+` CASCADE`)
		try("unguards", refused, `ALTER TABLE `+name+` DISABLE ROW LEVEL SECURITY`)
		try("opens", refused, `CREATE POLICY open ON `+name+` USING (true)`)
		if slices.Contains(peoples, t.Name) {
			if door.kind == "global" {
				continue
			}
			if t.Name != "tenants" { // no row security: nothing of it is for a tenant's role
				try("reads any row of", refused, `SELECT FROM `+name)
				try("deletes all of", refused, `DELETE FROM `+name)
				try("changes all of", refused, `UPDATE `+name+` SET `+changeable[0]+` = `+changeable[0])
			}
		}
		try("reads", none, `SELECT FROM `+name+` t`+where, d.Victim)
		try("counts", none, `SELECT FROM (SELECT count(*) AS n FROM `+name+` t`+where+`) AS c WHERE n > 0`, d.Victim)
		try("locks", none, `SELECT FROM `+name+` t`+where+` FOR UPDATE`, d.Victim)
		try("deletes", none, `DELETE FROM `+name+` t`+where, d.Victim)
		for _, c := range changeable {
			try("updates "+c+" of", none, `UPDATE `+name+` t SET `+c+` = t.`+c+where, d.Victim)
		}
		try("makes", refused, `INSERT INTO `+name+` (`+list+`) OVERRIDING SYSTEM VALUE SELECT `+list+` FROM jsonb_populate_record(NULL::`+name+`, $1)`, row)
		try("makes or updates", refused, `INSERT INTO `+name+` (`+list+`) OVERRIDING SYSTEM VALUE SELECT `+list+` FROM jsonb_populate_record(NULL::`+name+`, $1) ON CONFLICT DO NOTHING`, row)
		if t.HasTenant {
			try("gives away", none, `UPDATE `+name+` SET tenant = $1`, d.Victim)
		}
		report.Try("tables", door.name+" copies "+t.Name, func() string {
			var copied strings.Builder
			err := door.open(ctx, func(tx pgx.Tx) error {
				// COPY takes no parameters; an id holds none but harmless characters.
				sql := `COPY (SELECT t::text FROM ` + name + ` t` + strings.ReplaceAll(where, "$1", "'"+d.Victim.String()+"'") + `) TO STDOUT`
				_, err := tx.Conn().PgConn().CopyTo(ctx, &copied, sql)
				return errors.Join(err, errRolledBack)
			})
			if copied.Len() > 0 {
				return "shows " + copied.String()
			}
			if code(err) == "" || code(err) == noRight {
				return ""
			}
			return err.Error()
		})
	}
	return nil
}

// secretColumns are of what opens something else: not for readers, by whom people's
// questions run.
const secretColumns = `(secret|private|password|answer$)`

// attackPartitions reads behind the partitioned tables, whose policies do not hold
// there.
func (d *Database) attackPartitions(ctx context.Context, report *Report, _ string) error {
	partitions, err := texts(ctx, d.Admin, `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'assim'::regnamespace AND relkind = 'r' AND relispartition ORDER BY 1`)
	if err != nil {
		return err
	}
	for _, door := range d.doors() {
		for _, p := range partitions {
			for _, sql := range []string{`SELECT FROM assim.` + p, `DELETE FROM assim.` + p, `UPDATE assim.` + p + ` SET tenant = tenant`, `TRUNCATE assim.` + p} {
				report.Try("partitions", door.name+" "+sql, func() string { return refused(door.try(ctx, []string{sql})) })
			}
		}
	}
	return nil
}

func (d *Database) secretColumns(ctx context.Context) ([]string, error) {
	return texts(ctx, d.Admin, `SELECT quote_ident(c.relname) || '.' || quote_ident(a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'assim'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped AND a.attname ~ $1 AND c.relname <> 'webhook_tries' ORDER BY 1`, secretColumns)
}

func (d *Database) attackColumns(ctx context.Context, report *Report, _ string) error {
	rows, err := d.secretColumns(ctx)
	if err != nil {
		return err
	}
	for _, door := range d.doors() {
		if door.kind != "reader" {
			continue
		}
		for _, column := range rows {
			table, name, _ := strings.Cut(column, ".")
			report.Try("secret columns", door.name+" reads "+column, func() string {
				return refused(door.try(ctx, []string{`SELECT ` + name + ` FROM assim.` + table}))
			})
		}
	}
	return nil
}

// attackGraph goes for every table and sequence of the victim's graph, and for the
// graph by AGE.
func (d *Database) attackGraph(ctx context.Context, report *Report, only string) error {
	graph := store.Graph(d.Victim)
	relations, err := texts(ctx, d.Admin, `SELECT relkind::text || ' ' || quote_ident(relname) FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'S') ORDER BY 1`, graph)
	if err != nil {
		return err
	}
	for _, door := range d.doors() {
		for _, r := range relations {
			kind, name, _ := strings.Cut(r, " ")
			if only != "" && only != name {
				continue
			}
			name = graph + "." + name
			attacks := []string{`SELECT FROM ` + name, `DELETE FROM ` + name, `UPDATE ` + name + ` SET id = id`, `INSERT INTO ` + name + ` SELECT * FROM ` + name, `TRUNCATE ` + name, `DROP TABLE ` + name}
			if kind == "S" {
				attacks = []string{`SELECT nextval('` + name + `')`, `SELECT setval('` + name + `', 1)`, `SELECT last_value FROM ` + name}
			}
			for _, sql := range attacks {
				report.Try("graph", door.name+" "+sql, func() string { return refused(door.try(ctx, []string{sql})) })
			}
		}
		if only != "" && only != "schema" {
			continue
		}
		for _, q := range []string{"MATCH (n) RETURN n", "MATCH (n:Host) RETURN n", "MATCH (n:Host) SET n.x = 1 RETURN n", "MATCH (n:Host) DETACH DELETE n RETURN 1", "CREATE (n:Host) RETURN n", "MATCH (a)-[r:RUNS]->(b) RETURN r"} {
			sql := fmt.Sprintf(`SELECT * FROM ag_catalog.cypher('%s', $q$ %s $q$) AS (n ag_catalog.agtype)`, graph, q)
			report.Try("graph", door.name+" "+q, func() string {
				n, err := door.try(ctx, []string{sql})
				if err == nil && n > 0 {
					return fmt.Sprintf("reaches %d rows", n)
				}
				return ""
			})
		}
		for _, sql := range []string{`CREATE TABLE ` + graph + `.x ()`, `SELECT ag_catalog.drop_graph('` + graph + `', true)`, `SELECT ag_catalog.create_vlabel('` + graph + `', 'X')`, `DROP SCHEMA ` + graph + ` CASCADE`,
			`GRANT USAGE ON SCHEMA ` + graph + ` TO PUBLIC`} {
			report.Try("graph", door.name+" "+sql, func() string {
				if n, err := door.try(ctx, []string{sql}); err == nil {
					return fmt.Sprintf("is done, on %d rows", n)
				}
				return ""
			})
		}
	}
	return nil
}

func texts(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
