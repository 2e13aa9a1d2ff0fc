package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Restart begins a new epoch: what the service has not acknowledged is numbered
// anew, the terms of all hosts rise above whatever the service may hold, and a
// resync is due. relay is who this relay is from now on.
func (tx *Tx) Restart(relay tenancy.RelayID, now int64) error {
	return tx.begin(relay, tx.head.Epoch, tx.head.Acked, now, nil)
}

// begin begins an epoch later than all that were, with the record first, if any,
// and the records of the old one that follow told.
func (tx *Tx) begin(relay tenancy.RelayID, after, told uint64, now int64, first *uplink.Change) error {
	epoch := max(newEpoch(now), after+1)
	start := uplink.ChainStart(relay, epoch)
	old := tx.head
	tx.head = Head{Relay: relay, Epoch: epoch, Chain: start, AckedChain: start, Resyncing: true, Residency: old.Residency, Retelling: old.Retelling}
	if tx.head.Residency == "" {
		tx.head.Residency = uplink.SiteOnly // until the first orders say otherwise
	}
	tx.moved = true
	err := tx.exec(`INSERT INTO stream (one, epoch, last, chain, acked, acked_chain, resync) VALUES (1, ?1, 0, ?2, 0, ?2, x'')
		ON CONFLICT (one) DO UPDATE SET resync = x''`, int64(epoch), start[:])
	if err != nil {
		return fmt.Errorf("beginning a new epoch: %w", err)
	}
	if err := tx.exec("UPDATE hosts SET term = max(term + 1, ?), version = 0 WHERE served_by IS NULL", newTerm(now)); err != nil {
		return fmt.Errorf("raising the hosts' terms: %w", err)
	}
	if err := tx.exec("UPDATE outbox SET seq = -seq"); err != nil {
		return fmt.Errorf("putting old records aside: %w", err)
	}
	if first != nil {
		if err := tx.Append(*first); err != nil {
			return err
		}
	}
	return tx.renumber(old, told)
}

// newTerm is the term of hosts that this relay takes on: seconds, so that it
// lies above those of a store that was lost.
func newTerm(now int64) int64 { return now / 1000 }

// renumber moves the records of the old epoch that follow told into the new one,
// and forgets the others.
func (tx *Tx) renumber(old Head, told uint64) error {
	for seq := old.Acked + 1; seq <= old.Last; seq++ {
		var record []byte
		if _, err := tx.row("SELECT record FROM outbox WHERE seq = ?", []any{-int64(seq)}, &record); err != nil {
			return err
		}
		tx.grown -= int64(len(record))
		if err := tx.exec("DELETE FROM outbox WHERE seq = ?", -int64(seq)); err != nil {
			return err
		}
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			// The resync that follows makes up for it as far as anything can.
			tx.writer.store.log.Error("record of the outbox is damaged and left out", "seq", seq, "error", err)
			continue
		}
		if seq <= told && change.Type != uplink.TokenUse {
			continue // a use counts once, however often it is told
		}
		if err := tx.pass(change); err != nil {
			return err
		}
	}
	return nil
}

