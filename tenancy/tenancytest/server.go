package tenancytest

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

func roleOf(kind string, t tenancy.TenantID) string {
	return kind + "_" + strings.TrimPrefix(store.Graph(t), "g_")
}

// attackRoles becomes every role that the server has.
func (d *Database) attackRoles(ctx context.Context, report *Report, _ string) error {
	var database string
	if err := d.Admin.QueryRow(ctx, `SELECT current_database()`).Scan(&database); err != nil {
		return err
	}
	// Roles of other databases of this server belong to others, who may drop them now.
	roles, err := texts(ctx, d.Admin, `SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1) OR rolname = ANY ($2) OR rolname ~ '^pg_' OR rolsuper ORDER BY 1`, store.RolePrefix(database),
		[]string{roleOf("r", d.Victim), roleOf("w", d.Victim), roleOf("r", d.Attacker), roleOf("w", d.Attacker)})
	if err != nil {
		return err
	}
	for _, door := range d.doors() {
		for _, role := range roles {
			quoted := pgx.Identifier{role}.Sanitize()
			report.Try("roles", door.name+" SET ROLE "+role, func() string {
				_, err := door.try(ctx, []string{`SET LOCAL ROLE ` + quoted})
				if err == nil && !d.mayBecome(door, role, store.RolePrefix(database)) {
					return "becomes " + role
				}
				return ""
			})
			report.Try("roles", door.name+" SET SESSION AUTHORIZATION "+role, func() string {
				if strings.HasSuffix(role, "login_"+door.kind) {
					return "" // itself
				}
				return refused(door.try(ctx, []string{`SET SESSION AUTHORIZATION ` + quoted}))
			})
			if door.kind == "reader" {
				report.Try("roles", door.name+" set_config "+role, func() string {
					return refused(door.try(ctx, []string{`SELECT set_config('role', '` + role + `', true)`}))
				})
			}
			report.Try("roles", door.name+" inherits "+role, func() string {
				n, err := door.try(ctx, []string{`SELECT WHERE pg_has_role(current_user, '` + role + `', 'USAGE')`})
				if err == nil && n > 0 && !d.has(door, role, store.RolePrefix(database)) {
					return "has the rights of " + role
				}
				return ""
			})
		}
	}
	bad, err := texts(ctx, d.Admin, `SELECT rolname || ' ' || concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolbypassrls THEN 'bypassrls' END, CASE WHEN rolcreaterole THEN 'createrole' END,
			CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolcanlogin AND rolname !~ 'login_' THEN 'login' END)
		FROM pg_roles WHERE (starts_with(rolname, $1) OR rolname = ANY ($2)) AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolcanlogin AND rolname !~ 'login_')`,
		store.RolePrefix(database), []string{roleOf("r", d.Victim), roleOf("w", d.Victim), roleOf("r", d.Attacker), roleOf("w", d.Attacker)})
	if err != nil {
		return err
	}
	report.Try("roles", "attributes", func() string { return strings.Join(bad, ", ") })
	return nil
}

// mayBecome: a login is a member of its own sort of all tenants' roles. It takes a
// statement of its own to change from one to another, and nothing that people send is
// one: see docs/isolation.md.
func (d *Database) mayBecome(o door, role, prefix string) bool {
	switch o.kind {
	case "writer":
		return role == roleOf("w", d.Attacker) || role == roleOf("w", d.Victim) || role == prefix+"login_writer" || role == prefix+"tenant_writers"
	case "reader":
		return role == roleOf("r", d.Attacker) || role == roleOf("r", d.Victim) || role == prefix+"login_reader" || role == prefix+"tenant_readers"
	}
	return role == prefix+"login_global"
}

// has are the roles whose rights a door's transactions have without asking.
func (d *Database) has(o door, role, prefix string) bool {
	switch o.kind {
	case "writer":
		return role == roleOf("w", d.Attacker) || role == prefix+"tenant_writers"
	case "reader":
		return role == roleOf("r", d.Attacker) || role == prefix+"tenant_readers"
	}
	return role == prefix+"login_global"
}

