package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the database driver "sqlite"

	"assimilation/discovery/residency"
)

// oldestSQLite is the first release without the WAL-reset corruption.
const oldestSQLite = "3.51.3"

const fileName = "relay.db"

// ErrLocked: another process uses the folder.
var ErrLocked = errors.New("another assim-relay uses this state directory")

// Store is safe for concurrent use.
type Store struct {
	log     *slog.Logger
	readers *sql.DB
	writer  *writer
	lock    *os.File
	packer  *zstd.Encoder
	opener  *zstd.Decoder
	backlog atomic.Int64 // bytes of records in the outbox
	budget  int64        // of backlog
	rules   *residency.Rules
	now     func() time.Time
}

// Options are what a caller may want to say, or to watch.
type Options struct {
	Log *slog.Logger
	// Budget is how many bytes of records wait for the service before they are
	// thinned; 0: DefaultBudget.
	Budget int64
	// Committed is called after every group commit, from the writer's goroutine.
	Committed func(took time.Duration, writes int)
	// Residency are the rules by which facts are held back while the tenant's
	// policy is uplink.SiteOnly; nil: everything leaves.
	Residency *residency.Rules
}

// Exists reports whether there is a store in folder dir.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fileName))
	return err == nil
}

// Open opens the store in folder dir, which it makes if need be, and starts its
// writer. Close ends it.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{log: o.Log, lock: lock, now: time.Now, budget: o.Budget, rules: o.Residency}
	if s.budget == 0 {
		s.budget = DefaultBudget
	}
	if err := s.open(ctx, filepath.Join(dir, fileName), o); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store in %s: %w", dir, err), s.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string, o Options) error {
	// SQLite gives -wal and -shm the rights of the database: keys are inside.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if s.packer, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20)); err != nil {
		return err
	}
	if s.opener, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)); err != nil {
		return err
	}
	writing, err := connect(path, "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(ON)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "cache_size(-32768)")
	if err != nil {
		return err
	}
	writing.SetMaxOpenConns(1)
	conn, err := writing.Conn(ctx)
	if err != nil {
		return errors.Join(err, writing.Close())
	}
	s.writer = newWriter(s, writing, conn, o.Committed)
	if err := checkVersion(ctx, conn); err != nil {
		return err
	}
	if err := migrate(ctx, conn); err != nil {
		return err
	}
	if s.readers, err = connect(path, "query_only(ON)", "cache_size(-8192)"); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(4)
	if err := s.writer.adoptHead(ctx); err != nil {
		return err
	}
	s.writer.opened = s.writer.head
	go s.writer.run()
	return s.Do(ctx, (*Tx).redecide)
}

// Close commits what was submitted and closes the files.
func (s *Store) Close() error {
	s.writer.stop()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.packer != nil {
		errs = append(errs, s.packer.Close())
	}
	if s.opener != nil {
		s.opener.Close()
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// BacklogBytes is how much the outbox holds.
func (s *Store) BacklogBytes() int64 { return s.backlog.Load() }

func connect(path string, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path) // a URL's first folder would be taken for a host
	if err != nil {
		return nil, fmt.Errorf("finding the store: %w", err)
	}
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String())
}

func lockFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the state directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), lock.Close())
	}
	return lock, nil
}

func checkVersion(ctx context.Context, conn *sql.Conn) error {
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if olderThan(version, oldestSQLite) {
		return fmt.Errorf("SQLite %s can corrupt this database; %s or newer is needed", version, oldestSQLite)
	}
	return nil
}

func olderThan(version, wanted string) bool {
	have, want := strings.Split(version, "."), strings.Split(wanted, ".")
	for i := range want {
		if i >= len(have) {
			return true
		}
		h, _ := strconv.Atoi(have[i]) // no number counts as 0: too old
		w, _ := strconv.Atoi(want[i])
		if h != w {
			return h < w
		}
	}
	return false
}

//go:embed schema.sql
var schema string

//go:embed schema_2.sql
var schema2 string

//go:embed schema_3.sql
var schema3 string

//go:embed schema_4.sql
var schema4 string

//go:embed schema_5.sql
var schema5 string

//go:embed schema_6.sql
var schema6 string

//go:embed schema_7.sql
var schema7 string

//go:embed schema_8.sql
var schema8 string

// steps lead from an empty database to the present schema. Only append.
func steps() []string {
	return []string{schema, schema2, schema3, schema4, schema5, schema6, schema7, schema8}
}

func migrate(ctx context.Context, conn *sql.Conn) error {
	var done int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&done); err != nil {
		return err
	}
	if done > len(steps()) {
		return fmt.Errorf("schema %d was made by a newer program; this one knows %d", done, len(steps()))
	}
	for i, step := range steps()[done:] {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", step, done+i+1)
		if _, err := conn.ExecContext(ctx, script); err != nil {
			_, rollback := conn.ExecContext(ctx, "ROLLBACK")
			return errors.Join(fmt.Errorf("schema step %d: %w", done+i+1, err), rollback)
		}
	}
	return nil
}