// Resync appends the verdicts that stand, and then the state and every fact of
// the next few hosts. more is false when all were sent.
func (tx *Tx) Resync(hosts int, now int64) (more bool, err error) {
	var after []byte
	found, err := tx.row("SELECT resync FROM stream WHERE resync IS NOT NULL", nil, &after)
	if err != nil || !found {
		return false, err
	}
	if len(after) == 0 { // before the hosts, whose own states hold
		if err := tx.tellVerdicts(now); err != nil {
			return false, err
		}
	}
	var ids [][]byte
	err = tx.each("SELECT id FROM hosts WHERE id > coalesce(?, x'') AND served_by IS NULL ORDER BY id LIMIT ?", []any{after, hosts}, func(rows *sql.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := tx.resyncHost(tenancy.HostID{UUID: [16]byte(id)}, now); err != nil {
			return false, fmt.Errorf("sending a host anew: %w", err)
		}
	}
	if len(ids) < hosts {
		tx.head.Resyncing = false
		tx.moved = true
		return false, tx.exec("UPDATE stream SET resync = NULL")
	}
	return true, tx.exec("UPDATE stream SET resync = ?", bytes.Clone(ids[len(ids)-1]))
}

func (tx *Tx) resyncHost(id tenancy.HostID, now int64) error {
	host, found, err := tx.host("id", id.UUID[:])
	if err != nil || !found {
		return err
	}
	if host.doubt == unheard {
		return tx.resyncMissed(host, now)
	}
	if err := tx.appendHost(host, host.StateAt, true); err != nil {
		return err
	}
	if host.Token != "" {
		use := uplink.Change{Type: uplink.TokenUse, Host: id, SeenAt: host.EnrolledAt, Token: host.Token}
		if err := tx.Append(use); err != nil {
			return err
		}
	}
	var settled map[string]bool
	if host.doubt == told {
		if settled, err = tx.settled(id); err != nil {
			return err
		}
	}
	var facts []Fact
	err = tx.each("SELECT kind, instance, hash, schema, observed, changed FROM facts WHERE host = ? ORDER BY kind, instance",
		[]any{id.UUID[:]}, func(rows *sql.Rows) error {
			fact := Fact{Host: id}
			err := rows.Scan(&fact.Kind, &fact.Instance, &fact.Hash, &fact.Schema, &fact.Observed, &fact.Changed)
			facts = append(facts, fact)
			return err
		})
	if err != nil {
		return err
	}
	for _, fact := range facts {
		if host.doubt == told && !settled[fact.Kind] {
			continue
		}
		if err := tx.appendFact(fact, now); err != nil {
			return err
		}
	}
	if host.doubt != trusted {
		return nil
	}
	return tx.listFacts(id, facts, now)
}

// listFacts tells which facts a host has of every kind, those of which it has none
// included, and which problems stand: of facts that went long ago, see maxTombstones,
// and of problems that ended nobody here remembers, and the service may have gone
// back to a time when they were there.
func (tx *Tx) listFacts(id tenancy.HostID, facts []Fact, now int64) error {
	instances := map[string][]string{}
	if rules := tx.writer.store.rules; rules != nil {
		for _, kind := range rules.Kinds() {
			instances[kind] = nil
		}
	}
	err := tx.each("SELECT DISTINCT kind FROM problems WHERE host = ?", []any{id.UUID[:]}, func(rows *sql.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		instances[kind] = nil
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for a host's problems: %w", err)
	}
	for _, fact := range facts {
		of := instances[fact.Kind]
		if fact.Hash != nil {
			of = append(of, fact.Instance)
		}
		instances[fact.Kind] = of
	}
	for _, kind := range slices.Sorted(maps.Keys(instances)) {
		term, version, found, err := tx.nextVersion(id)
		if err != nil || !found {
			return err
		}
		err = tx.Append(uplink.Change{
			Type: uplink.FactList, Host: id, SeenAt: now, Kind: kind, Instances: instances[kind], Term: term, Version: version,
		})
		if err != nil {
			return err
		}
		if err := tx.tellProblems(id, kind, now); err != nil {
			return err
		}
	}
	return nil
}

// resyncMissed tells that a host in doubt is not there, if that is what this
// relay remembers: the service may believe it up. One that was up either speaks
// or falls silent, and both are told.
func (tx *Tx) resyncMissed(host Host, now int64) error {
	if host.State == uplink.Up {
		return nil
	}
	if err := tx.exec("UPDATE hosts SET doubt = ? WHERE id = ?", int(told), host.ID.UUID[:]); err != nil {
		return fmt.Errorf("noting that a host's state is told: %w", err)
	}
	return tx.appendHost(host, now, false)
}

// appendFact writes the record of a fact as it is in the table, under the
// host's next version.
func (tx *Tx) appendFact(fact Fact, seen int64) error {
	change := uplink.Change{
		Type: uplink.FactGone, Host: fact.Host, SeenAt: seen, ObservedAt: fact.Observed,
		Kind: fact.Kind, Instance: fact.Instance, Schema: fact.Schema,
	}
	if fact.Hash != nil {
		body, err := tx.body(fact.Hash)
		if err != nil {
			return err
		}
		change.Type, change.Hash, change.Body = uplink.FactPut, fact.Hash, body
	}
	var found bool
	var err error
	if change.Term, change.Version, found, err = tx.nextVersion(fact.Host); err != nil || !found {
		return err
	}
	return tx.Append(change)
}
