package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"assimilation/discovery"
	"assimilation/discovery/scripts"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// What one host may have, so that it cannot fill the disk of all others: any
// number of kinds can be made up.
const (
	maxFacts = 4096
	// maxBodies bounds the packed bodies of a host's facts in bytes; one of up to
	// smallBody is let in without counting.
	maxBodies = 32 << 20
	smallBody = 16 << 10
	// maxTombstones is how many of the facts that went are remembered at most,
	// beside those that are current. Beyond it the oldest quarter is forgotten:
	// finding them costs more than counting.
	maxTombstones = 1024
)

// Fact is the current fact of one key; a nil Hash says that it went.
type Fact struct {
	Host     tenancy.HostID
	Kind     string
	Instance string
	Hash     []byte
	Schema   uint8
	Observed int64 // the probe's clock
	Changed  int64 // the relay's
}

// PutResult is what became of a fact.
type PutResult int

// The results.
const (
	Stored    PutResult = iota
	Unchanged           // the hash is current already: no record
	TooMany             // the host has discovery.MaxInstances of the kind, or as much as a host may have in all
	NoHost              // the host is not known, or no longer
)

// PutFact makes f the current fact of its key and records it. f was checked.
func (tx *Tx) PutFact(host tenancy.HostID, f discovery.Fact, observed, now int64) (PutResult, error) {
	var old []byte
	found, err := tx.row("SELECT hash FROM facts WHERE host = ? AND kind = ? AND instance = ?", []any{host.UUID[:], f.Kind, f.Instance}, &old)
	if err != nil {
		return 0, fmt.Errorf("looking up a fact: %w", err)
	}
	if found && old != nil && discovery.Hash(old) == f.Hash {
		return Unchanged, nil
	}
	if room, err := tx.roomFor(host, f, old == nil); err != nil || !room {
		return TooMany, err
	}
	term, version, found, err := tx.nextVersion(host)
	if err != nil || !found {
		return NoHost, err
	}
	if err := tx.keepBody(f); err != nil {
		return 0, err
	}
	fact := Fact{Host: host, Kind: f.Kind, Instance: f.Instance, Hash: f.Hash[:], Schema: uint8(f.Version), Observed: observed, Changed: now}
	if err := tx.writeFact(fact, old); err != nil {
		return 0, err
	}
	return Stored, tx.Append(uplink.Change{
		Type: uplink.FactPut, Host: host, SeenAt: now, ObservedAt: observed, Term: term, Version: version,
		Kind: f.Kind, Instance: f.Instance, Schema: fact.Schema, Hash: fact.Hash, Body: f.Body,
	})
}

// DropFact notes and records that a fact is gone, if it was there.
func (tx *Tx) DropFact(host tenancy.HostID, kind, instance string, observed, now int64) error {
	var old []byte
	var schema uint8
	found, err := tx.row("SELECT hash, schema FROM facts WHERE host = ? AND kind = ? AND instance = ?",
		[]any{host.UUID[:], kind, instance}, &old, &schema)
	if err != nil || !found || old == nil {
		return err
	}
	fact := Fact{Host: host, Kind: kind, Instance: instance, Schema: schema, Observed: observed, Changed: now}
	if err := tx.writeFact(fact, old); err != nil {
		return err
	}
	if err := tx.pruneTombstones(host); err != nil {
		return err
	}
	return tx.appendFact(fact, now)
}

