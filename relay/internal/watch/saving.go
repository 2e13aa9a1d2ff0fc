package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/uplink"
)

// saveAgain is how long a verdict waits that could not be written.
const saveAgain = 5 * time.Second

type verdictID [16]byte

// saving hands writes to the store, in order; the watch's owner never waits for
// it.
type saving struct {
	store  *store.Store
	log    *slog.Logger
	mail   mailbox
	mu     sync.Mutex
	newest map[verdictID]*uplink.VerdictBody // of each that is not durable yet
}

// run ends with ctx, after what was concluded until then is handed on.
func (s *saving) run(ctx context.Context) {
	for {
		select {
		case <-s.mail.woken:
		case <-ctx.Done():
		}
		for _, do := range s.mail.open() {
			do(time.Now())
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (s *saving) submit(fn func(*store.Tx) error, done func(error)) {
	s.mail.post(func(time.Time) { s.store.Submit(fn, done) })
}

// save writes a verdict, until it is durable or there is a newer word about it,
// and then calls saved.
func (s *saving) save(v *uplink.VerdictBody, at time.Time, saved func()) {
	s.mu.Lock()
	s.newest[verdictID(v.ID)] = v
	s.mu.Unlock()
	s.write(v, at, saved)
}

func (s *saving) write(v *uplink.VerdictBody, at time.Time, saved func()) {
	s.submit(func(tx *store.Tx) error { return tx.SaveVerdict(*v, at.UnixMilli()) }, func(err error) {
		if err != nil {
			s.log.Error("writing a verdict", "kind", v.Kind, "error", err)
			time.AfterFunc(saveAgain, func() {
				if s.stands(v, false) {
					s.write(v, at, saved)
				}
			})
			return
		}
		s.stands(v, true)
		saved()
	})
}

// stands reports whether v is the newest word about its verdict that is not
// durable; then it forgets that, if it is now.
func (s *saving) stands(v *uplink.VerdictBody, durable bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := verdictID(v.ID)
	newest := s.newest[id] == v
	if newest && durable {
		delete(s.newest, id)
	}
	return newest
}
