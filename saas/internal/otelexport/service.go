package otelexport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	otellog "go.opentelemetry.io/otel/log"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/quota"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

// Config is what the feature needs. All fields but Private are required.
type Config struct {
	DB      *store.DB
	Master  *keys.Master
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// Private lets tenants name collectors at any address, also without TLS.
	Private bool
	// Summary says an event in words, Say the changes of facts.
	Summary func(kind string, detail json.RawMessage) string
	Say     func(ctx context.Context, tx pgx.Tx, kinds []string, hashes, previous [][]byte) ([]string, error)
	// Units lists services and their states, at most so many.
	Units func(ctx context.Context, tenant tenancy.TenantID, most int) ([]Unit, error)
}

// Service is the feature. Make it with New; Run must run.
type Service struct {
	Config
	records *prometheus.CounterVec
}

// New makes the feature.
func New(c Config) *Service {
	s := &Service{c, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assim_export_records_total", Help: "Records for tenants' collectors, by what became of them."}, []string{"signal", "fate"})}
	c.Metrics.MustRegister(s.records)
	return s
}

func (s *Service) count(signal Signal, records int64, f fate) {
	if f.again {
		s.records.WithLabelValues(string(signal), "tried").Add(float64(records))
		return
	}
	s.records.WithLabelValues(string(signal), "refused").Add(float64(f.refused))
	s.records.WithLabelValues(string(signal), "taken").Add(float64(max(records-f.refused, 0)))
}

var errNoExporter = huma.Error404NotFound("there is no such exporter")

func (s *Service) list(ctx context.Context, a web.Actor) (all []view, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		exporters, err := exportersOf(ctx, tx)
		if err != nil {
			return err
		}
		for _, e := range exporters {
			n, err := waiting(ctx, tx, e)
			if err != nil {
				return err
			}
			all = append(all, viewOf(e, n))
		}
		return nil
	})
	return all, err
}

func (s *Service) find(ctx context.Context, a web.Actor, ref string) (e Exporter, err error) {
	id, err := tenancy.ParseID[tenancy.ExporterID](ref)
	if err != nil {
		return e, errNoExporter
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		e, err = exporterOf(ctx, tx, id)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return e, errNoExporter
	}
	return e, err
}

func (s *Service) get(ctx context.Context, a web.Actor, ref string) (v view, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return v, err
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		n, err := waiting(ctx, tx, e)
		v = viewOf(e, n)
		return err
	})
	return v, err
}