// Compare is the relay's answer to a probe's list: need holds what the list
// has and the relay lacks; what the relay has and the list lacks, in the kinds
// named, is dropped and returned in gone.
func (tx *Tx) Compare(host tenancy.HostID, kinds []string, listed []discovery.Fact, now int64) (need []discovery.Fact, gone []Fact, err error) {
	type key struct{ kind, instance string }
	held := map[key]Fact{}
	for _, kind := range kinds {
		err := tx.each("SELECT instance, hash, schema, observed, changed FROM facts WHERE host = ? AND kind = ? AND hash IS NOT NULL",
			[]any{host.UUID[:], kind}, func(rows *sql.Rows) error {
				f := Fact{Host: host, Kind: kind}
				err := rows.Scan(&f.Instance, &f.Hash, &f.Schema, &f.Observed, &f.Changed)
				held[key{kind, f.Instance}] = f
				return err
			})
		if err != nil {
			return nil, nil, fmt.Errorf("reading a host's facts: %w", err)
		}
	}
	confirmed, instances := map[string][]Fact{}, map[string][]string{}
	for _, f := range listed {
		k := key{f.Kind, f.Instance}
		if old, ok := held[k]; !ok || !bytes.Equal(old.Hash, f.Hash[:]) {
			need = append(need, f)
		} else {
			confirmed[f.Kind] = append(confirmed[f.Kind], old)
		}
		instances[f.Kind] = append(instances[f.Kind], f.Instance)
		delete(held, k)
	}
	for k, f := range held {
		gone = append(gone, f)
		if err := tx.DropFact(host, k.kind, k.instance, 0, now); err != nil {
			return nil, nil, fmt.Errorf("dropping a fact that is gone: %w", err)
		}
	}
	if slices.Contains(kinds, scripts.Kind.Name) {
		struck, err := tx.strikeScripts(host, instances[scripts.Kind.Name], now)
		if err != nil {
			return nil, nil, fmt.Errorf("dropping what scripts said that are gone: %w", err)
		}
		gone = append(gone, struck...)
	}
	unsettled, err := tx.unsettled(host, kinds)
	if err != nil {
		return nil, nil, fmt.Errorf("looking for what is in doubt of a host: %w", err)
	}
	for _, kind := range unsettled {
		if err := tx.settle(host, kind, instances[kind], confirmed[kind], now); err != nil {
			return nil, nil, fmt.Errorf("telling what a host has: %w", err)
		}
	}
	return need, gone, nil
}

// roomFor reports whether the host may have the fact; fresh: none of its key is
// current.
func (tx *Tx) roomFor(host tenancy.HostID, f discovery.Fact, fresh bool) (bool, error) {
	if fresh {
		var all, ofKind int
		_, err := tx.row("SELECT count(*), count(*) FILTER (WHERE kind = ?2) FROM facts WHERE host = ?1 AND hash IS NOT NULL",
			[]any{host.UUID[:], f.Kind}, &all, &ofKind)
		if err != nil || all >= maxFacts || ofKind >= discovery.MaxInstances {
			return false, err
		}
	}
	if len(f.Body) <= smallBody {
		return true, nil
	}
	var held int
	_, err := tx.row(`SELECT coalesce(sum(length(b.body)), 0) FROM facts f JOIN bodies b ON b.hash = f.hash
		WHERE f.host = ?1 AND NOT (f.kind = ?2 AND f.instance = ?3)`, []any{host.UUID[:], f.Kind, f.Instance}, &held)
	return held < maxBodies, err
}

// writeFact replaces the row, and the body of old if nothing else has it.
func (tx *Tx) writeFact(f Fact, old []byte) error {
	err := tx.exec(`INSERT INTO facts (host, kind, instance, hash, schema, observed, changed) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET hash = excluded.hash, schema = excluded.schema, observed = excluded.observed, changed = excluded.changed`,
		f.Host.UUID[:], f.Kind, f.Instance, f.Hash, f.Schema, f.Observed, f.Changed)
	if err != nil {
		return fmt.Errorf("writing a fact: %w", err)
	}
	if old == nil {
		return nil
	}
	return tx.releaseBody(old)
}

func (tx *Tx) pruneTombstones(host tenancy.HostID) error {
	var count int
	_, err := tx.row("SELECT count(*) FROM facts WHERE host = ? AND hash IS NULL", []any{host.UUID[:]}, &count)
	if err != nil || count <= maxTombstones {
		return err
	}
	return tx.exec(`DELETE FROM facts WHERE host = ?1 AND (kind, instance) IN (SELECT kind, instance FROM facts
		WHERE host = ?1 AND hash IS NULL ORDER BY changed LIMIT ?2)`, host.UUID[:], count-maxTombstones*3/4)
}

