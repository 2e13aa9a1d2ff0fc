package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// place is the database that is restored to. It is filled under another name, so
// that what broke off has not the database's name, and what was there before is
// there until the new one is complete.
type place struct {
	target *pgx.ConnConfig
	admin  *pgx.Conn // to another database of the same server
	state  state
}

type state int

const (
	missing state = iota // the server has no such database
	empty
	inUse
)

const (
	unknownDatabase = "3D000"
	maxIdentifier   = 63
)

// findPlace looks at the database. Close it.
func findPlace(ctx context.Context, target *pgx.ConnConfig) (*place, error) {
	p := &place{target: target}
	conn, err := connect(ctx, target)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == unknownDatabase {
		err = nil
	} else if err == nil {
		p.state = empty
		var tables bool
		// Of other extensions than AGE nothing is ours.
		err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'ag_catalog') AND c.relkind IN ('r', 'p')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))`).Scan(&tables)
		if tables {
			p.state = inUse
		}
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		return nil, err
	}
	other := target.Copy()
	if other.Database = "postgres"; target.Database == "postgres" {
		other.Database = "template1"
	}
	if p.admin, err = connect(ctx, other); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *place) Close(ctx context.Context) { p.admin.Close(ctx) }

func (p *place) newName() string {
	const suffix = "_restoring"
	return p.target.Database[:min(len(p.target.Database), maxIdentifier-len(suffix))] + suffix
}

// make makes the new database, anew if one is left of a restore that broke off.
func (p *place) make(ctx context.Context) (*pgx.ConnConfig, error) {
	name := quote(p.newName())
	like := "template0 ENCODING 'UTF8'"
	if p.state == empty { // made as those who run it want it
		like = quote(p.target.Database)
	}
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name + " TEMPLATE " + like} {
		if _, err := p.admin.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("making database %s: %w", p.newName(), err)
		}
	}
	config := p.target.Copy()
	config.Database = p.newName()
	return config, nil
}

// put gives the new database its name, in place of what has it.
func (p *place) put(ctx context.Context) error {
	target := quote(p.target.Database)
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + target + " WITH (FORCE)", "ALTER DATABASE " + quote(p.newName()) + " RENAME TO " + target} {
		if _, err := p.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("putting database %s in its place: %w", p.newName(), err)
		}
	}
	return nil
}
