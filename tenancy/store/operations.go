package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Operation is something that was done to the deployment by those who run it.
type Operation struct {
	At     time.Time
	What   string
	Detail map[string]any
}

// What is done to a deployment.
const (
	BackedUp      = "backup"
	Restored      = "restore"
	MasterRotated = "master key rotated"
	MasterRetired = "master key retired"
)

// Record notes that something was done.
func Record(ctx context.Context, adminURL, what string, detail map[string]any) error {
	err := asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		text, err := json.Marshal(detail)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, `INSERT INTO assim.operations (what, detail) VALUES ($1, $2)`, what, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("recording %q: %w", what, err)
	}
	return nil
}

// Last is the newest operation of a kind; nil where there was none.
func Last(ctx context.Context, adminURL, what string) (*Operation, error) {
	last := Operation{What: what}
	err := asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT at, detail FROM assim.operations WHERE what = $1 ORDER BY at DESC LIMIT 1`, what).Scan(&last.At, &last.Detail)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the last %q: %w", what, err)
	}
	return &last, nil
}

func asAdmin(ctx context.Context, adminURL string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return fn(conn)
}

// Alone runs fn unless somebody else does something of this name to the deployment.
func Alone(ctx context.Context, adminURL, name string, fn func() error) error {
	return asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		var got bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, "assim "+name).Scan(&got); err != nil {
			return fmt.Errorf("locking the %s: %w", name, err)
		}
		if !got {
			return fmt.Errorf("somebody else is changing the %s", name)
		}
		return fn() // the lock goes with the session
	})
}
