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

// Tombstones counts the facts of a host that went and are remembered.
func (s *Store) Tombstones(ctx context.Context, host tenancy.HostID) (count int) {
	if err := s.readers.QueryRowContext(ctx, "SELECT count(*) FROM facts WHERE host = ? AND hash IS NULL", host.UUID[:]).Scan(&count); err != nil {
		return -1
	}
	return count
}
