package events

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// After reads what was written after the event of an id, in the order of writing.
// Events are numbered in the order of their commits, so who goes on from the last
// misses nothing.
func (s *Service) After(ctx context.Context, tx pgx.Tx, id int64, limit int) ([]Event, error) {
	page, err := list(ctx, tx, Filter{After: id, Limit: limit})
	return page.Items, err
}
