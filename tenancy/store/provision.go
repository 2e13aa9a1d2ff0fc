package store

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
)

// Tenant is what is needed to make room for a customer.
type Tenant struct {
	ID          tenancy.TenantID
	Name        string
	SealKey     []byte // HPKE public key that its relays seal to
	SealPrivate []byte // the private part, wrapped by the master key
}

// Provision makes a tenant's row, roles and graph, in one transaction. Doing it
// again changes nothing but the name.
func (db *DB) Provision(ctx context.Context, t Tenant) error {
	conn, err := pgx.Connect(ctx, db.adminURL)
	if err != nil {
		return fmt.Errorf("connecting to provision tenant %s: %w", t.ID, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, accessLock); err != nil {
			return err
		}
		if err := putTenant(ctx, tx, t); err != nil {
			return err
		}
		if err := db.roles.ensureTenant(ctx, tx, t.ID); err != nil {
			return err
		}
		return ensureGraph(ctx, tx, Graph(t.ID))
	})
	if err != nil {
		return fmt.Errorf("provisioning tenant %s: %w", t.ID, err)
	}
	return nil
}

func putTenant(ctx context.Context, tx pgx.Tx, t Tenant) error {
	hash := sha256.Sum256(t.SealKey)
	_, err := tx.Exec(ctx, `
		INSERT INTO assim.tenants (id, name, graph, reader, writer, seal_key, seal_key_hash, seal_private)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name`,
		t.ID, t.Name, Graph(t.ID), readerRole(t.ID), writerRole(t.ID), t.SealKey, hash[:], t.SealPrivate)
	return err
}

// ensureTenant makes a tenant's roles, and the login of each its member.
func (r roles) ensureTenant(ctx context.Context, tx pgx.Tx, id tenancy.TenantID) error {
	for _, of := range []struct{ role, group, login string }{
		{readerRole(id), r.readers, r.reader},
		{writerRole(id), r.writers, r.writer},
	} {
		if err := ensureRole(ctx, tx, of.role, "NOLOGIN"); err != nil {
			return err
		}
		// The login may become the role, and has none of its rights before that.
		grants := fmt.Sprintf(`GRANT %[2]s TO %[1]s; GRANT %[1]s TO %[3]s WITH INHERIT FALSE, SET TRUE`,
			quote(of.role), quote(of.group), quote(of.login))
		if _, err := tx.Exec(ctx, grants); err != nil {
			return fmt.Errorf("granting to role %s: %w", of.role, err)
		}
		_, err := tx.Exec(ctx, `INSERT INTO assim.tenant_roles (role, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING`, of.role, id)
		if err != nil {
			return err
		}
	}
	return nil
}
