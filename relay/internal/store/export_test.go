package store

import (
	"assimilation/discovery"
	"assimilation/tenancy"
)

// IsCurrent reports whether f is the current fact of its key.
func (tx *Tx) IsCurrent(host tenancy.HostID, f discovery.Fact) (bool, error) {
	var one int
	return tx.row("SELECT 1 FROM facts WHERE host = ? AND kind = ? AND instance = ? AND hash = ?",
		[]any{host.UUID[:], f.Kind, f.Instance, f.Hash[:]}, &one)
}
