package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SetPasswords gives the service's logins their passwords. before is called when all
// is done but seen by nobody: a service that reads the master key's file, which
// before writes, finds both changed.
func SetPasswords(ctx context.Context, adminURL string, passwords Passwords, before func() error) error {
	err := asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, quietly+accessLock); err != nil {
				return err
			}
			for _, login := range rolesOf(conn.Config().Database).logins() {
				if err := ensureRole(ctx, tx, login, "LOGIN NOINHERIT PASSWORD "+literal(passwords(login))); err != nil {
					return err
				}
			}
			return before()
		})
	})
	if err != nil {
		return fmt.Errorf("changing the passwords of the database's logins: %w", err)
	}
	return nil
}
