// Package tenantexport hands a tenant all that it has, in an open form: every
// table, the history, the graph; of one moment; without secrets. What is handed
// out is a list (tables.go), and a test fails where the database has a column
// that is neither on it nor left out for a reason.
package tenantexport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
	"assimilation/internal/exportfile"
	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// atOnce is how many exports a process makes at a time: each holds a connection
// of every pool, and keeps the database from tidying up.
const atOnce = 2

// rowsAtOnce is how many rows are fetched at a time; bodies of facts have up to
// discovery.MaxBody each.
const (
	rowsAtOnce   = 2000
	bodiesAtOnce = 16
)

// Service is the feature. Make it with New.
type Service struct {
	db      *store.DB
	log     *slog.Logger
	version string

	mu     sync.Mutex
	making map[tenancy.TenantID]bool
}

// New makes the service; version is the program's.
func New(db *store.DB, log *slog.Logger, version string) *Service {
	return &Service{db: db, log: log, version: version, making: map[tenancy.TenantID]bool{}}
}

// enter takes one of the places, of which a tenant has one; leave gives it back.
func (s *Service) enter(tenant tenancy.TenantID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.making[tenant]:
		return errAnother
	case len(s.making) == atOnce:
		return errBusy
	}
	s.making[tenant] = true
	return nil
}

func (s *Service) leave(tenant tenancy.TenantID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.making, tenant)
}

// note says in the audit log who took everything along, before they do.
func (s *Service) note(ctx context.Context, by web.Actor) error {
	return s.db.In(ctx, by.Tenant, func(tx pgx.Tx) error {
		return audit.Write(ctx, tx, by.Tenant, audit.Entry{Actor: by.Name(), User: by.User, Address: by.Address, Action: "tenant.export", Object: by.Tenant.String()})
	})
}

// write makes the export of the actor's tenant. moved is called whenever
// something was written, so that a slow line is told from one that is dead.
func (s *Service) write(ctx context.Context, by web.Actor, to io.Writer, moved func()) error {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(discovery.MaxBody))
	if err != nil {
		return fmt.Errorf("making a decompressor: %w", err)
	}
	defer unpack.Close()
	return s.db.Snapshot(ctx, by.Tenant, func(own, people pgx.Tx) error {
		about := exportfile.About{Tenant: by.Tenant.String(), By: "assim-saas " + s.version}
		var taken time.Time
		if err := own.QueryRow(ctx, `SELECT name, now() FROM assim.tenants`).Scan(&about.Name, &taken); err != nil {
			return fmt.Errorf("reading the tenant: %w", err)
		}
		about.TakenAt = taken.UTC()
		file, err := exportfile.NewWriter(to, about)
		if err != nil {
			return err
		}
		defer file.Abandon()
		begun := ""
		for _, q := range questions(by.Tenant) {
			if q.table != begun {
				if err := file.Table(q.table); err != nil {
					return fmt.Errorf("sending the export: %w", err)
				}
				begun = q.table
			}
			tx := own
			if q.people {
				tx = people
			}
			if err := each(ctx, tx, q, unpack, func(line []byte) error { return file.Row(line) }, moved); err != nil {
				return fmt.Errorf("exporting %s: %w", q.table, err)
			}
		}
		return file.Close()
	})
}

// each calls line with every row of a question, some of which are held at a time.
func each(ctx context.Context, tx pgx.Tx, q question, unpack *zstd.Decoder, line func([]byte) error, moved func()) error {
	outer, step := `SELECT row_to_json(r)::text, NULL::bytea FROM (`+q.sql+`) r`, rowsAtOnce
	if q.bodies {
		outer, step = `SELECT (to_jsonb(r) - 'body')::text, body FROM (`+q.sql+`) r`, bodiesAtOnce
	}
	if _, err := tx.Exec(ctx, `DECLARE export NO SCROLL CURSOR FOR `+outer); err != nil {
		return err
	}
	for {
		rows, err := tx.Query(ctx, fmt.Sprintf(`FETCH FORWARD %d FROM export`, step))
		if err != nil {
			return err
		}
		fetched := 0
		for rows.Next() {
			var text, body []byte
			if err := rows.Scan(&text, &body); err != nil {
				return err
			}
			if q.bodies {
				if text, err = withBody(text, body, unpack); err != nil {
					return err
				}
			}
			if err := line(text); err != nil {
				return err
			}
			fetched++
		}
		if err := rows.Err(); err != nil {
			return err
		}
		moved()
		if fetched < step {
			_, err := tx.Exec(ctx, `CLOSE export`)
			return err
		}
	}
}

// withBody adds a fact's content to its row.
func withBody(row, packed []byte, unpack *zstd.Decoder) ([]byte, error) {
	body, err := unpack.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("a fact's body is damaged: %w", err)
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(row, &whole); err != nil {
		return nil, err
	}
	whole["body"] = body
	return json.Marshal(whole)
}
