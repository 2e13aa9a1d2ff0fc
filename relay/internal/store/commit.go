package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A group is committed when it has maxGroup writes, or when gather has passed
// since its first one and no more are waiting.
const (
	maxGroup  = 512
	maxQueued = 2048
	gather    = 2 * time.Millisecond
)

// ErrClosed is the error of a write after Close.
var ErrClosed = errors.New("the store is closed")

type write struct {
	fn   func(*Tx) error
	done func(error)
	here bool // done need not wait for a second copy
}

// Copier makes second copies of what a commit has appended.
type Copier interface {
	// Committed is called after every commit, in order and from the writer's
	// goroutine, with where the stream stands. It must not block, and calls done,
	// once and from any goroutine, when what was appended up to there is on another
	// disk too, or when nobody will wait for that.
	Committed(head Head, done func())
}

type writer struct {
	store     *Store
	db        *sql.DB
	conn      *sql.Conn
	queries   map[string]*sql.Stmt
	committed func(time.Duration, int)
	head      Head
	opened    Head  // as it was when the store was opened
	thinned   int64 // bytes that the outbox held after it was last thinned

	copier atomic.Pointer[Copier]

	mu       sync.RWMutex // guards closed against a send on queue
	closed   bool
	queue    chan write
	ended    chan struct{}
	appended chan struct{}
	last     Head // head as others may read it, guarded by headMu
	headMu   sync.Mutex
}

func newWriter(s *Store, db *sql.DB, conn *sql.Conn, committed func(time.Duration, int)) *writer {
	if committed == nil {
		committed = func(time.Duration, int) {}
	}
	return &writer{
		store: s, db: db, conn: conn, queries: map[string]*sql.Stmt{}, committed: committed,
		queue: make(chan write, maxQueued), ended: make(chan struct{}), appended: make(chan struct{}, 1),
	}
}

// CopyTo makes done of Submit wait for second copies.
func (s *Store) CopyTo(c Copier) { s.writer.copier.Store(&c) }

// Submit queues fn for the next group commit, and blocks only while the queue
// is full. done is called once: with nil when fn's writes are durable, here and
// where there is a Copier also there, with the error when none of them happened.
// It must not block. fn returns an error only if it could not write: whatever it decides
// otherwise it reports through its own variables, and it may run twice.
func (s *Store) Submit(fn func(*Tx) error, done func(error)) { s.submit(write{fn, done, false}) }

func (s *Store) submit(next write) {
	w := s.writer
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		next.done(ErrClosed)
		return
	}
	w.queue <- next
}

// Do waits until fn's writes are durable here; nobody outside may be told of
// them as acknowledged. When ctx ends first, whether fn will have happened is
// unknown.
func (s *Store) Do(ctx context.Context, fn func(*Tx) error) error {
	result := make(chan error, 1)
	s.submit(write{fn, func(err error) { result <- err }, true})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) run() {
	defer close(w.ended)
	group := make([]write, 0, maxGroup)
	for first := range w.queue {
		group = w.fill(append(group[:0], first))
		w.commit(group)
		clear(group)
	}
}

// fill adds what is waiting, and what comes within gather.
func (w *writer) fill(group []write) []write {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	for len(group) < maxGroup {
		select {
		case next, open := <-w.queue:
			if !open {
				return group
			}
			group = append(group, next)
		case <-timer.C:
			return group
		}
	}
	return group
}

func (w *writer) commit(group []write) {
	started := time.Now()
	err := w.transact(group)
	w.committed(time.Since(started), len(group))
	if err != nil && len(group) > 1 {
		for i := range group {
			w.tell(group[i:i+1], w.transact(group[i:i+1]))
		}
		return
	}
	w.tell(group, err)
}

// tell calls everybody's done: those that want a second copy when there is one.
func (w *writer) tell(group []write, err error) {
	var later []func(error)
	copier := w.copier.Load()
	for _, write := range group {
		if err == nil && copier != nil && !write.here {
			later = append(later, write.done)
		} else {
			write.done(err)
		}
	}
	if err == nil && copier != nil {
		(*copier).Committed(w.head, func() {
			for _, done := range later {
				done(nil)
			}
		})
	}
}

// transact runs the writes in one transaction.
func (w *writer) transact(group []write) (err error) {
	ctx := context.Background() // a commit is never abandoned half-way
	tx := &Tx{writer: w, head: w.head}
	if err := tx.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() {
		if err != nil {
			if _, rollback := w.conn.ExecContext(ctx, "ROLLBACK"); rollback != nil {
				err = errors.Join(err, rollback)
			}
		}
	}()
	for _, write := range group {
		if err := write.fn(tx); err != nil {
			return err
		}
	}
	if err := tx.keepBudget(); err != nil {
		return err
	}
	if err := tx.saveHead(); err != nil {
		return err
	}
	if err := tx.exec("COMMIT"); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	w.publish(tx.head, tx.grown)
	return nil
}

// publish adopts what a commit has made durable.
func (w *writer) publish(head Head, grown int64) {
	grew := head.Epoch != w.head.Epoch || head.Last > w.head.Last || head.Retelling && !w.head.Retelling
	w.head = head
	w.headMu.Lock()
	w.last = head
	w.headMu.Unlock()
	w.store.backlog.Add(grown)
	if grew {
		select {
		case w.appended <- struct{}{}:
		default:
		}
	}
}

func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *writer) close() error {
	var errs []error
	for _, stmt := range w.queries {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, w.conn.Close(), w.db.Close())...)
}

// Tx is the transaction that a group shares. It is valid inside fn only.
type Tx struct {
	writer *writer
	head   Head
	moved  bool  // head differs from the row on disk
	grown  int64 // bytes added to the outbox
}

// prepared keeps one statement per text: the texts are constants of this
// package, so the map stays small.
func (tx *Tx) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := tx.writer.queries[query]; ok {
		return stmt, nil
	}
	stmt, err := tx.writer.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	tx.writer.queries[query] = stmt
	return stmt, nil
}

func (tx *Tx) exec(query string, args ...any) error {
	stmt, err := tx.prepared(query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background(), args...)
	return err
}

func (tx *Tx) changed(query string, args ...any) (int64, error) {
	stmt, err := tx.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row scans the first row into dest; found is false when there is none.
func (tx *Tx) row(query string, args []any, dest ...any) (found bool, err error) {
	stmt, err := tx.prepared(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(context.Background(), args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// each calls scan for every row. scan must not use tx.
func (tx *Tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	stmt, err := tx.prepared(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
