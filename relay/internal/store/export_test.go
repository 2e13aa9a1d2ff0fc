package store

import (
	"context"
	"fmt"

	"assimilation/discovery"
	"assimilation/tenancy"
)

// IsCurrent reports whether f is the current fact of its key.
func (tx *Tx) IsCurrent(host tenancy.HostID, f discovery.Fact) (bool, error) {
	var one int
	return tx.row("SELECT 1 FROM facts WHERE host = ? AND kind = ? AND instance = ? AND hash = ?",
		[]any{host.UUID[:], f.Kind, f.Instance, f.Hash[:]}, &one)
}

// LimitPages caps the database file, as a full disk does.
func (s *Store) LimitPages(ctx context.Context, pages int) error {
	return s.Do(ctx, func(tx *Tx) error {
		var got int
		_, err := tx.row(fmt.Sprintf("PRAGMA max_page_count(%d)", pages), nil, &got)
		return err
	})
}
