package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Why records of another relay are not kept.
var (
	// ErrNotNext: they do not follow what is held of that stream.
	ErrNotNext = errors.New("the records do not follow those that are held")
	// ErrReplicaFull: as much is held of that stream as the outbox may hold.
	ErrReplicaFull = errors.New("the replica is full")
)

// Origin says how far the stream of another relay was copied here: the records
// (Acked, Last] of Epoch are held.
type Origin struct {
	Relay      tenancy.RelayID
	Epoch      uint64
	Acked      uint64 // the service holds them up to here
	AckedChain uplink.Chain
	Last       uint64
	Chain      uplink.Chain
	Bytes      int64
}

const originColumns = "relay, epoch, acked, acked_chain, last, chain, bytes"

func scanOrigin(scan func(...any) error) (o Origin, err error) {
	var relay, acked, chain []byte
	if err = scan(&relay, &o.Epoch, &o.Acked, &acked, &o.Last, &chain, &o.Bytes); err != nil {
		return Origin{}, err
	}
	if len(relay) != 16 {
		return Origin{}, errors.New("the copy of a stream is damaged")
	}
	o.Relay.UUID = [16]byte(relay)
	if o.AckedChain, err = toChain(acked); err != nil {
		return Origin{}, err
	}
	o.Chain, err = toChain(chain)
	return o, err
}

// Origins lists the streams of which something was copied here.
func (s *Store) Origins(ctx context.Context) ([]Origin, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT "+originColumns+" FROM origins ORDER BY relay")
	if err != nil {
		return nil, fmt.Errorf("reading copied streams: %w", err)
	}
	defer rows.Close()
	var origins []Origin
	for rows.Next() {
		o, err := scanOrigin(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("reading copied streams: %w", err)
		}
		origins = append(origins, o)
	}
	return origins, rows.Err()
}

