package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// ErrNoStream: there is no stream before the relay is enrolled.
var ErrNoStream = errors.New("the relay is not enrolled: it has no stream")

// Head says where the stream stands.
type Head struct {
	Relay      tenancy.RelayID
	Epoch      uint64 // 0: no stream yet
	Last       uint64 // newest record
	Chain      uplink.Chain
	Acked      uint64 // newest record that the service holds
	AckedChain uplink.Chain
	Resyncing  bool
	Residency  uplink.Residency // what may leave the site, see Append
	Retelling  bool             // a decision about that is still to be told of some hosts
}

// Backlog is how many records wait for the service.
func (h Head) Backlog() uint64 { return h.Last - h.Acked }

// Head is the stream as of the newest commit.
func (s *Store) Head() Head {
	s.writer.headMu.Lock()
	defer s.writer.headMu.Unlock()
	return s.writer.last
}

// Appended receives after commits that added records, or made Retell due.
func (s *Store) Appended() <-chan struct{} { return s.writer.appended }

func (w *writer) adoptHead(ctx context.Context) error {
	var head Head
	var chain, acked []byte
	err := w.conn.QueryRowContext(ctx, `SELECT r.id, s.epoch, s.last, s.chain, s.acked, s.acked_chain, s.resync IS NOT NULL,
		r.residency, s.retelling IS NOT NULL FROM stream s, relay r`).
		Scan(&head.Relay, &head.Epoch, &head.Last, &chain, &head.Acked, &acked, &head.Resyncing, &head.Residency, &head.Retelling)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the stream's position: %w", err)
	}
	if len(chain) != len(head.Chain) || len(acked) != len(head.AckedChain) {
		return errors.New("the stream's running hash is damaged")
	}
	copy(head.Chain[:], chain)
	copy(head.AckedChain[:], acked)
	var size int64
	if err := w.conn.QueryRowContext(ctx, "SELECT coalesce(sum(length(record)), 0) FROM outbox").Scan(&size); err != nil {
		return fmt.Errorf("measuring the outbox: %w", err)
	}
	w.publish(head, size)
	return nil
}

// append gives c its number and puts it into the outbox, see Append.
func (tx *Tx) append(c uplink.Change) error {
	c.Seq = tx.head.Last + 1
	record, err := uplink.EncodeRecord(c)
	if err != nil {
		return fmt.Errorf("encoding a record: %w", err)
	}
	chain := uplink.ChainNext(tx.head.Chain, record)
	if err := tx.exec("INSERT INTO outbox (seq, topic, body, chain, record) VALUES (?, ?, ?, ?, ?)", int64(c.Seq), topicOf(c), c.Hash, chain[:], record); err != nil {
		return fmt.Errorf("writing the outbox: %w", err)
	}
	tx.head.Last, tx.head.Chain, tx.moved = c.Seq, chain, true
	tx.grown += int64(len(record))
	return nil
}

// saveHead writes the head once per transaction, however many records it got.
func (tx *Tx) saveHead() error {
	if !tx.moved {
		return nil
	}
	tx.moved = false
	h := tx.head
	err := tx.exec("UPDATE stream SET epoch = ?, last = ?, chain = ?, acked = ?, acked_chain = ?",
		int64(h.Epoch), int64(h.Last), h.Chain[:], int64(h.Acked), h.AckedChain[:])
	if err != nil {
		return fmt.Errorf("writing the stream's position: %w", err)
	}
	return nil
}

// Acknowledge forgets the records up to position: the service holds them.
func (tx *Tx) Acknowledge(position uint64) error {
	if position < tx.head.Acked || position > tx.head.Last {
		return fmt.Errorf("position %d is outside of the outbox (%d to %d]", position, tx.head.Acked, tx.head.Last)
	}
	if position == tx.head.Acked {
		return nil
	}
	chain, err := tx.chainAt(position)
	if err != nil {
		return err
	}
	var size int64
	if _, err := tx.row("SELECT coalesce(sum(length(record)), 0) FROM outbox WHERE seq <= ?", []any{int64(position)}, &size); err != nil {
		return err
	}
	if err := tx.noteBases(position); err != nil {
		return fmt.Errorf("noting what the service holds: %w", err)
	}
	if err := tx.exec("DELETE FROM outbox WHERE seq <= ?", int64(position)); err != nil {
		return fmt.Errorf("deleting acknowledged records: %w", err)
	}
	tx.head.Acked, tx.head.AckedChain, tx.moved = position, chain, true
	tx.grown -= size
	return tx.shrink()
}

