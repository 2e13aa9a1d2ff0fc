// Package deletion ends tenants. An owner asks for it, twice; then there is a
// time of grace in which any owner can take it back and every page says so; then
// Run takes the tenant out of the database with all that it has.
//
//	asked, due in some days --taken back--> as before
//	     | due
//	     v
//	begun: nobody gets in any more; store.Drop, again after whatever stopped it
//	     v
//	gone, but for a random id and a day
package deletion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/mail"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Config is what the feature is made of. All fields are required.
type Config struct {
	DB    *store.DB
	Post  *mail.Post
	URL   *url.URL // how people reach the service, for letters
	Log   *slog.Logger
	Grace time.Duration // between the asking and the end
}

// Service is the feature. Make it with New; Run must run.
type Service struct {
	Config
	woken chan struct{}
}

// New makes the service.
func New(c Config) *Service { return &Service{c, make(chan struct{}, 1)} }

// request is what an owner says to have the tenant deleted.
type request struct {
	name    string // of the tenant, as typed
	confirm bool   // asked again, and meant
	now     bool   // without grace
}

// pending is a deletion that was asked for.
type pending struct {
	AskedAt time.Time
	AskedBy string
	DueAt   time.Time
	BegunAt *time.Time
}

var errNone = huma.Error404NotFound("nobody has asked to delete this tenant")

// ask has the tenant deleted.
func (s *Service) ask(ctx context.Context, by web.Actor, r request) (pending, error) {
	switch {
	case r.name != by.TenantName:
		return pending{}, huma.Error422UnprocessableEntity("this is not the tenant's name: nothing was done")
	case !r.confirm:
		return pending{}, huma.Error422UnprocessableEntity("the deletion was not confirmed: nothing was done")
	}
	now := time.Now().UTC()
	p := pending{AskedAt: now, AskedBy: by.Name(), DueAt: now.Add(s.Grace)}
	if r.now {
		p.DueAt = now
	}
	// Said first: when the end is due at once, nobody gets in to say it.
	err := s.audit(ctx, by, audit.Entry{Action: "tenant.delete", Object: by.Tenant.String(), After: map[string]string{"due": p.DueAt.Format(time.RFC3339)}})
	if err != nil {
		return pending{}, err
	}
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO assim.deletions AS d (tenant, asked_at, asked_by, due_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant) DO UPDATE SET asked_at = $2, asked_by = $3, due_at = $4 WHERE d.begun_at IS NULL AND d.due_at > $4`,
			by.Tenant, p.AskedAt, p.AskedBy, p.DueAt)
		if err == nil && tag.RowsAffected() == 0 {
			err = huma.Error409Conflict("the tenant is to be deleted already, and no later than that")
		}
		return err
	})
	if err != nil {
		return pending{}, err
	}
	when := "on " + p.DueAt.Format("2 January 2006, 15:04 UTC") + ". Until then every owner can take it back: " + s.URL.JoinPath("/tenant").String()
	if r.now {
		when = "now. It cannot be taken back."
		select {
		case s.woken <- struct{}{}:
		default: // it is awake
		}
	}
	s.tell(ctx, by.Tenant, "A tenant is to be deleted", by.Name()+" asked to delete the tenant "+by.TenantName+" with all that it holds, "+when+"\n")
	return p, nil
}

// keep takes back what was asked for.
func (s *Service) keep(ctx context.Context, by web.Actor) error {
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM assim.deletions WHERE tenant = $1 AND begun_at IS NULL`, by.Tenant)
		if err == nil && tag.RowsAffected() == 0 {
			err = errNone
		}
		return err
	})
	if err != nil {
		return err
	}
	s.tell(ctx, by.Tenant, "A tenant stays", by.Name()+" took back the deletion of the tenant "+by.TenantName+".\n")
	return s.audit(ctx, by, audit.Entry{Action: "tenant.keep", Object: by.Tenant.String()})
}

// find reads what was asked for; errNone when nothing was.
func (s *Service) find(ctx context.Context, tenant tenancy.TenantID) (p pending, err error) {
	err = s.DB.Global(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT asked_at, asked_by, due_at, begun_at FROM assim.deletions WHERE tenant = $1`, tenant).
			Scan(&p.AskedAt, &p.AskedBy, &p.DueAt, &p.BegunAt)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return p, errNone
	}
	return p, err
}

// tell writes to the tenant's owners. Who cannot be written to sees it on every
// page, so that is no reason to refuse.
func (s *Service) tell(ctx context.Context, tenant tenancy.TenantID, subject, text string) {
	var owners []string
	err := s.DB.Global(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT u.email FROM assim.members m JOIN assim.users u ON u.id = m.user_id WHERE m.tenant = $1 AND m.role = 'owner'`, tenant)
		if err == nil {
			owners, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		s.Log.Error("looking up the owners of a tenant", "tenant", tenant, "error", err)
	}
	for _, address := range owners {
		s.Post.Put(mail.Letter{To: address, Subject: subject, Text: text})
	}
}

func (s *Service) audit(ctx context.Context, by web.Actor, e audit.Entry) error {
	e.Actor, e.User, e.Address = by.Name(), by.User, by.Address
	err := s.DB.In(ctx, by.Tenant, func(tx pgx.Tx) error { return audit.Write(ctx, tx, by.Tenant, e) })
	if errors.Is(err, store.ErrUnknownTenant) {
		return huma.NewError(http.StatusConflict, "the tenant is being deleted")
	}
	if err != nil {
		return fmt.Errorf("noting who asked to delete a tenant: %w", err)
	}
	return nil
}
