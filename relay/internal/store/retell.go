package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"

	"assimilation/discovery/residency"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// decide takes in the tenant's decision about residency. If it is new, or this
// program holds back by other rules than the last, what waits for the service is
// judged anew, and Retell is due.
func (tx *Tx) decide(policy uplink.Policy) error {
	rules := tx.writer.store.rules
	if rules == nil {
		return nil
	}
	wanted := policy.Residency
	if wanted == "" {
		wanted = uplink.SiteOnly
	}
	decision := fmt.Sprintf("%s %d %s", wanted, policy.Decided, rules.Name())
	// What was told while everything left is to be taken back.
	changed, err := tx.changed(`UPDATE relay SET withdraw = iif(?1 = 'site' AND (decision = '' OR residency <> 'site'), 1, iif(?1 = 'site', withdraw, 0)),
		residency = ?1, decision = ?2 WHERE decision <> ?2`, string(wanted), decision)
	if err != nil || changed == 0 {
		return err
	}
	tx.head.Residency = wanted
	if tx.head.Epoch == 0 {
		return nil // nothing was told yet
	}
	if err := tx.rejudge(); err != nil {
		return fmt.Errorf("holding back what waits for the service: %w", err)
	}
	tx.head.Retelling = true
	return tx.exec("UPDATE stream SET retelling = x''")
}

// redecide applies the decision that stands under the rules of this program.
func (tx *Tx) redecide() error {
	var text string
	found, err := tx.row("SELECT policy FROM relay WHERE id IS NOT NULL", nil, &text)
	if err != nil || !found {
		return err
	}
	var policy uplink.Policy
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return fmt.Errorf("reading the site's policy: %w", err)
	}
	return tx.decide(policy)
}

// rejudge lets the records that cannot be on their way yet pass the gate again.
func (tx *Tx) rejudge() error {
	cut, chain, err := tx.sendable()
	if err != nil || cut == tx.head.Last {
		return err
	}
	end := tx.head.Last
	tx.head.Last, tx.head.Chain, tx.moved = cut, chain, true
	return tx.closeUp(cut, end)
}

// Retell tells the next few hosts anew as far as a decision about residency
// bears on them: facts that do not leave whole, and labels that name a place.
// What may leave now is put, what may not any more is gone. more is false when
// all were told.
func (tx *Tx) Retell(hosts int, now int64) (more bool, err error) {
	var after []byte
	found, err := tx.row("SELECT retelling FROM stream WHERE retelling IS NOT NULL", nil, &after)
	if err != nil || !found {
		return false, err
	}
	var ids [][]byte
	err = tx.each("SELECT id FROM hosts WHERE id > coalesce(?, x'') ORDER BY id LIMIT ?", []any{after, hosts}, func(rows *sql.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := tx.retellHost(tenancy.HostID{UUID: [16]byte(id)}, now); err != nil {
			return false, fmt.Errorf("telling anew what of a host may leave: %w", err)
		}
	}
	if len(ids) < hosts {
		tx.head.Retelling = false
		if err := tx.exec("UPDATE relay SET withdraw = 0"); err != nil {
			return false, err
		}
		return false, tx.exec("UPDATE stream SET retelling = NULL")
	}
	return true, tx.exec("UPDATE stream SET retelling = ?", bytes.Clone(ids[len(ids)-1]))
}

func (tx *Tx) retellHost(id tenancy.HostID, now int64) error {
	host, found, err := tx.Host(id)
	// One in doubt is told of when its probe has confirmed it.
	if err != nil || !found || host.doubt != trusted || !host.ServedBy.IsZero() {
		return err
	}
	for name := range host.Labels {
		if residency.PlaceLabel(name) {
			if err := tx.appendHost(host, now, false); err != nil {
				return err
			}
			break
		}
	}
	unjudged, err := tx.clearHeld(host, now)
	if err != nil {
		return err
	}
	var facts []Fact
	err = tx.each("SELECT kind, instance, hash, schema, observed, changed FROM facts WHERE host = ? AND hash IS NOT NULL ORDER BY kind, instance",
		[]any{id.UUID[:]}, func(rows *sql.Rows) error {
			fact := Fact{Host: id}
			err := rows.Scan(&fact.Kind, &fact.Instance, &fact.Hash, &fact.Schema, &fact.Observed, &fact.Changed)
			if tx.writer.store.rules.Extent(fact.Kind, int(fact.Schema)) != residency.Whole || unjudged[fact.Kind] {
				facts = append(facts, fact)
			}
			return err
		})
	if err != nil {
		return err
	}
	for _, fact := range facts {
		if err := tx.retellFact(fact, now); err != nil {
			return err
		}
	}
	return nil
}

// retellFact says that the fact is gone before it says what of it may leave: a
// part of it would otherwise stand against the whole.
func (tx *Tx) retellFact(fact Fact, now int64) error {
	if err := tx.noteBase(fact.Host.UUID[:], fact.Kind, fact.Instance, nil); err != nil {
		return err
	}
	extent := tx.writer.store.rules.Extent(fact.Kind, int(fact.Schema))
	if tx.head.Residency != uplink.Replicate && extent <= residency.Nothing && extent != residency.Newer {
		var withdraw bool
		if _, err := tx.row("SELECT withdraw FROM relay", nil, &withdraw); err != nil {
			return err
		}
		if !withdraw {
			return tx.appendFact(fact, now)
		}
		term, version, found, err := tx.nextVersion(fact.Host)
		if err != nil || !found {
			return err
		}
		gone := uplink.Change{
			Type: uplink.FactGone, Host: fact.Host, SeenAt: now, ObservedAt: fact.Observed,
			Kind: fact.Kind, Instance: fact.Instance, Schema: fact.Schema, Term: term, Version: version,
		}
		if err := tx.append(gone); err != nil {
			return err
		}
		held := gone
		held.Type = uplink.FactPut
		return tx.noteHeld(held)
	}
	return tx.appendFact(fact, now)
}

// clearHeld ends the problems of kinds that could not be judged, and lists them:
// they are judged anew.
func (tx *Tx) clearHeld(host Host, now int64) (kinds map[string]bool, err error) {
	kinds = map[string]bool{}
	err = tx.each("SELECT kind FROM problems WHERE host = ? AND source = ?", []any{host.ID.UUID[:], ByPolicy}, func(rows *sql.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		kinds[kind] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	for kind := range kinds {
		if err := tx.Clear(Problem{Host: host.ID, Source: ByPolicy, Kind: kind}, "", now); err != nil {
			return nil, err
		}
	}
	return kinds, nil
}
