package topology

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/allowance"
	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// Limits of questions. A relay waits with a request for orders nearly always,
// and answers at once.
const (
	answerTime   = 10 * time.Second
	maxPerTenant = 8
	maxPerSite   = 2
	// online is how lately a relay must have been heard for its answer to be waited
	// for: it asks for orders every 25 s, and at least every minute after errors.
	online = 2 * time.Minute
)

// kind of the questions that are asked.
const kind = "topology"

// Service is the feature. DB and Log are required.
type Service struct {
	DB  *store.DB
	Log *slog.Logger

	reading sync.Mutex // an answer

	mu      sync.Mutex
	waiting map[uuid.UUID]*waiter
	told    map[telling]time.Time
}

// waiter is one question that somebody waits for.
type waiter struct {
	tenant   tenancy.TenantID
	site     tenancy.SiteID
	answers  chan answer
	answered map[tenancy.RelayID]bool // guarded by Service.mu
}

type answer struct {
	relay    tenancy.RelayID
	topology uplink.Topology
	problem  string
}

// site is what must be known of a site to ask it.
type site struct {
	id        tenancy.SiteID
	name      string
	residency uplink.Residency
	relays    map[tenancy.RelayID]bool // that are to answer; false: silent
	seen      time.Time                // the newest sign of life of any
}

// Ask asks a site's relays how it is wired. Every question is audited.
func (s *Service) Ask(ctx context.Context, actor web.Actor, ref string) (uplink.Topology, error) {
	at, err := s.find(ctx, actor.Tenant, ref)
	switch {
	case err != nil:
		return uplink.Topology{}, err
	case !actor.MayAt(tenancy.AskSite, at.id) && at.residency != uplink.Replicate:
		return uplink.Topology{}, huma.Error403Forbidden("this site's topology stays in the site: asking for it needs the role operator")
	case len(at.relays) == 0:
		return uplink.Topology{}, huma.Error409Conflict("the site has no relay to ask")
	}
	id := uuid.New()
	w := &waiter{tenant: actor.Tenant, site: at.id, answers: make(chan answer, uplink.MaxRelays), answered: map[tenancy.RelayID]bool{}}
	if err := s.enter(id, w); err != nil {
		return uplink.Topology{}, err
	}
	defer s.leave(id)
	if err := s.put(ctx, actor, at.id, id); err != nil {
		return uplink.Topology{}, err
	}
	defer s.withdraw(context.WithoutCancel(ctx), actor.Tenant, id)
	return s.await(ctx, at, w)
}

func (s *Service) find(ctx context.Context, tenant tenancy.TenantID, ref string) (at site, err error) {
	at.relays = map[tenancy.RelayID]bool{}
	err = s.DB.Read(ctx, tenant, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT id, name, residency FROM assim.sites WHERE id::text = lower($1) OR name = $1 ORDER BY name = $1 LIMIT 1`, web.Text(ref)).
			Scan(&at.id, &at.name, &at.residency)
		if errors.Is(err, pgx.ErrNoRows) {
			return huma.Error404NotFound("no such site")
		}
		if err != nil {
			return fmt.Errorf("looking up a site: %w", err)
		}
		rows, err := tx.Query(ctx, `SELECT id, seen_at FROM assim.relays WHERE site = $1 AND revoked_at IS NULL`, at.id)
		if err != nil {
			return fmt.Errorf("listing a site's relays: %w", err)
		}
		var id tenancy.RelayID
		var seen *time.Time
		_, err = pgx.ForEachRow(rows, []any{&id, &seen}, func() error {
			at.relays[id] = seen != nil && time.Since(*seen) < online
			if seen != nil && seen.After(at.seen) {
				at.seen = seen.UTC()
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("listing a site's relays: %w", err)
		}
		return nil
	})
	return at, err
}

// enter lets a question wait, if not too many do.
func (s *Service) enter(id uuid.UUID, w *waiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ofTenant, ofSite := 0, 0
	for _, other := range s.waiting {
		if other.tenant == w.tenant {
			ofTenant++
			if other.site == w.site {
				ofSite++
			}
		}
	}
	if ofTenant >= maxPerTenant || ofSite >= maxPerSite {
		return huma.Error429TooManyRequests("this site is being asked already: try again in a moment")
	}
	if s.waiting == nil {
		s.waiting = map[uuid.UUID]*waiter{}
	}
	s.waiting[id] = w
	return nil
}

func (s *Service) leave(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// put writes the question down for all processes, and wakes those in which the
// site's relays wait for orders.
func (s *Service) put(ctx context.Context, actor web.Actor, site tenancy.SiteID, id uuid.UUID) error {
	return s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		// Those of a process that died.
		if _, err := tx.Exec(ctx, `DELETE FROM assim.questions WHERE asked_at < now() - interval '1 minute'`); err != nil {
			return fmt.Errorf("forgetting old questions: %w", err)
		}
		_, err := tx.Exec(ctx, `INSERT INTO assim.questions (tenant, id, site, kind, asked_at) VALUES ($1, $2, $3, $4, clock_timestamp())`, actor.Tenant, id, site, kind)
		if err != nil {
			return fmt.Errorf("asking a site: %w", err)
		}
		entry := audit.Entry{Actor: actor.Name(), Action: "site.ask", Object: site.String(), Detail: map[string]string{"question": kind}}
		if err := audit.Write(ctx, tx, actor.Tenant, entry); err != nil {
			return err
		}
		return allowance.Notify(ctx, tx, actor.Tenant)
	})
}

func (s *Service) withdraw(ctx context.Context, tenant tenancy.TenantID, id uuid.UUID) {
	err := s.DB.In(ctx, tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM assim.questions WHERE id = $1`, id)
		return err
	})
	if err != nil {
		s.Log.Error("withdrawing a question", "error", err) // it is dead in a minute all the same
	}
}

// await gathers the answers of all relays that were heard lately.
func (s *Service) await(ctx context.Context, at site, w *waiter) (uplink.Topology, error) {
	late := time.NewTimer(answerTime)
	defer late.Stop()
	var parts []uplink.Topology
	problem := ""
	open := map[tenancy.RelayID]bool{}
	for id, heard := range at.relays {
		if heard {
			open[id] = true
		}
	}
	if len(open) == 0 {
		return uplink.Topology{}, noAnswer(at)
	}
	for len(open) > 0 {
		select {
		case a := <-w.answers:
			delete(open, a.relay)
			if a.problem != "" {
				problem = a.problem
				if len(open) == 0 && len(parts) == 0 {
					return uplink.Topology{}, web.NewProblem(http.StatusBadGateway, web.Unavailable, "the site's relay could not answer: "+problem)
				}
				continue
			}
			parts = append(parts, a.topology)
		case <-late.C:
			if len(parts) > 0 {
				return merge(parts), nil
			}
			return uplink.Topology{}, noAnswer(at)
		case <-ctx.Done():
			return uplink.Topology{}, ctx.Err()
		}
	}
	return merge(parts), nil
}

func noAnswer(at site) error {
	return web.NewProblem(http.StatusGatewayTimeout, web.Unavailable, "the relay of "+at.name+" did not answer: "+at.silence(time.Now()))
}

func (at site) silence(now time.Time) string {
	switch {
	case at.seen.IsZero():
		return "it was never heard"
	case now.Sub(at.seen) < online:
		return "it was last heard " + at.seen.Format(time.RFC3339) + "; it may be older than this question"
	}
	return "silent since " + at.seen.Format(time.RFC3339)
}
