package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// noteBases notes the facts among the records up to position as held by the
// service.
func (tx *Tx) noteBases(position uint64) error {
	type fact struct{ topic, hash []byte }
	var facts []fact
	err := tx.each("SELECT topic, body FROM outbox WHERE seq <= ? AND topic >= x'66' AND topic < x'67' ORDER BY seq", []any{int64(position)}, func(rows *sql.Rows) error {
		var f fact
		err := rows.Scan(&f.topic, &f.hash)
		facts = append(facts, f)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range facts {
		host, kind, instance, ok := factOf(f.topic)
		if !ok {
			continue
		}
		if err := tx.noteBase(host, kind, instance, f.hash); err != nil {
			return err
		}
	}
	return nil
}

// noteBase makes hash the base of a key, nil none. One whose body was replaced
// meanwhile is of no use: the base before it stays.
func (tx *Tx) noteBase(host []byte, kind, instance string, hash []byte) error {
	var old []byte
	if _, err := tx.row("SELECT hash FROM bases WHERE host = ? AND kind = ? AND instance = ?", []any{host, kind, instance}, &old); err != nil {
		return err
	}
	if bytes.Equal(old, hash) {
		return nil
	}
	if hash == nil {
		if err := tx.exec("DELETE FROM bases WHERE host = ? AND kind = ? AND instance = ?", host, kind, instance); err != nil {
			return err
		}
		return tx.releaseBody(old)
	}
	var one int
	if found, err := tx.row("SELECT 1 FROM bodies WHERE hash = ?", []any{hash}, &one); err != nil || !found {
		return err
	}
	err := tx.exec("INSERT INTO bases (host, kind, instance, hash) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET hash = excluded.hash",
		host, kind, instance, hash)
	if err != nil || old == nil {
		return err
	}
	return tx.releaseBody(old)
}

// DropBases forgets that the service holds these bodies: it says that it does
// not. dropped is how many keys that were.
func (tx *Tx) DropBases(hashes [][]byte) (dropped int64, err error) {
	for _, hash := range hashes {
		n, err := tx.changed("DELETE FROM bases WHERE hash = ?", hash)
		if err != nil {
			return 0, fmt.Errorf("forgetting a body that the service lacks: %w", err)
		}
		if dropped += n; n > 0 {
			if err := tx.releaseBody(hash); err != nil {
				return 0, err
			}
		}
	}
	return dropped, nil
}

// dropBases forgets all of them, with the bodies that only they kept.
func (tx *Tx) dropBases() error {
	if err := tx.exec("DELETE FROM bases"); err != nil {
		return err
	}
	return tx.exec("DELETE FROM bodies WHERE hash NOT IN (SELECT hash FROM facts WHERE hash IS NOT NULL)")
}

// Base is a body that the service holds.
type Base struct {
	Hash uplink.BodyHash
	Body []byte
}

// OwnBase is the newest body of a key that the service has acknowledged.
func (s *Store) OwnBase(ctx context.Context, host tenancy.HostID, kind, instance string) (Base, bool, error) {
	return s.base(ctx, `SELECT b.hash, b.body FROM bases k JOIN bodies b ON b.hash = k.hash
		WHERE k.host = ? AND k.kind = ? AND k.instance = ?`, host.UUID[:], kind, instance)
}

// LikeBase is one of the same kind and instance, of any host.
func (s *Store) LikeBase(ctx context.Context, kind, instance string) (Base, bool, error) {
	return s.base(ctx, `SELECT b.hash, b.body FROM bases k JOIN bodies b ON b.hash = k.hash WHERE k.kind = ? AND k.instance = ? LIMIT 1`, kind, instance)
}

func (s *Store) base(ctx context.Context, query string, args ...any) (base Base, found bool, err error) {
	var hash, packed []byte
	err = s.readers.QueryRowContext(ctx, query, args...).Scan(&hash, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return Base{}, false, nil
	}
	if err == nil {
		base.Body, err = s.opener.DecodeAll(packed, nil)
	}
	if err != nil || len(hash) != len(base.Hash) {
		return Base{}, false, fmt.Errorf("reading a body that the service holds: %w", err)
	}
	base.Hash = uplink.BodyHash(hash)
	return base, true, nil
}

// Holds reports whether the service has acknowledged a body, of whatever host.
func (s *Store) Holds(ctx context.Context, hash []byte) (bool, error) {
	var holds bool
	err := s.readers.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM bases WHERE hash = ?)", hash).Scan(&holds)
	if err != nil {
		return false, fmt.Errorf("asking what the service holds: %w", err)
	}
	return holds, nil
}
