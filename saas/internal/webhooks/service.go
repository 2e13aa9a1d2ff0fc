package webhooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/outbound"
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
	// Private lets tenants name any address, also without TLS.
	Private bool
	// Happened reads events that were written after this one, in that order, at most
	// so many.
	Happened func(ctx context.Context, tx pgx.Tx, after int64, limit int) ([]Event, error)
}

// Service is the feature. Make it with New; Run must run.
type Service struct {
	Config
	client *http.Client
	tries  *prometheus.CounterVec
}

// New makes the feature.
func New(c Config) *Service {
	s := &Service{c, outbound.Sender(c.Private, nil),
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assim_webhook_tries_total", Help: "Calls of tenants' webhooks, by what became of them."}, []string{"fate"})}
	c.Metrics.MustRegister(s.tries)
	return s
}

// now has the precision of the database, so that leases can be compared.
func (s *Service) now() time.Time { return time.Now().Truncate(time.Microsecond) }

func (s *Service) count(t Try) {
	fate := "refused"
	switch {
	case t.taken():
		fate = "taken"
	case t.Status == 0:
		fate = "unanswered"
	}
	s.tries.WithLabelValues(fate).Inc()
}

var errNoWebhook = huma.Error404NotFound("there is no such webhook")

func (s *Service) find(ctx context.Context, a web.Actor, ref string) (e Endpoint, err error) {
	id, err := tenancy.ParseID[tenancy.WebhookID](ref)
	if err != nil {
		return e, errNoWebhook
	}
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		e, err = endpointOf(ctx, tx, id)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return e, errNoWebhook
	}
	return e, err
}

// add makes an endpoint, which is called for what happens from now on. The secret
// is shown this once.
func (s *Service) add(ctx context.Context, a web.Actor, in WebhookSettings) (e Endpoint, secret string, err error) {
	e, err = in.check(s.Private)
	if err != nil {
		return e, "", huma.Error422UnprocessableEntity(err.Error())
	}
	e.ID, e.CreatedAt = tenancy.NewID[tenancy.WebhookID](), s.now()
	raw := newSecret()
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if err := quota.Room(ctx, tx, a.Tenant, quota.Webhooks); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO assim.webhooks (tenant, id, name, url, types, site, state, secret, created_at, event_id, next_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce((SELECT max(id) FROM assim.events), 0), $9)`,
			a.Tenant, e.ID, e.Name, e.URL, e.Types, e.Site, e.State, s.Master.Wrap(keys.OfWebhook(a.Tenant, e.ID), raw), e.CreatedAt)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "webhook.create", Object: e.ID.String(), After: e.words()})
	})
	return e, shown(raw), refused(err)
}

// set changes an endpoint, which goes on where it was; one that was turned off is
// tried again at once.
func (s *Service) set(ctx context.Context, a web.Actor, ref string, in WebhookSettings) error {
	before, err := s.find(ctx, a, ref)
	if err != nil {
		return err
	}
	e, err := in.check(s.Private)
	if err != nil {
		return huma.Error422UnprocessableEntity(err.Error())
	}
	return refused(s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE assim.webhooks SET name = $2, url = $3, types = $4, site = $5, state = $6, failures = 0, failing_since = NULL, problem = '', next_at = $7 WHERE id = $1`,
			before.ID, e.Name, e.URL, e.Types, e.Site, e.State, s.now()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "webhook.change", Object: before.ID.String(), Before: before.words(), After: e.words()})
	}))
}

func (s *Service) remove(ctx context.Context, a web.Actor, ref string) error {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return err
	}
	return s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM assim.webhooks WHERE id = $1`, e.ID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "webhook.remove", Object: e.ID.String(), Before: e.words()})
	})
}

// overlap is how long the secret that was signs along with a new one.
const overlap = 24 * time.Hour

// rotate gives an endpoint another secret, which is shown this once.
func (s *Service) rotate(ctx context.Context, a web.Actor, ref string) (secret string, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return "", err
	}
	raw := newSecret()
	return shown(raw), s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE assim.webhooks SET previous_secret = secret, previous_until = $2, secret = $3 WHERE id = $1`,
			e.ID, s.now().Add(overlap), s.Master.Wrap(keys.OfWebhook(a.Tenant, e.ID), raw)); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a.Tenant, audit.Entry{Actor: a.Name(), Action: "webhook.rotate", Object: e.ID.String(), Detail: map[string]string{"name": e.Name}})
	})
}

// test calls an endpoint now, past what waits, and whether it is on or not.
func (s *Service) test(ctx context.Context, a web.Actor, ref string) (t Try, err error) {
	e, err := s.find(ctx, a, ref)
	if err != nil {
		return t, err
	}
	h := held{Endpoint: e, secrets: make([][]byte, 2)}
	now := s.now()
	err = s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT secret, CASE WHEN previous_until > $2 THEN previous_secret END FROM assim.webhooks WHERE id = $1`, e.ID, now).Scan(&h.secrets[0], &h.secrets[1])
	})
	if err != nil {
		return t, err
	}
	if h.secrets[1] == nil {
		h.secrets = h.secrets[:1]
	}
	secrets, err := s.unwrap(a.Tenant, h)
	if err != nil {
		return t, err
	}
	body, err := bodyOf("webhook.test", now, []byte(`{"summary":"a test"}`))
	if err != nil {
		return t, err
	}
	return s.call(ctx, e.URL, message{ID: "msg_test_" + uuid.NewString(), Body: body}, secrets), nil
}

func (s *Service) unwrap(tenant tenancy.TenantID, h held) (secrets [][]byte, err error) {
	for _, wrapped := range h.secrets {
		secret, err := s.Master.Unwrap(keys.OfWebhook(tenant, h.ID), wrapped)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// refused tells what the database does not take as people understand it.
func refused(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "23505": // unique_violation
			return huma.Error409Conflict("another webhook has this name")
		case "23503": // foreign_key_violation
			return huma.Error422UnprocessableEntity("site_id: there is no such site")
		}
	}
	return err
}