// ChainAt is the running hash after record position, which must lie between
// the acknowledged and the newest record.
func (s *Store) ChainAt(ctx context.Context, position uint64) (uplink.Chain, error) {
	head := s.Head()
	if position == head.Acked {
		return head.AckedChain, nil
	}
	var b []byte
	if err := s.readers.QueryRowContext(ctx, "SELECT chain FROM outbox WHERE seq = ?", int64(position)).Scan(&b); err != nil {
		return uplink.Chain{}, fmt.Errorf("looking up record %d: %w", position, err)
	}
	return toChain(b)
}

func (tx *Tx) chainAt(position uint64) (uplink.Chain, error) {
	var b []byte
	found, err := tx.row("SELECT chain FROM outbox WHERE seq = ?", []any{int64(position)}, &b)
	if err != nil {
		return uplink.Chain{}, err
	}
	if !found {
		return uplink.Chain{}, fmt.Errorf("record %d is missing from the outbox", position)
	}
	return toChain(b)
}

func toChain(b []byte) (chain uplink.Chain, err error) {
	if len(b) != len(chain) {
		return chain, errors.New("a running hash in the outbox is damaged")
	}
	return uplink.Chain(b), nil
}

// Records are consecutive records, as they lie in the outbox.
type Records struct {
	Epoch, First, Last uint64
	Prev, Chain        uplink.Chain
	Encoded            [][]byte
	// Whole: more would not have fitted.
	Whole bool
}

// Records reads the oldest records that are not acknowledged: at most limit, and
// at most size bytes unless the first alone is larger. None: Encoded is empty.
func (s *Store) Records(ctx context.Context, limit, size int) (Records, error) {
	head := s.Head()
	return s.read(ctx, head, head.Acked, head.AckedChain, limit, size)
}

// RecordsAfter is Records for those behind what was read before. None, too, when
// that is of an ended epoch or acknowledged by now.
func (s *Store) RecordsAfter(ctx context.Context, before Records, limit, size int) (Records, error) {
	head := s.Head()
	if before.Epoch != head.Epoch || before.Last < head.Acked || before.Last >= head.Last {
		return Records{Epoch: head.Epoch}, nil
	}
	return s.read(ctx, head, before.Last, before.Chain, limit, size)
}

func (s *Store) read(ctx context.Context, head Head, after uint64, chain uplink.Chain, limit, size int) (Records, error) {
	batch := Records{Epoch: head.Epoch, First: after + 1, Last: after, Prev: chain, Chain: chain}
	rows, err := s.readers.QueryContext(ctx, "SELECT seq, chain, record FROM outbox WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
		int64(after), int64(head.Last), limit)
	if err != nil {
		return Records{}, fmt.Errorf("reading the outbox: %w", err)
	}
	defer rows.Close()
	if err := batch.gather(rows, size); err != nil {
		return Records{}, fmt.Errorf("reading the outbox: %w", err)
	}
	batch.Whole = batch.Whole || len(batch.Encoded) == limit
	return batch, rows.Err()
}

// gather adds rows of (seq, chain, record), as long as size allows.
func (r *Records) gather(rows *sql.Rows, size int) error {
	for rows.Next() {
		var seq uint64
		var chain, record []byte
		if err := rows.Scan(&seq, &chain, &record); err != nil {
			return err
		}
		if seq != r.Last+1 {
			return fmt.Errorf("record %d is missing", r.Last+1)
		}
		if len(r.Encoded) > 0 && len(record) > size {
			r.Whole = true
			return nil
		}
		size -= len(record)
		after, err := toChain(chain)
		if err != nil {
			return err
		}
		r.Last, r.Chain, r.Encoded = seq, after, append(r.Encoded, record)
	}
	return nil
}

// freeKept is how many unused pages (of 4 KiB) stay in the file for reuse.
const freeKept = 4096

// shrink gives a part of the unused pages back to the file system.
func (tx *Tx) shrink() error {
	var free int
	if _, err := tx.row("PRAGMA freelist_count", nil, &free); err != nil {
		return err
	}
	if free <= freeKept {
		return nil
	}
	return tx.each("PRAGMA incremental_vacuum(1024)", nil, func(*sql.Rows) error { return nil })
}

// newEpoch is the time in milliseconds and 20 random bits: of two epochs, the
// later is the greater.
func newEpoch(now int64) uint64 {
	var b [4]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return uint64(now)<<20 | uint64(binary.BigEndian.Uint32(b[:])>>12)
}
