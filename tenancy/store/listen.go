package store

import (
	"context"
	"fmt"
)

// Listen calls heard with the payload of each notification on channel until ctx
// ends or the connection breaks; it always returns an error. ready is called
// once notifications arrive: what happened before must be read from tables.
func (db *DB) Listen(ctx context.Context, channel string, ready func(), heard func(payload string)) error {
	conn, err := db.global.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to listen on %s: %w", channel, err)
	}
	// A connection that listens must not go back to the pool.
	raw := conn.Hijack()
	defer raw.Close(context.WithoutCancel(ctx))
	if _, err := raw.Exec(ctx, "LISTEN "+quote(channel)); err != nil {
		return fmt.Errorf("listening on %s: %w", channel, err)
	}
	ready()
	for {
		n, err := raw.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listening on %s: %w", channel, err)
		}
		heard(n.Payload)
	}
}
