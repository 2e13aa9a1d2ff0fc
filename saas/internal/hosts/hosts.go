package hosts

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/saas/internal/web/ui"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
)

// Service is the feature. All fields are required.
type Service struct {
	DB  *store.DB
	Log *slog.Logger
	// Forget takes all facts of a host out of the estate, with history rows, and
	// closes its findings, in the tenant's writer transaction. The storage core
	// does it.
	Forget func(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, host tenancy.HostID, at time.Time) error
	// Rename gives a host a name, see Service.Rename; the storage core does it.
	Rename Renamer
	// Changes shows a host's history on its page.
	Changes ChangesView
	// Views are the choices of the list that people gave a name to.
	Views func(ctx context.Context, tx pgx.Tx, a web.Actor, at *url.URL) (templ.Component, error)
	// Happened are the events of a host before a time, newest first.
	Happened func(ctx context.Context, tx pgx.Tx, host tenancy.HostID, before time.Time, limit int) ([]ui.Moment, error)
}

// Renamer gives a host the name by which people know it; "" its own. It returns the
// name.
type Renamer func(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, host tenancy.HostID, name string) (string, error)

// Answers to names that lead nowhere.
var (
	errNoHost    = huma.Error404NotFound("there is no such host")
	errAmbiguous = web.NewProblem(http.StatusConflict, web.AmbiguousName, "several hosts have this name; use the id")
)

// find returns the host that a person names by id or by name. A retired host
// yields its name to one that is not.
func (s *Service) find(ctx context.Context, tx pgx.Tx, ref string) (Host, error) {
	found, err := hostsNamed(ctx, tx, ref)
	switch {
	case err != nil:
		return Host{}, err
	case len(found) == 0:
		return Host{}, errNoHost
	case len(found) > 1 && found[1].RetiredAt == nil:
		return Host{}, errAmbiguous
	}
	return found[0], nil
}

// FindID is the id of the one host that a person names.
func (s *Service) FindID(ctx context.Context, tx pgx.Tx, ref string) (tenancy.HostID, error) {
	host, err := s.find(ctx, tx, ref)
	return host.ID, err
}

// List returns a page of hosts.
func (s *Service) List(ctx context.Context, a web.Actor, f Filter) (hosts []Host, next string, err error) {
	err = s.DB.Read(ctx, a.Tenant, func(tx pgx.Tx) error {
		hosts, next, err = listHosts(ctx, tx, f)
		return err
	})
	return hosts, next, err
}

// Retire takes a host out of the estate: at once its facts go and its site's
// relays are ordered to refuse its key. Doing it again changes nothing.
func (s *Service) Retire(ctx context.Context, a web.Actor, ref string) (Host, error) {
	var host Host
	err := s.DB.In(ctx, a.Tenant, func(tx pgx.Tx) (err error) {
		if host, err = s.find(ctx, tx, ref); err != nil || host.RetiredAt != nil {
			return err
		}
		now := time.Now()
		if err := s.Forget(ctx, tx, a.Tenant, host.ID, now); err != nil {
			return err
		}
		if err := retire(ctx, tx, host, now); err != nil {
			return err
		}
		host.RetiredAt = &now
		if err := audit.Write(ctx, tx, a.Tenant, audit.Entry{
			Actor: a.Name(), Action: "host.retire", Object: host.ID.String(), Detail: map[string]string{"name": host.Name},
		}); err != nil {
			return err
		}
		return notify(ctx, tx, a.Tenant, web.Hosts, web.Facts, web.Sites)
	})
	if err == nil {
		s.Log.Info("host retired", "host", host.ID, "tenant", a.Tenant)
	}
	return host, err
}
