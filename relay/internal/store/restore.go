package store

import (
	"database/sql"
	"fmt"
	"slices"

	"assimilation/discovery"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Rift is where the service and this store cannot go on with their stream: one
// of them was restored from a copy. It says where the service stands.
type Rift struct {
	Epoch, Position uint64
}

// Behind reports whether it is the service that fell back: what this relay holds
// is the newer. Otherwise this relay did, and only the probes know what is true.
func (r Rift) Behind(h Head) bool {
	return r.Epoch < h.Epoch || r.Epoch == h.Epoch && r.Position < h.Acked
}

// doubt of a host, see schema_2.sql.
type doubt int

const (
	trusted doubt = iota
	unheard
	told
)

// Mend begins a new epoch after a rift, with a record of the gap before all
// others. If the service fell back, it gets everything anew. If this store did,
// every host is in doubt: what its probe has not confirmed is not sent, for the
// service may know better.
func (tx *Tx) Mend(r Rift, now int64) error {
	head := tx.head
	if err := tx.dropBases(); err != nil {
		return fmt.Errorf("forgetting what the service holds: %w", err)
	}
	gap := uplink.Gap{Cause: uplink.Restored, Epoch: r.Epoch, From: r.Position + 1}
	detail := "this relay was restored from a copy: what it told since is not forgotten, what it had yet to tell may be lost"
	kept := head.Acked
	if r.Behind(head) {
		detail = "the service was restored from a copy: what it was told since may be missing from the history"
		if r.Epoch == head.Epoch {
			gap.To = head.Acked
		}
	} else {
		// The copy's own records were told before it was made, or soon after.
		if opened := tx.writer.opened; opened.Epoch == head.Epoch {
			kept = max(kept, opened.Last)
			if r.Epoch == head.Epoch {
				kept = max(head.Acked, min(opened.Last, r.Position))
			}
		}
		if err := tx.exec("UPDATE hosts SET doubt = ?", int(unheard)); err != nil {
			return fmt.Errorf("doubting all hosts: %w", err)
		}
		if err := tx.exec("DELETE FROM settled"); err != nil {
			return fmt.Errorf("doubting all facts: %w", err)
		}
	}
	return tx.begin(head.Relay, max(head.Epoch, r.Epoch), kept, now, &uplink.Change{
		Type: uplink.RelayState, SeenAt: now, Relay: &uplink.RelayBody{Event: "gap", Detail: detail, Gap: &gap},
	})
}

// unsettled lists those of kinds of which the host, being in doubt, has not
// listed its facts yet.
func (tx *Tx) unsettled(host tenancy.HostID, kinds []string) ([]string, error) {
	var d doubt
	if found, err := tx.row("SELECT doubt FROM hosts WHERE id = ?", []any{host.UUID[:]}, &d); err != nil || !found || d == trusted {
		return nil, err
	}
	settled, err := tx.settled(host)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return settled[kind] }), nil
}

func (tx *Tx) settled(host tenancy.HostID) (map[string]bool, error) {
	kinds := map[string]bool{}
	err := tx.each("SELECT kind FROM settled WHERE host = ?", []any{host.UUID[:]}, func(rows *sql.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		kinds[kind] = true
		return err
	})
	return kinds, err
}

// settle tells what a host in doubt has of a kind, now that its probe has listed
// it: the facts that are confirmed, and the names of all.
func (tx *Tx) settle(host tenancy.HostID, kind string, instances []string, confirmed []Fact, now int64) error {
	for _, fact := range confirmed {
		if err := tx.appendFact(fact, now); err != nil {
			return err
		}
	}
	if len(instances) > discovery.MaxInstances {
		return nil // more than the host may have: some are about to be refused
	}
	term, version, found, err := tx.nextVersion(host)
	if err != nil || !found {
		return err
	}
	err = tx.Append(uplink.Change{
		Type: uplink.FactList, Host: host, SeenAt: now, Kind: kind, Instances: instances, Term: term, Version: version,
	})
	if err != nil {
		return err
	}
	if err := tx.tellProblems(host, kind, now); err != nil {
		return err
	}
	return tx.exec("INSERT OR IGNORE INTO settled (host, kind) VALUES (?, ?)", host.UUID[:], kind)
}
