package tenancytest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy/store"
)

// Mutant is the service with one of its guards broken.
type Mutant struct {
	Sort, Name string
	// Part is what attacks find it, see Database.Attack.
	Part        string
	Break, Mend string // SQL, for guards in the database
}

// Explained is the entry of a table of equivalents, regular expressions of a sort and
// a name, that is about the mutant; "" for none.
func (m Mutant) Explained(equivalents map[string]string) string {
	for pattern := range equivalents {
		if regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(m.Sort + ": " + m.Name) {
			return pattern
		}
	}
	return ""
}

// Outcome is what became of mutants.
type Outcome struct {
	Killed    map[string]int // by sort
	Survivors []Mutant
}

// Note adds a mutant's end.
func (o *Outcome) Note(m Mutant, killed bool) {
	if o.Killed == nil {
		o.Killed = map[string]int{}
	}
	if killed {
		o.Killed[m.Sort]++
	} else {
		o.Survivors = append(o.Survivors, m)
	}
}

// Summary is one line of it.
func (o *Outcome) Summary(equivalents map[string]string) string {
	killed, explained := 0, 0
	for _, n := range o.Killed {
		killed += n
	}
	for _, m := range o.Survivors {
		if m.Explained(equivalents) != "" {
			explained++
		}
	}
	return fmt.Sprintf("%6d  mutants killed, %d survive, %d are equivalent\n", killed, len(o.Survivors)-explained, explained)
}

// Unexplained prints how many mutants were killed, by sort, and every survivor: those
// of the table of equivalents with the reason. It returns the others, and the
// entries of the table that no survivor needs.
func (o *Outcome) Unexplained(w io.Writer, equivalents map[string]string) (survivors []Mutant, stale []string) {
	for _, sort := range slices.Sorted(maps.Keys(o.Killed)) {
		fmt.Fprintf(w, "%6d  mutants killed: %s\n", o.Killed[sort], sort)
	}
	used := map[string]bool{}
	for _, m := range o.Survivors {
		key := m.Explained(equivalents)
		if key == "" {
			survivors = append(survivors, m)
			fmt.Fprintf(w, "        SURVIVES  %s: %s\n", m.Sort, m.Name)
			continue
		}
		used[key] = true
		fmt.Fprintf(w, "        equivalent  %s: %s: %s\n", m.Sort, m.Name, equivalents[key])
	}
	for _, pattern := range slices.Sorted(maps.Keys(equivalents)) {
		if !used[pattern] {
			stale = append(stale, pattern)
		}
	}
	fmt.Fprint(w, o.Summary(equivalents))
	return survivors, stale
}