// Origin is how far one stream was copied.
func (tx *Tx) Origin(relay tenancy.RelayID) (o Origin, found bool, err error) {
	stmt, err := tx.prepared("SELECT " + originColumns + " FROM origins WHERE relay = ?")
	if err != nil {
		return Origin{}, false, err
	}
	o, err = scanOrigin(stmt.QueryRowContext(context.Background(), relay.UUID[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Origin{Relay: relay}, false, nil
	}
	return o, err == nil, err
}

// Told notes that the service holds a stream up to a position: the records up to
// there are forgotten. Of another epoch than the one that is held, it begins.
func (tx *Tx) Told(relay tenancy.RelayID, epoch, acked uint64, chain uplink.Chain) error {
	o, _, err := tx.Origin(relay)
	if err != nil {
		return err
	}
	switch {
	case o.Epoch != epoch:
		if err := tx.exec("DELETE FROM replica WHERE origin = ?", relay.UUID[:]); err != nil {
			return fmt.Errorf("forgetting an ended epoch: %w", err)
		}
		o = Origin{Relay: relay, Epoch: epoch, Acked: acked, AckedChain: chain, Last: acked, Chain: chain}
	case acked <= o.Acked:
		return nil
	default:
		var size int64
		if _, err := tx.row("SELECT coalesce(sum(length(record)), 0) FROM replica WHERE origin = ? AND seq <= ?", []any{relay.UUID[:], int64(acked)}, &size); err != nil {
			return err
		}
		if err := tx.exec("DELETE FROM replica WHERE origin = ? AND seq <= ?", relay.UUID[:], int64(acked)); err != nil {
			return fmt.Errorf("forgetting records that the service holds: %w", err)
		}
		o.Acked, o.AckedChain, o.Bytes = acked, chain, o.Bytes-size
		if o.Last < acked {
			o.Last, o.Chain = acked, chain
		}
	}
	return tx.saveOrigin(o)
}

// Keep adds records of another relay's stream to its copy. Records of numbers
// that are held already take their place, with all behind them: the origin has
// thinned its outbox.
func (tx *Tx) Keep(relay tenancy.RelayID, r Records) (Origin, error) {
	o, found, err := tx.Origin(relay)
	if err != nil {
		return Origin{}, err
	}
	if !found || o.Epoch != r.Epoch || r.First <= o.Acked || r.First > o.Last+1 {
		return o, ErrNotNext
	}
	if o.Bytes > tx.writer.store.budget {
		return o, ErrReplicaFull
	}
	if r.First <= o.Last {
		if o, err = tx.cutReplica(o, r.First); err != nil {
			return o, err
		}
	}
	if o.Chain != r.Prev {
		return o, ErrNotNext
	}
	for _, record := range r.Encoded {
		o.Last, o.Chain = o.Last+1, uplink.ChainNext(o.Chain, record)
		o.Bytes += int64(len(record))
		err := tx.exec("INSERT INTO replica (origin, seq, chain, record) VALUES (?, ?, ?, ?)", relay.UUID[:], int64(o.Last), o.Chain[:], record)
		if err != nil {
			return o, fmt.Errorf("keeping another relay's record: %w", err)
		}
	}
	return o, tx.saveOrigin(o)
}

// cutReplica forgets the records from first on.
func (tx *Tx) cutReplica(o Origin, first uint64) (Origin, error) {
	var size int64
	if _, err := tx.row("SELECT coalesce(sum(length(record)), 0) FROM replica WHERE origin = ? AND seq >= ?", []any{o.Relay.UUID[:], int64(first)}, &size); err != nil {
		return o, err
	}
	if err := tx.exec("DELETE FROM replica WHERE origin = ? AND seq >= ?", o.Relay.UUID[:], int64(first)); err != nil {
		return o, fmt.Errorf("forgetting records that were numbered anew: %w", err)
	}
	o.Last, o.Chain, o.Bytes = o.Acked, o.AckedChain, o.Bytes-size
	if first > o.Acked+1 {
		var chain []byte
		found, err := tx.row("SELECT chain FROM replica WHERE origin = ? AND seq = ?", []any{o.Relay.UUID[:], int64(first - 1)}, &chain)
		if err != nil || !found {
			return o, errors.Join(ErrNotNext, err)
		}
		if o.Chain, err = toChain(chain); err != nil {
			return o, err
		}
		o.Last = first - 1
	}
	return o, nil
}

func (tx *Tx) saveOrigin(o Origin) error {
	err := tx.exec("INSERT INTO origins ("+originColumns+") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET epoch = excluded.epoch, "+
		"acked = excluded.acked, acked_chain = excluded.acked_chain, last = excluded.last, chain = excluded.chain, bytes = excluded.bytes",
		o.Relay.UUID[:], int64(o.Epoch), int64(o.Acked), o.AckedChain[:], int64(o.Last), o.Chain[:], o.Bytes)
	if err != nil {
		return fmt.Errorf("noting how far a stream was copied: %w", err)
	}
	return nil
}

// ForgetOrigin drops the copy of a stream: its relay is no longer the site's.
func (tx *Tx) ForgetOrigin(relay tenancy.RelayID) error {
	for _, statement := range []string{"DELETE FROM replica WHERE origin = ?", "DELETE FROM origins WHERE relay = ?"} {
		if err := tx.exec(statement, relay.UUID[:]); err != nil {
			return fmt.Errorf("dropping the copy of a stream: %w", err)
		}
	}
	return nil
}

// Kept reads the oldest records that are held of an origin's stream, as Records
// does of this relay's own.
func (s *Store) Kept(ctx context.Context, o Origin, limit, size int) (Records, error) {
	r := Records{Epoch: o.Epoch, First: o.Acked + 1, Last: o.Acked, Prev: o.AckedChain, Chain: o.AckedChain}
	rows, err := s.readers.QueryContext(ctx, "SELECT seq, chain, record FROM replica WHERE origin = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
		o.Relay.UUID[:], int64(o.Acked), int64(o.Last), limit)
	if err != nil {
		return Records{}, fmt.Errorf("reading a copied stream: %w", err)
	}
	defer rows.Close()
	if err := r.gather(rows, size); err != nil {
		return Records{}, fmt.Errorf("reading a copied stream: %w", err)
	}
	r.Whole = r.Whole || len(r.Encoded) == limit
	return r, rows.Err()
}

// Forwarded notes that the service holds a stream up to a position, of the epoch
// that is copied.
func (tx *Tx) Forwarded(relay tenancy.RelayID, epoch, position uint64) error {
	o, found, err := tx.Origin(relay)
	if err != nil || !found || o.Epoch != epoch || position <= o.Acked || position > o.Last {
		return err
	}
	chain := o.Chain
	if position < o.Last {
		var b []byte
		if found, err = tx.row("SELECT chain FROM replica WHERE origin = ? AND seq = ?", []any{relay.UUID[:], int64(position)}, &b); err != nil || !found {
			return err
		}
		if chain, err = toChain(b); err != nil {
			return err
		}
	}
	return tx.Told(relay, epoch, position, chain)
}