// harmful are functions of Postgres and AGE for no door, or not for readers: files,
// other sessions, settings, SQL given as text, locks, large objects; in AGE what
// writes, or reaches another graph by its name.
var harmful = []struct{ schema, names, doors string }{
	{"pg_catalog", `^(pg_read_.*file.*|pg_ls_.*|pg_stat_file|lo_.*|loread|lowrite|pg_reload_conf|pg_rotate_logfile.*|pg_switch_wal|pg_create_restore_point|pg_promote|pg_backup_.*|pg_replication_.*|pg_create_.*slot|pg_drop_replication_slot|pg_hba_file_rules|pg_show_all_file_settings|pg_stat_reset.*)$`, "writer reader global"},
	{"pg_catalog", `^(pg_sleep.*|pg_advisory_.*|pg_try_advisory_.*|set_config|pg_notify|pg_cancel_backend|pg_terminate_backend|pg_logical_emit_message|pg_export_snapshot|ts_stat|ts_rewrite|(query|cursor|table|schema|database)_to_xml.*)$`, "reader global"},
	{"ag_catalog", `(^_cypher_|^create_|^drop_|^alter_|^load_|startnode|endnode|vle|graph_stats|global_graph|^agtype_to_text|^agtype_volatile.*sql|^age_prepare_cypher|^age_substring$|^age_tofloatlist$)`, "reader global"},
	{"assim", `^(turn_history|begin_history|history_partitions)$`, "writer reader"},
	{"assim", `_awake$|^tenant_of_|^tenants_with_`, "writer reader"},
	{"assim", `^(rename_tenant|forget_)`, "reader global"},
}

// attackFunctions asks for every harmful function.
func (d *Database) attackFunctions(ctx context.Context, report *Report, only string) error {
	for _, h := range harmful {
		functions, err := texts(ctx, d.Admin, `SELECT oid::text || ' ' || oid::regprocedure::text FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname ~ $2 AND prokind = 'f' AND prorettype <> 'trigger'::regtype ORDER BY 1`, h.schema, h.names)
		if err != nil {
			return err
		}
		for _, door := range d.doors() {
			if !strings.Contains(h.doors, door.kind) {
				continue
			}
			for _, f := range functions {
				id, f, _ := strings.Cut(f, " ")
				if only != "" && only != f {
					continue
				}
				report.Try("functions", door.name+" "+f, func() string {
					n, err := door.try(ctx, []string{`SELECT FROM pg_proc WHERE oid = $1::text::bigint::oid AND has_function_privilege(oid, 'EXECUTE')`}, id)
					if err == nil && n > 0 {
						return "may call it"
					}
					return ""
				})
			}
		}
	}
	return nil
}

// arguments stand for the victim in a call, by type.
var arguments = map[string]string{"uuid": `'@'`, "uuid[]": `'{@}'`, "text": `'@'`, "text[]": `'{@}'`, "name": `'r_#'`, "bytea": `'@'`, "timestamp with time zone": `now()`, "integer": `1000`, "bigint": `1000`, "date": `now()::date`, "interval": `interval '1 day'`}

// callFunctions calls each function of the service behind each door, and keeps what
// it did: the victim's rows must be as before.
func (d *Database) callFunctions(ctx context.Context, report *Report, _ string) error {
	rows, err := d.Admin.Query(ctx, `SELECT quote_ident(proname), ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS a (t, i) ORDER BY i)
		FROM pg_proc WHERE pronamespace = 'assim'::regnamespace AND prokind = 'f' AND prorettype <> 'trigger'::regtype ORDER BY 1`)
	if err != nil {
		return err
	}
	type function struct {
		Name  string
		Types []string
	}
	functions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[function])
	if err != nil {
		return err
	}
	hex := strings.TrimPrefix(store.Graph(d.Victim), "g_")
	before, err := DigestOf(ctx, d.Admin, d.Victim)
	if err != nil {
		return err
	}
	keep := func(door door, call string) {
		report.Try("functions", door.name+" "+call, func() string {
			err := door.open(ctx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, call)
				return err
			})
			if err != nil {
				return "" // rolled back
			}
			after, err := DigestOf(ctx, d.Admin, d.Victim)
			if err != nil {
				return err.Error()
			}
			changed := before.Differs(after)
			before = after
			return changed
		})
	}
	for _, door := range d.doors() {
		// What would be forgotten if it were the attacker's.
		for _, call := range []string{`SELECT assim.forget_topology('{@}', '{os}', '{Host}', '{@}', '{""}', '{}')`, `SELECT assim.forget_topology('{@}', '{}', '{}', '{}', '{}', '{env}')`,
			`SELECT assim.forget_topology('{@}', '{}', '{Host}', '{k}', '{""}', '{}')`} {
			keep(door, strings.ReplaceAll(call, "@", d.Victim.String()))
		}
		for _, f := range functions {
			var given []string
			for _, t := range f.Types {
				value := arguments[t]
				if value == "" {
					value = "NULL"
				}
				given = append(given, strings.NewReplacer("@", d.Victim.String(), "#", hex).Replace(value)+"::"+t)
			}
			keep(door, `SELECT * FROM assim.`+f.Name+`(`+strings.Join(given, ", ")+`)`)
		}
	}
	return nil
}

