package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Relays send several batches at a time, and they may come in any order, also to
// several processes. One that comes early is held for earlyWait, in the hope
// that those before it come. How many are held is bounded; their bytes are by
// package relaychan, whose requests they are.
const (
	earlyWait     = 2 * time.Second
	earlyPerRelay = 3
	earlyInAll    = 256
	// earlyLook is how often the position is read: another process may have moved
	// it.
	earlyLook = 100 * time.Millisecond
)

// early counts the batches that are held.
type early struct {
	mu    sync.Mutex
	held  int
	moved map[tenancy.RelayID]*moved // of relays with batches that are held
}

type moved struct {
	held int
	c    chan struct{} // closed and replaced when the stream moves
}

func newEarly() *early { return &early{moved: map[tenancy.RelayID]*moved{}} }

// enter reports whether there is room for one more. The caller then calls leave.
func (e *early) enter(relay tenancy.RelayID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.moved[relay]
	if e.held >= earlyInAll || m != nil && m.held >= earlyPerRelay {
		return false
	}
	if m == nil {
		m = &moved{c: make(chan struct{})}
		e.moved[relay] = m
	}
	e.held, m.held = e.held+1, m.held+1
	return true
}

func (e *early) leave(relay tenancy.RelayID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.moved[relay]
	if e.held, m.held = e.held-1, m.held-1; m.held == 0 {
		delete(e.moved, relay)
	}
}

// wake tells those that are held that the stream of their relay moved.
func (e *early) wake(relay tenancy.RelayID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := e.moved[relay]; m != nil {
		close(m.c)
		m.c = make(chan struct{})
	}
}

func (e *early) channel(relay tenancy.RelayID) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.moved[relay].c
}

// isEarly reports whether a batch is of the stream that stands at a position, but
// not what comes next.
func isEarly(h uplink.Header, epoch, position uint64) bool {
	return epoch == h.Epoch && h.First > position+1
}

// await holds a batch until its turn has come, and reports false if that is too
// long, or if too many are held.
func (s *Service) await(ctx context.Context, from Source, h uplink.Header) bool {
	if !s.early.enter(from.Relay) {
		return false
	}
	defer s.early.leave(from.Relay)
	late := time.NewTimer(earlyWait)
	defer late.Stop()
	look := time.NewTicker(earlyLook)
	defer look.Stop()
	for {
		moved := s.early.channel(from.Relay)
		have, err := s.position(ctx, from)
		if err != nil {
			return false // the next attempt of the relay meets the same error, and tells it
		}
		if !isEarly(h, have.epoch, have.position) {
			return true
		}
		select {
		case <-moved:
		case <-look.C:
		case <-late.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (s *Service) position(ctx context.Context, from Source) (have position, err error) {
	err = s.db.Read(ctx, from.Tenant, func(tx pgx.Tx) (err error) {
		have, err = readPosition(ctx, tx, from, "")
		return err
	})
	return have, err
}