// Mutants breaks the database's guards, one by one: policies, grants, memberships,
// attributes of roles, and what functions ask that run as the owner of the tables.
func (d *Database) Mutants(ctx context.Context) (all []Mutant, err error) {
	for _, generate := range []func(context.Context) ([]Mutant, error){d.policies, d.tableGrants, d.graphGrants, d.memberships, d.functionGrants, d.definers} {
		some, err := generate(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Run breaks a guard, attacks, and mends it.
func (d *Database) Run(ctx context.Context, m Mutant) (killed bool, err error) {
	if _, err := d.Admin.Exec(ctx, m.Break); err != nil {
		return false, fmt.Errorf("breaking %s: %w", m.Name, err)
	}
	report := &Report{UntilLeak: true}
	attacked := d.Attack(ctx, report, m.Part)
	if _, err := d.Admin.Exec(ctx, m.Mend); err != nil {
		return false, fmt.Errorf("mending %s: %w", m.Name, err)
	}
	return len(report.Leaks()) > 0, attacked
}

func (d *Database) policies(ctx context.Context) (all []Mutant, err error) {
	rows, err := d.Admin.Query(ctx, `SELECT tablename::text, policyname::text, coalesce(qual, ''), coalesce(with_check, '') FROM pg_policies WHERE schemaname = 'assim' ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	type policy struct{ Table, Name, Using, Check string }
	policies, err := pgx.CollectRows(rows, pgx.RowToStructByPos[policy])
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, p := range policies {
		table := pgx.Identifier{"assim", p.Table}.Sanitize()
		alter := `ALTER POLICY ` + pgx.Identifier{p.Name}.Sanitize() + ` ON ` + table
		if !seen[p.Table] {
			all = append(all, Mutant{"row security", p.Table + " has none", p.Table, `ALTER TABLE ` + table + ` DISABLE ROW LEVEL SECURITY`, `ALTER TABLE ` + table + ` ENABLE ROW LEVEL SECURITY`})
		}
		seen[p.Table] = true
		if p.Using != "" && p.Using != "true" {
			broken := alter + ` USING (true)`
			all = append(all, Mutant{"row security", p.Table + ": " + p.Name + " shows everything", p.Table, broken, alter + ` USING (` + p.Using + `)`})
		}
		if p.Check != "" && p.Check != "true" {
			all = append(all, Mutant{"row security", p.Table + ": " + p.Name + " takes everything", p.Table, alter + ` WITH CHECK (true)`, alter + ` WITH CHECK (` + p.Check + `)`})
		}
	}
	return all, nil
}

// groups are the roles that tenants' roles are members of, and the login of people.
func (d *Database) groups() (readers, writers, global string) {
	p := store.RolePrefix(d.Admin.Config().Database)
	return pgx.Identifier{p + "tenant_readers"}.Sanitize(), pgx.Identifier{p + "tenant_writers"}.Sanitize(), pgx.Identifier{p + "login_global"}.Sanitize()
}

func grant(sort, what, to, part string) Mutant {
	return Mutant{sort, what + " to " + to[strings.LastIndex(to, "_")+1:], part, `GRANT ` + what + ` TO ` + to, `REVOKE ` + what + ` FROM ` + to}
}

func (d *Database) tableGrants(ctx context.Context) (all []Mutant, err error) {
	readers, writers, global := d.groups()
	rows, err := d.Admin.Query(ctx, `SELECT relname::text, relrowsecurity FROM pg_class WHERE relnamespace = 'assim'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	type relation struct {
		Name    string
		Guarded bool // by row-level security
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[relation])
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if belongsToNobody[t.Name] != "" {
			continue
		}
		name := pgx.Identifier{"assim", t.Name}.Sanitize()
		all = append(all, grant("grants on tables", `TRUNCATE ON `+name, writers, t.Name), grant("grants on tables", `TRUNCATE ON `+name, global, t.Name))
		if t.Guarded {
			continue
		}
		for _, right := range []string{"SELECT", "INSERT", "DELETE"} {
			all = append(all, grant("grants on tables", right+` ON `+name, writers, t.Name))
		}
		all = append(all, grant("grants on tables", `SELECT ON `+name, readers, t.Name), grant("grants on tables", `SELECT, UPDATE ON `+name, writers, t.Name))
	}
	partitions, err := texts(ctx, d.Admin, `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'assim'::regnamespace AND relkind = 'r' AND relispartition ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		all = append(all, grant("grants on tables", `SELECT ON assim.`+p, readers, "partitions"), grant("grants on tables", `SELECT ON assim.`+p, writers, "partitions"))
	}
	secrets, err := d.secretColumns(ctx)
	if err != nil {
		return nil, err
	}
	for _, column := range secrets {
		table, name, _ := strings.Cut(column, ".")
		all = append(all, grant("grants on tables", `SELECT (`+name+`) ON assim.`+table, readers, "columns"))
	}
	return all, nil
}

func (d *Database) graphGrants(ctx context.Context) (all []Mutant, err error) {
	readers, writers, _ := d.groups()
	graph := store.Graph(d.Victim)
	tables, err := texts(ctx, d.Admin, `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r' ORDER BY 1`, graph)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		for _, g := range []struct{ right, to string }{{"SELECT", readers}, {"SELECT, DELETE", writers}, {"SELECT, UPDATE", writers}, {"SELECT, INSERT", writers}, {"TRUNCATE", writers}} {
			m := grant("grants on the graph", g.right+` ON `+graph+`.`+t, g.to, "graph "+t)
			m.Name = strings.ReplaceAll(m.Name, graph, "the victim's graph")
			m.Break += `; GRANT USAGE ON SCHEMA ` + graph + ` TO ` + g.to
			m.Mend += `; REVOKE USAGE ON SCHEMA ` + graph + ` FROM ` + g.to
			all = append(all, m)
		}
	}
	create := grant("grants on the graph", `CREATE ON SCHEMA `+graph, writers, "graph schema")
	create.Name = "CREATE ON SCHEMA of the victim's graph"
	return append(all, create), nil
}

func (d *Database) memberships(ctx context.Context) (all []Mutant, err error) {
	readers, writers, global := d.groups()
	prefix := store.RolePrefix(d.Admin.Config().Database)
	quoted := func(role string) string { return pgx.Identifier{role}.Sanitize() }
	given := func(role, to, name string) {
		all = append(all, Mutant{"memberships", name, "roles", `GRANT ` + quoted(role) + ` TO ` + to, `REVOKE ` + quoted(role) + ` FROM ` + to})
	}
	given(roleOf("r", d.Victim), quoted(roleOf("r", d.Attacker)), "the victim's reader to the attacker's")
	given(roleOf("w", d.Victim), quoted(roleOf("w", d.Attacker)), "the victim's writer to the attacker's")
	given(roleOf("w", d.Victim), quoted(roleOf("r", d.Attacker)), "the victim's writer to the attacker's reader")
	for _, login := range []string{"login_reader", "login_global"} {
		given(roleOf("w", d.Attacker), quoted(prefix+login), "the attacker's writer to "+login)
		given(roleOf("w", d.Victim), quoted(prefix+login), "the victim's writer to "+login)
		given(prefix+"login_writer", quoted(prefix+login), "login_writer to "+login)
	}
	given(roleOf("r", d.Victim), global, "the victim's reader to login_global")
	predefined, err := texts(ctx, d.Admin, `SELECT rolname::text FROM pg_roles WHERE rolname ~ '^pg_' AND rolname <> 'pg_database_owner' ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	for _, role := range predefined {
		for _, to := range []string{readers, writers, global} {
			given(role, to, role+" to "+to)
		}
	}
	for _, role := range []string{roleOf("r", d.Attacker), roleOf("w", d.Attacker), prefix + "login_reader", prefix + "login_writer", prefix + "login_global"} {
		for _, attribute := range []string{"SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"} {
			all = append(all, Mutant{"attributes of roles", strings.Replace(role, prefix, "", 1) + " has " + attribute, "roles", `ALTER ROLE ` + quoted(role) + ` ` + attribute, `ALTER ROLE ` + quoted(role) + ` NO` + attribute})
		}
	}
	for i := range all {
		all[i].Name = strings.NewReplacer(prefix, "", strings.TrimPrefix(store.Graph(d.Attacker), "g_"), "attacker").Replace(all[i].Name)
	}
	return all, nil
}

func (d *Database) functionGrants(ctx context.Context) (all []Mutant, err error) {
	readers, writers, global := d.groups()
	for _, h := range harmful {
		functions, err := texts(ctx, d.Admin, `SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname ~ $2 AND prokind = 'f' AND prorettype <> 'trigger'::regtype ORDER BY 1`, h.schema, h.names)
		if err != nil {
			return nil, err
		}
		for _, f := range functions {
			for door, to := range map[string]string{"reader": readers, "writer": writers, "global": global} {
				if strings.Contains(h.doors, door) {
					all = append(all, grant("grants on functions", `EXECUTE ON FUNCTION `+f, to, "functions "+f))
				}
			}
		}
	}
	return all, nil
}

// asks finds in a function what it asks of the caller's tenant.
var asks = regexp.MustCompile(`[a-z_.]*\b(?:tenant|role)\b *= *(?:(?:own(?:\.tenant)?|\(?(?:SELECT )?[a-z_.]+\([^()]*\)\)?|[a-z_.]*tenant|current_user)\b\)?|t(?:\.id)?\b)`)

// definers are functions that run as the owner of the tables, past row security,
// each without one of its questions whose rows it may touch.
func (d *Database) definers(ctx context.Context) (all []Mutant, err error) {
	rows, err := d.Admin.Query(ctx, `SELECT proname::text, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'assim'::regnamespace AND prosecdef AND prokind = 'f' AND prorettype <> 'trigger'::regtype ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	type function struct{ Name, Text string }
	functions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[function])
	if err != nil {
		return nil, err
	}
	for _, f := range functions {
		for _, at := range asks.FindAllStringIndex(f.Text, -1) {
			all = append(all, Mutant{"functions of the owner", fmt.Sprintf("%s does not ask %s", f.Name, f.Text[at[0]:at[1]]), "calls", f.Text[:at[0]] + "true" + f.Text[at[1]:], f.Text})
		}
	}
	return all, nil
}