// attackCatalogs reads everything that Postgres says of itself: none of it may hold
// a value of the victim's rows. The identifiers of tenants are in names of schemas and
// roles, which whoever speaks SQL sees.
func (d *Database) attackCatalogs(ctx context.Context, report *Report, _ string) error {
	if _, err := d.Admin.Exec(ctx, `ANALYZE`); err != nil { // statistics hold values
		return err
	}
	relations, err := texts(ctx, d.Admin, `SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE nspname IN ('pg_catalog', 'information_schema', 'ag_catalog') AND relkind IN ('r', 'v') ORDER BY 1`)
	if err != nil {
		return err
	}
	for _, door := range d.doors() {
		for _, r := range relations {
			if door.kind == "global" && r == "pg_catalog.pg_stats" {
				continue // of the tables of people, which it reads
			}
			report.Try("catalogs", door.name+" reads "+r, func() string {
				n, err := door.try(ctx, []string{`SELECT FROM ` + r + ` t WHERE t::text LIKE '%' || $1 || '%'`}, d.Victim.String())
				if err == nil && n > 0 {
					return fmt.Sprintf("finds the victim in %d rows", n)
				}
				return ""
			})
		}
	}
	return nil
}

// attackServer leaves the database, or makes something that others run into.
func (d *Database) attackServer(ctx context.Context, report *Report, _ string) error {
	for _, door := range d.doors() {
		for _, script := range [][]string{
			{`COPY (SELECT 1) TO PROGRAM 'true'`}, {`COPY (SELECT 1) TO '/tmp/x'`}, {`CREATE TEMPORARY TABLE x (t text)`, `COPY x FROM '/etc/passwd'`},
			{`CREATE ROLE attacker`}, {`CREATE DATABASE attacker`}, {`CREATE SCHEMA attacker`}, {`CREATE EXTENSION dblink`}, {`CREATE TABLE public.x ()`}, {`CREATE TABLE assim.x ()`},
			{`CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`}, {`CREATE OR REPLACE FUNCTION assim.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'`},
			{`CREATE TRIGGER x BEFORE INSERT ON assim.hosts FOR EACH ROW EXECUTE FUNCTION assim.begin_history()`}, {`CREATE RULE x AS ON SELECT TO assim.hosts DO INSTEAD SELECT 1`},
			{`CREATE VIEW assim.v AS SELECT 1`}, {`CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION assim.begin_history()`}, {`CREATE PUBLICATION x FOR ALL TABLES`},
			{`CREATE SERVER x FOREIGN DATA WRAPPER y`}, {`ALTER SYSTEM SET work_mem = 1`}, {`ALTER DATABASE postgres SET work_mem = 64`}, {`SET session_replication_role = replica`}, {`SET LOCAL log_statement = 'all'`},
			{`CHECKPOINT`}, {`LOAD 'plpgsql'`, `DO $$ BEGIN PERFORM pg_catalog.pg_read_file('/etc/passwd'); END $$`}, {`DROP OWNED BY CURRENT_USER CASCADE`, `SELECT FROM assim.nothing`},
			{`SET LOCAL row_security = off`, `SELECT FROM assim.hosts`}, {`GRANT SELECT ON assim.hosts TO PUBLIC`, `SELECT FROM assim.nothing`},
			{`ALTER ROLE CURRENT_USER BYPASSRLS`}, {`REASSIGN OWNED BY postgres TO CURRENT_USER`}, {`SECURITY LABEL ON ROLE postgres IS 'x'`},
			{`ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO PUBLIC`}, {`SELECT FROM assim.tenants WHERE id <> (SELECT assim.current_tenant()) AND current_user ~ '^[rw]_'`, `SELECT FROM assim.nothing`},
		} {
			report.Try("server", door.name+" "+strings.Join(script, "; "), func() string {
				if n, err := door.try(ctx, script); err == nil {
					return fmt.Sprintf("is done, on %d rows", n)
				}
				return ""
			})
		}
		// A table of one's own that is called as one of the guards'.
		if door.kind == "writer" {
			report.Try("server", "a temporary table takes the place of the guards'", func() string {
				return none(door.try(ctx, []string{`CREATE TEMPORARY TABLE tenant_roles AS SELECT current_user::name AS role, '` + d.Victim.String() + `'::uuid AS tenant`,
					`SET LOCAL search_path = pg_temp, assim, ag_catalog`, `SELECT FROM assim.hosts WHERE tenant = '` + d.Victim.String() + `'`}))
			})
		}
	}
	return nil
}
