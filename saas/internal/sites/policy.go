package sites

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/relaychan"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Policy is what the tenant wants of a site's relays.
type Policy struct {
	Residency uplink.Residency  `json:"residency" enum:"site,replicate" doc:"site: which switch, port and place hosts stand at stays in the relay; replicate: it is stored here too"`
	BeatMS    int64             `json:"beat_ms" doc:"between two heartbeats of neighbours"`
	Places    map[string]string `json:"places" nullable:"false" doc:"zones by a host's label name=value, or by the chassis of its switch"`
}

// PolicyChange holds what is to change; nil stays.
type PolicyChange struct {
	Residency *uplink.Residency
	BeatMS    *int64
	Places    map[string]string
}

func (c PolicyChange) check() error {
	switch {
	case c.Residency != nil && *c.Residency != uplink.SiteOnly && *c.Residency != uplink.Replicate:
		return huma.Error422UnprocessableEntity("residency is site or replicate")
	case c.BeatMS != nil && (*c.BeatMS < wire.MinBeat.Milliseconds() || *c.BeatMS > wire.MaxBeat.Milliseconds()):
		return huma.Error422UnprocessableEntity(fmt.Sprintf("heartbeats come every %d to %d ms", wire.MinBeat.Milliseconds(), wire.MaxBeat.Milliseconds()))
	case len(c.Places) > uplink.MaxPlaces:
		return huma.Error422UnprocessableEntity(fmt.Sprintf("at most %d places", uplink.MaxPlaces))
	}
	for name, place := range c.Places {
		if name == "" || place == "" || !plain(name) || !plain(place) {
			return huma.Error422UnprocessableEntity(fmt.Sprintf("a place and its name have 1 to %d bytes without control characters", uplink.MaxName))
		}
	}
	return nil
}

func plain(s string) bool {
	return len(s) <= uplink.MaxName && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// SetPolicy changes a site's policy. From 'replicate' back to 'site', what was
// stored of the site's topology is forgotten at once.
func (s *Service) SetPolicy(ctx context.Context, actor web.Actor, ref string, c PolicyChange) (site Site, err error) {
	if err := c.check(); err != nil {
		return Site{}, err
	}
	err = s.DB.In(ctx, actor.Tenant, func(tx pgx.Tx) error {
		if site, err = find(ctx, tx, ref); err != nil {
			return err
		}
		// Before the row is locked: whoever takes in facts has the tenant's lock first.
		if c.applied(site.Policy).Residency == uplink.SiteOnly && site.Policy.Residency == uplink.Replicate {
			if err := s.ForgetTopology(ctx, tx, actor.Tenant, site.ID); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `SELECT FROM assim.sites WHERE id = $1 FOR NO KEY UPDATE`, site.ID); err != nil {
			return fmt.Errorf("locking a site: %w", err)
		}
		seen := site.Policy.Residency
		if site, err = find(ctx, tx, site.ID.String()); err != nil {
			return err
		}
		if site.Policy.Residency != seen {
			return huma.Error409Conflict("somebody else has just changed this site's policy")
		}
		before := site.Policy
		after := c.applied(before)
		if before.Residency == after.Residency && before.BeatMS == after.BeatMS && maps.Equal(before.Places, after.Places) {
			return nil
		}
		site.Policy = after
		decided := before.Residency != after.Residency
		_, err := tx.Exec(ctx, `
			UPDATE assim.sites SET residency = $2, beat_ms = $3, places = $4, decided_at = CASE WHEN $5 THEN clock_timestamp() ELSE decided_at END
			WHERE id = $1`, site.ID, after.Residency, after.BeatMS, after.Places, decided)
		if err != nil {
			return fmt.Errorf("storing a site's policy: %w", err)
		}
		if err := audit.Write(ctx, tx, actor.Tenant, audit.Entry{Actor: actor.Name(), Action: "site.policy", Object: site.ID.String(), Before: before.words(), After: after.words()}); err != nil {
			return err
		}
		return ordersChanged(ctx, tx, actor.Tenant, site.ID)
	})
	return site, err
}

func (c PolicyChange) applied(p Policy) Policy {
	if c.Residency != nil {
		p.Residency = *c.Residency
	}
	if c.BeatMS != nil {
		p.BeatMS = *c.BeatMS
	}
	if c.Places != nil {
		p.Places = c.Places
	}
	return p
}

// words are the policy as the audit log tells it. Places may name switches, so
// only their number is told.
func (p Policy) words() map[string]string {
	return map[string]string{"residency": string(p.Residency), "beat_ms": fmt.Sprint(p.BeatMS), "places": fmt.Sprint(len(p.Places))}
}

// residencyWord says where a site's topology is.
func residencyWord(s Site) string {
	if s.Policy.Residency == uplink.Replicate {
		return "stored here too"
	}
	return "stays in the site"
}

// policyOrder is the policy as relays are told it.
func policyOrder(ctx context.Context, tx pgx.Tx, relay relaychan.Relay) (p uplink.Policy, err error) {
	var decided *time.Time
	var places []byte
	err = tx.QueryRow(ctx, `SELECT residency, beat_ms, places, decided_at FROM assim.sites WHERE id = $1`, relay.Site).
		Scan(&p.Residency, &p.Beat, &places, &decided)
	if err == nil {
		err = json.Unmarshal(places, &p.Places)
	}
	if err != nil {
		return p, fmt.Errorf("reading the policy of site %s: %w", relay.Site, err)
	}
	if decided != nil {
		p.Decided = decided.UnixMilli()
	}
	return p, nil
}

// Forgetter takes the topology of a site out of everything that is stored, in
// the transaction that decided it.
type Forgetter func(ctx context.Context, tx pgx.Tx, tenant tenancy.TenantID, site tenancy.SiteID) error

// Questions are what a relay is to answer now.
type Questions func(ctx context.Context, relay relaychan.Relay) ([]uplink.Question, error)