// add makes an exporter, which sends what happens from now on.
func (s *Service) add(ctx context.Context, a web.Actor, in Settings) (v view, err error) {
	e, sec, err := in.check(s.Private)
	if err == nil {
		_, err = secure(e, sec)
	}
	if err != nil {
		return v, huma.Error422UnprocessableEntity(err.Error())
	}
	e.ID = tenancy.NewID[tenancy.ExporterID]()
	now := time.Now()
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if err := quota.Room(ctx, tx, a.Tenant, quota.Exporters); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT coalesce((SELECT max(id) FROM assim.events), 0), coalesce((SELECT at FROM assim.writers), now())`).Scan(&e.EventID, &e.Changed.At); err != nil {
			return err
		}
		e.Changed.At = e.Changed.At.Add(time.Microsecond) // after all of that time
		_, err := tx.Exec(ctx, `INSERT INTO assim.exporters (tenant, id, name, protocol, endpoint, compression, signals, headers, ca, certificate, secret, created_at, event_id, changed, sampled_at, next_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'epoch', $12)`,
			a.Tenant, e.ID, e.Name, e.Protocol, e.Endpoint, e.Compression, e.Signals, e.Headers, e.CA, e.Certificate, s.wrap(a.Tenant, e.ID, sec), now, e.EventID, e.Changed)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "exporter.create", Object: e.ID.String(), After: e.words()})
	})
	if err != nil {
		return v, nameTaken(err)
	}
	return s.get(ctx, a, e.ID.String())
}

// set changes an exporter, which goes on where it was.
func (s *Service) set(ctx context.Context, a web.Actor, ref string, in Settings) error {
	before, err := s.find(ctx, a, ref)
	if err != nil {
		return err
	}
	e, sec, err := in.check(s.Private)
	if err != nil {
		return huma.Error422UnprocessableEntity(err.Error())
	}
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		var wrapped []byte
		if err := tx.QueryRow(ctx, `SELECT secret FROM assim.exporters WHERE id = $1 FOR UPDATE`, before.ID).Scan(&wrapped); err != nil {
			return err
		}
		had, err := s.unwrap(a.Tenant, before.ID, wrapped)
		if err != nil {
			return err
		}
		// Who may change the endpoint must not so learn what opened the old one.
		moved := before.Endpoint != e.Endpoint || before.Protocol != e.Protocol || before.CA != e.CA
		if in.Headers == nil {
			if moved && len(before.Headers) > 0 {
				return huma.Error422UnprocessableEntity("headers: say them again for another endpoint, or {} for none")
			}
			sec.Headers, e.Headers = had.Headers, before.Headers
		}
		if e.Certificate != "" && sec.Key == "" && e.Certificate == before.Certificate && !moved {
			sec.Key = had.Key
		}
		if _, err := secure(e, sec); err != nil {
			return huma.Error422UnprocessableEntity(err.Error())
		}
		if _, err := tx.Exec(ctx, `UPDATE assim.exporters SET name = $2, protocol = $3, endpoint = $4, compression = $5, signals = $6, headers = $7, ca = $8, certificate = $9, secret = $10,
			tries = 0, problem = '', next_at = now() WHERE id = $1`,
			before.ID, e.Name, e.Protocol, e.Endpoint, e.Compression, e.Signals, e.Headers, e.CA, e.Certificate, s.wrap(a.Tenant, before.ID, sec)); err != nil {
			return err
		}
		// What begins to be sent begins with now.
		if e.sends(Events) && !before.sends(Events) {
			if _, err := tx.Exec(ctx, `UPDATE assim.exporters SET event_id = coalesce((SELECT max(id) FROM assim.events), 0) WHERE id = $1`, before.ID); err != nil {
				return err
			}
		}
		if e.sends(Changes) && !before.sends(Changes) {
			if _, err := tx.Exec(ctx, `UPDATE assim.exporters SET changed = $2 WHERE id = $1`, before.ID, place{At: time.Now()}); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "exporter.change", Object: before.ID.String(), Before: before.words(), After: e.words()})
	})
	return nameTaken(err)
}

func (s *Service) remove(ctx context.Context, a web.Actor, ref string) error {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return err
	}
	return s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM assim.exporters WHERE id = $1`, e.ID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "exporter.remove", Object: e.ID.String(), Before: e.words()})
	})
}

// test sends one record now, past what waits, and says what the collector did.
func (s *Service) test(ctx context.Context, a web.Actor, ref string) (problem string, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return "", err
	}
	var wrapped []byte
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT secret FROM assim.exporters WHERE id = $1`, e.ID).Scan(&wrapped)
	})
	if err != nil {
		return "", err
	}
	sec, err := s.unwrap(a.Tenant, e.ID, wrapped)
	if err != nil {
		return "", err
	}
	c, err := dial(ctx, e, sec, s.Private)
	if err != nil {
		return problemText(err), nil
	}
	defer c.close(ctx)
	now := time.Now()
	f := c.sendLogs(ctx, recordsOf(ctx, a.Tenant, []said{{
		at: now, seenAt: now, name: scope + ".test", severity: otellog.SeverityInfo, text: "a test of the exporter " + e.Name + ", by " + a.Name(),
	}}))
	return f.reason, nil
}

func (s *Service) undelivered(ctx context.Context, a web.Actor, ref string) (all []undelivered, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		all, err = undeliveredOf(ctx, tx, e.ID)
		return err
	})
	return all, err
}

func (s *Service) wrap(tenant tenancy.TenantID, id tenancy.ExporterID, sec secret) []byte {
	text, err := json.Marshal(sec)
	if err != nil {
		panic(err) // strings only
	}
	return s.Master.Wrap(keys.OfExporter(tenant, id), text)
}

func (s *Service) unwrap(tenant tenancy.TenantID, id tenancy.ExporterID, wrapped []byte) (sec secret, err error) {
	text, err := s.Master.Unwrap(keys.OfExporter(tenant, id), wrapped)
	if err != nil {
		return sec, err
	}
	if err := json.Unmarshal(text, &sec); err != nil {
		return sec, fmt.Errorf("reading the secret of exporter %s: %w", id, err)
	}
	return sec, nil
}

// words are for the audit log: no header's value, no key.
func (e Exporter) words() map[string]string {
	var signals []string
	for _, s := range e.Signals {
		signals = append(signals, string(s))
	}
	return map[string]string{
		"name": e.Name, "endpoint": e.Endpoint, "protocol": e.Protocol, "compression": e.Compression, "signals": strings.Join(signals, " "),
		"headers": strings.Join(e.Headers, " "),
	}
}

func nameTaken(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
		return huma.Error409Conflict("another exporter has this name")
	}
	return err
}
