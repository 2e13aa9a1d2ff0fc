package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/tenancy"
)

// AGE 1.5 keeps a cache of labels per session, and may lose count of it when labels
// are dropped (ADR 11): the session ends with an error, and what it did is undone.
// No session drops more than dropAtOnce; one that broke is followed by one that
// drops fewer, maxBroken times.
const (
	dropAtOnce = 12
	maxBroken  = 12
)

// Drop takes all of a tenant out of the database: its graph, its rows, its history,
// its roles, its people who belong to no other, and what the planner remembers of
// them. From its beginning no transaction of the tenant begins any more; what is
// interrupted goes on when it is called again, and a tenant that is not there is no
// error. A row of assim.tombstones stays, which says nothing of it but the day.
// Backups are not touched.
func (db *DB) Drop(ctx context.Context, tenant tenancy.TenantID) error {
	return db.admin(ctx, func(conn *pgx.Conn) error {
		// Another process may have begun: it is waited for. The lock goes with the session.
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended($1, 0))`, "assim drop "+tenant.String()); err != nil {
			return fmt.Errorf("waiting to drop tenant %s: %w", tenant, err)
		}
		for _, step := range []struct {
			what string
			do   func(context.Context, tenancy.TenantID) error
		}{
			{"shutting out", db.shutOut},
			{"dropping the graph of", db.dropGraph},
			{"removing the rows of", db.dropRows},
			{"dropping the roles of", db.dropRoles},
			{"burying", db.bury},
		} {
			if err := step.do(ctx, tenant); err != nil {
				return fmt.Errorf("%s tenant %s: %w", step.what, tenant, err)
			}
		}
		return nil
	})
}

// admin runs fn as the superuser, in a session of its own.
func (db *DB) admin(ctx context.Context, fn func(*pgx.Conn) error) error {
	return asAdmin(ctx, db.adminURL, fn)
}

// shutOut takes the tenant's roles from the logins. Transactions that have begun
// end as they like; locks make the next steps wait for them.
func (db *DB) shutOut(ctx context.Context, tenant tenancy.TenantID) error {
	return db.admin(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, accessLock); err != nil {
				return err
			}
			for role, login := range map[string]string{readerRole(tenant): db.roles.reader, writerRole(tenant): db.roles.writer} {
				exists, err := roleExists(ctx, tx, role)
				if err != nil {
					return err
				}
				if !exists {
					continue
				}
				if _, err := tx.Exec(ctx, `REVOKE `+quote(role)+` FROM `+quote(login)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// dropGraph drops the graph's labels, some in each session, then the rest.
func (db *DB) dropGraph(ctx context.Context, tenant tenancy.TenantID) error {
	graph := Graph(tenant)
	broken := 0
	for most := dropAtOnce; ; {
		left := 0
		err := db.admin(ctx, func(conn *pgx.Conn) (err error) {
			if left, err = dropLabels(ctx, conn, graph, most); err != nil || left > 0 {
				return err
			}
			return dropEmpty(ctx, conn, graph)
		})
		switch {
		case lostCount(err) && broken < maxBroken:
			broken, most = broken+1, max(most/2, 1)
		case err != nil:
			return err
		case left == 0:
			return nil
		}
	}
}

// dropLabels drops some labels of a graph, and returns how many there were. Edges
// go first: nothing refers to them.
func dropLabels(ctx context.Context, conn *pgx.Conn, graph string, most int) (had int, err error) {
	rows, err := conn.Query(ctx, `
		SELECT l.name::text FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
		WHERE g.name = $1 AND l.name NOT LIKE '\_ag\_label\_%' ORDER BY l.kind, l.name`, graph)
	if err != nil {
		return 0, err
	}
	labels, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, err
	}
	var script strings.Builder
	script.WriteString(dropQuietly)
	for _, label := range labels[:min(len(labels), most)] {
		fmt.Fprintf(&script, "SELECT ag_catalog.drop_label(%s, %s);", literal(graph), literal(label))
	}
	_, err = conn.Exec(ctx, script.String())
	return len(labels), err
}

// dropEmpty drops a graph without labels.
func dropEmpty(ctx context.Context, conn *pgx.Conn, graph string) error {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = $1)`, graph).Scan(&exists); err != nil || !exists {
		return err
	}
	_, err := conn.Exec(ctx, dropQuietly+`SELECT ag_catalog.drop_graph(`+literal(graph)+`, true)`)
	return err
}

const dropQuietly = `SET search_path = ag_catalog; SET client_min_messages = 'warning';`

// lostCount reports whether a session ended because AGE lost count of its cache:
// internal_error, or protocol_violation where that came up between two statements.
func lostCount(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == "XX000" && strings.Contains(pgErr.Message, "cache corrupted") || pgErr.Code == "08P01")
}

func (db *DB) dropRoles(ctx context.Context, tenant tenancy.TenantID) error {
	return db.admin(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, accessLock); err != nil {
				return err
			}
			for _, role := range []string{readerRole(tenant), writerRole(tenant)} {
				exists, err := roleExists(ctx, tx, role)
				if err != nil {
					return err
				}
				if !exists {
					continue
				}
				if _, err := tx.Exec(ctx, `DROP OWNED BY `+quote(role)+`; DROP ROLE `+quote(role)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func roleExists(ctx context.Context, tx pgx.Tx, role string) (exists bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)`, role).Scan(&exists)
	return exists, err
}

// noRight is insufficient_privilege: what SET ROLE says of a role that the login is
// no member of, as when the tenant is being dropped.
const noRight = "42501"

// shutOutOf reports whether a transaction did not begin because there is no such
// tenant, or not for long.
func shutOutOf(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == invalidRole || pgErr.Code == noRight)
}