// dropFacts forgets a host's facts and problems without a record.
func (tx *Tx) dropFacts(host tenancy.HostID) error {
	var hashes [][]byte
	err := tx.each("SELECT hash FROM facts WHERE host = ?1 AND hash IS NOT NULL UNION SELECT hash FROM bases WHERE host = ?1", []any{host.UUID[:]}, func(rows *sql.Rows) error {
		var hash []byte
		err := rows.Scan(&hash)
		hashes = append(hashes, hash)
		return err
	})
	if err != nil {
		return err
	}
	for _, statement := range []string{"DELETE FROM facts WHERE host = ?", "DELETE FROM problems WHERE host = ?", "DELETE FROM bases WHERE host = ?"} {
		if err := tx.exec(statement, host.UUID[:]); err != nil {
			return err
		}
	}
	for _, hash := range hashes {
		if err := tx.releaseBody(hash); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) keepBody(f discovery.Fact) error {
	var one int
	found, err := tx.row("SELECT 1 FROM bodies WHERE hash = ?", []any{f.Hash[:]}, &one)
	if err != nil || found {
		return err
	}
	packed := tx.writer.store.packer.EncodeAll(f.Body, nil)
	if err := tx.exec("INSERT INTO bodies (hash, body) VALUES (?, ?)", f.Hash[:], packed); err != nil {
		return fmt.Errorf("writing a body: %w", err)
	}
	return nil
}

func (tx *Tx) releaseBody(hash []byte) error {
	err := tx.exec(`DELETE FROM bodies WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM facts WHERE hash = ?1)
		AND NOT EXISTS (SELECT 1 FROM bases WHERE hash = ?1)`, hash)
	if err != nil {
		return fmt.Errorf("collecting a body: %w", err)
	}
	return nil
}

func (tx *Tx) body(hash []byte) ([]byte, error) {
	var packed []byte
	found, err := tx.row("SELECT body FROM bodies WHERE hash = ?", []any{hash}, &packed)
	if err == nil && !found {
		err = errors.New("it is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the body %s: %w", hex.EncodeToString(hash), err)
	}
	return tx.writer.store.opener.DecodeAll(packed, nil)
}

// Facts lists the current facts of a host, without bodies.
func (s *Store) Facts(ctx context.Context, host tenancy.HostID) ([]Fact, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT kind, instance, hash, schema, observed, changed FROM facts
		WHERE host = ? AND hash IS NOT NULL ORDER BY kind, instance`, host.UUID[:])
	if err != nil {
		return nil, fmt.Errorf("reading facts: %w", err)
	}
	defer rows.Close()
	var facts []Fact
	for rows.Next() {
		fact := Fact{Host: host}
		if err := rows.Scan(&fact.Kind, &fact.Instance, &fact.Hash, &fact.Schema, &fact.Observed, &fact.Changed); err != nil {
			return nil, fmt.Errorf("reading facts: %w", err)
		}
		facts = append(facts, fact)
	}
	return facts, rows.Err()
}

// EachFact calls fn for every current fact of a kind, with its body.
func (s *Store) EachFact(ctx context.Context, kind string, fn func(f Fact, body []byte) error) error {
	rows, err := s.readers.QueryContext(ctx, `SELECT f.host, f.instance, f.hash, f.schema, f.observed, f.changed, b.body
		FROM facts f JOIN bodies b ON b.hash = f.hash WHERE f.kind = ? ORDER BY f.host, f.instance`, kind)
	if err != nil {
		return fmt.Errorf("reading facts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		fact := Fact{Kind: kind}
		var packed []byte
		if err := rows.Scan(&fact.Host, &fact.Instance, &fact.Hash, &fact.Schema, &fact.Observed, &fact.Changed, &packed); err != nil {
			return fmt.Errorf("reading facts: %w", err)
		}
		body, err := s.opener.DecodeAll(packed, nil)
		if err != nil {
			return fmt.Errorf("reading the body %s: %w", hex.EncodeToString(fact.Hash), err)
		}
		if err := fn(fact, body); err != nil {
			return err
		}
	}
	return rows.Err()
}
